//! `/v3/types` and `/v3/default-types`.

use std::sync::Arc;

use base::{Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{VolumeType, encryption_api, load, store, view};
use crate::asker::Asker;
use crate::form::{self, Form, since};
use crate::listing::Listing;
use crate::{Cinder, policy, values};

type Cinders = State<Arc<Cinder>>;

const IN_USE: &str = "Volume Type is currently in use.";

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    let routes = routes
        .get("/v3/types", &policy::TYPE_LIST, list)
        .post("/v3/types", &policy::TYPE_CREATE, create)
        .get("/v3/types/{id}", &policy::TYPE_GET, get)
        .put("/v3/types/{id}", &policy::TYPE_UPDATE, update)
        .delete("/v3/types/{id}", &policy::TYPE_DELETE, delete)
        .post("/v3/types/{id}/action", &policy::TYPE_ACTION, act)
        .get("/v3/types/{id}/os-volume-type-access", &policy::ACCESS_LIST, access)
        .get("/v3/types/{id}/extra_specs", &policy::SPECS_LIST, list_specs)
        .post("/v3/types/{id}/extra_specs", &policy::SPECS_CREATE, create_specs)
        .get("/v3/types/{id}/extra_specs/{key}", &policy::SPECS_GET, get_spec)
        .put("/v3/types/{id}/extra_specs/{key}", &policy::SPECS_UPDATE, update_spec)
        .delete("/v3/types/{id}/extra_specs/{key}", &policy::SPECS_DELETE, delete_spec)
        .get("/v3/default-types", &policy::DEFAULT_LIST, list_defaults)
        .get("/v3/default-types/{project}", &policy::DEFAULT_GET, get_default)
        .put("/v3/default-types/{project}", &policy::DEFAULT_SET, set_default)
        .delete("/v3/default-types/{project}", &policy::DEFAULT_UNSET, unset_default);
    encryption_api::routes(routes)
}

async fn list(State(cinder): Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    let ctx = &asker.ctx;
    let listing = Listing::read(&params)?;
    let mut conn = cinder.db.read().await?;
    let own = ctx.project().map(|project| project.id.as_str());
    let mut all =
        store::list(&mut conn, if ctx.is_admin() { None } else { Some(own.unwrap_or_default()) }).await?;
    if ctx.is_admin() {
        // An admin sees public ones unless asking for others: `is_public=None` is for all of them.
        match params.get("is_public") {
            Some(text) if text.eq_ignore_ascii_case("none") => {}
            Some(text) => {
                let wanted = values::boolean(text)
                    .ok_or_else(|| Error::bad_request(format!("Invalid is_public filter [{text}]")))?;
                all.retain(|one| one.is_public == wanted);
            }
            None => all.retain(|one| one.is_public),
        }
    }
    if let Some(text) = params.get("extra_specs").filter(|_| ctx.at_least(3, 52)) {
        let wanted = values::pairs(text);
        let hidden = wanted.iter().any(|(key, _)| !view::VISIBLE_SPECS.contains(&key.as_str()));
        all.retain(|one| {
            (ctx.is_admin() || !hidden) && wanted.iter().all(|(k, v)| one.extra_specs.get(k) == Some(v))
        });
    }
    let page = listing.page(all)?;
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let mut body = json!({"volume_types": page.iter().map(|one| view::detail(ctx, one)).collect::<Vec<_>>()});
    if let Some(links) = listing.next(&params, &origin.0, &ids) {
        body["volume_type_links"] = links;
    }
    Ok(web::json(200, &body))
}

fn one(asker: &Asker, found: &VolumeType) -> Result {
    Ok(web::json(200, &json!({"volume_type": view::detail(&asker.ctx, found)})))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let mut conn = cinder.db.read().await?;
    let found = match id.as_str() {
        "default" => super::default_of(&mut conn, asker.ctx.require_project()?).await?,
        id => load(&mut conn, &asker.ctx, id).await?,
    };
    one(&asker, &found)
}

fn name_of(form: &Form<'_>, key: &str) -> Checked<Option<String>> {
    let Some(name) = form.text(key, 1)? else { return Ok(None) };
    match name.trim() {
        "" => Err(Error::bad_request("An invalid 'name' value was provided. The 'name' can not be empty.")),
        name => Ok(Some(name.to_owned())),
    }
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let known = ["name", "description", "extra_specs", "os-volume-type-access:is_public"];
    let form = Form::of(&body, "volume_type", &known)?;
    form.required_text("name")?;
    let is_public = form.flag("os-volume-type-access:is_public")?.unwrap_or(true);
    let made = VolumeType {
        id: base::id::uuid(),
        name: name_of(&form, "name")?.unwrap_or_default(),
        description: form.text("description", 0)?.map(Into::into),
        is_public,
        extra_specs: match form.get("extra_specs") {
            Some(value) => form::texts("extra_specs", value, true)?,
            None => Default::default(),
        },
        encryption: None,
        qos_id: None,
        created_at: base::time::now(),
    };
    store::create(&cinder.db, &asker.ctx, &made, None).await?;
    Ok(web::json(200, &json!({"volume_type": view::made(&asker.ctx, &made)})))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let form = Form::of(&body, "volume_type", &["name", "description", "is_public"])?;
    let name = match form.text("name", 1)? {
        Some(name) if name.trim().is_empty() => {
            return Err(Error::bad_request("Volume type name can not be empty.").into());
        }
        name => name.map(|name| name.trim().to_owned()),
    };
    let (description, is_public) = (form.text("description", 0)?, form.flag("is_public")?);
    if name.is_none() && description.is_none() && is_public.is_none() {
        let text = "Specify volume type name, description, is_public or a combination thereof.";
        return Err(Error::bad_request(text).into());
    }
    let found = store::edit(&cinder.db, &asker.ctx, &id, None, |one| {
        if let Some(name) = &name {
            one.name.clone_from(name);
        }
        if let Some(description) = description {
            one.description = Some(description.to_owned());
        }
        one.is_public = is_public.unwrap_or(one.is_public);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"volume_type": view::changed(&asker.ctx, &found)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    store::delete(&cinder.db, &asker.ctx, &id).await?;
    Ok(web::no_content(202))
}

async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let (name, _) = form::action(&body)?;
    let project = |key| Form::of(&body, key, &["project"]).and_then(|form| form.required_text("project"));
    match name {
        "addProjectAccess" => store::add_access(&cinder.db, &asker.ctx, &id, project(name)?).await?,
        "removeProjectAccess" => store::remove_access(&cinder.db, &asker.ctx, &id, project(name)?).await?,
        other => return Err(Error::bad_request(format!("There is no such action: {other}")).into()),
    }
    Ok(web::no_content(202))
}

async fn access(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let mut conn = cinder.db.read().await?;
    if load(&mut conn, &asker.ctx, &id).await?.is_public {
        return Err(Error::not_found("Access list not available for public volume types.").into());
    }
    let projects = store::projects(&mut conn, &id).await?;
    let rows: Vec<Value> =
        projects.iter().map(|project| json!({"volume_type_id": id, "project_id": project})).collect();
    Ok(web::json(200, &json!({ "volume_type_access": rows })))
}

async fn list_specs(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"extra_specs": view::specs(&asker.ctx, &found)})))
}

fn no_spec(id: &str, key: &str) -> Error {
    Error::not_found(format!("Volume Type {id} has no extra specs with key {key}."))
}

async fn get_spec(State(cinder): Cinders, asker: Asker, Path((id, key)): Path<(String, String)>) -> Result {
    let found = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    let specs = view::specs(&asker.ctx, &found);
    let value = specs.get(&key).ok_or_else(|| no_spec(&id, &key))?;
    Ok(web::json(200, &json!({ key: value })))
}

/// Keys of extra specs have no spaces.
fn specs_of(value: &Value) -> Checked<std::collections::BTreeMap<String, String>> {
    let specs = form::texts("extra_specs", value, true)?;
    match specs.keys().find(|key| key.contains([' ', '/'])) {
        Some(key) => Err(Error::bad_request(format!(
            "Invalid input for field/attribute extra_specs. Value: {value}. '{key}' is not a valid key"
        ))),
        None => Ok(specs),
    }
}

async fn create_specs(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let form = Form::of(&body, "extra_specs", &[])?;
    let specs = specs_of(&Value::Object(form.map().clone()))?;
    store::edit(&cinder.db, &asker.ctx, &id, Some(IN_USE), |one| {
        one.extra_specs.extend(specs.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body))
}

async fn update_spec(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result {
    let specs = specs_of(&body)?;
    if specs.len() != 1 {
        return Err(Error::bad_request("Request body contains too many items").into());
    }
    if !specs.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    store::edit(&cinder.db, &asker.ctx, &id, Some(IN_USE), |one| {
        one.extra_specs.extend(specs.clone());
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body))
}

async fn delete_spec(
    State(cinder): Cinders,
    asker: Asker,
    Path((id, key)): Path<(String, String)>,
) -> Result {
    store::edit(&cinder.db, &asker.ctx, &id, Some(IN_USE), |one| {
        one.extra_specs.remove(&key).map(|_| ()).ok_or_else(|| no_spec(&id, &key))
    })
    .await?;
    Ok(web::no_content(202))
}

fn default(project: &str, id: &str) -> Value {
    json!({"project_id": project, "volume_type_id": id})
}

async fn list_defaults(State(cinder): Cinders, asker: Asker) -> Result {
    since(&asker.ctx, 62)?;
    let all = store::project_defaults(&mut *cinder.db.read().await?).await?;
    let rows: Vec<Value> = all.iter().map(|(project, id)| default(project, id)).collect();
    Ok(web::json(200, &json!({ "default_types": rows })))
}

async fn get_default(State(cinder): Cinders, asker: Asker, Path(project): Path<String>) -> Result {
    since(&asker.ctx, 62)?;
    let found = store::project_default(&mut *cinder.db.read().await?, &project).await?;
    let id =
        found.ok_or_else(|| Error::not_found(format!("Default type for project {project} not found.")))?;
    Ok(web::json(200, &json!({"default_type": default(&project, &id)})))
}

async fn set_default(
    State(cinder): Cinders,
    asker: Asker,
    Path(project): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    since(&asker.ctx, 62)?;
    let form = Form::of(&body, "default_type", &["volume_type"])?;
    let wanted = form.required_text("volume_type")?;
    let found = super::find(&mut *cinder.db.read().await?, &asker.ctx, wanted).await;
    let found = found.map_err(|e| if e.is_not_found() { Error::bad_request(e.message) } else { e })?;
    store::set_project_default(&cinder.db, &asker.ctx, &project, Some(&found.id)).await?;
    Ok(web::json(200, &json!({"default_type": default(&project, &found.id)})))
}

async fn unset_default(State(cinder): Cinders, asker: Asker, Path(project): Path<String>) -> Result {
    since(&asker.ctx, 62)?;
    store::set_project_default(&cinder.db, &asker.ctx, &project, None).await?;
    Ok(web::no_content(204))
}
