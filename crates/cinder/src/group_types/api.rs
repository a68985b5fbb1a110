//! `/v3/group_types`.

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{GroupType, load, specs_api, store};
use crate::asker::Asker;
use crate::form::{self, Form, since};
use crate::listing::Listing;
use crate::{Cinder, policy, values};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    let routes = routes
        .get("/v3/group_types", &policy::GROUP_TYPE_LIST, list)
        .post("/v3/group_types", &policy::GROUP_TYPE_CREATE, create)
        .get("/v3/group_types/{id}", &policy::GROUP_TYPE_GET, get)
        .put("/v3/group_types/{id}", &policy::GROUP_TYPE_UPDATE, update)
        .delete("/v3/group_types/{id}", &policy::GROUP_TYPE_DELETE, delete);
    specs_api::routes(routes)
}

fn view(ctx: &Ctx, one: &GroupType) -> Value {
    let mut body = json!({
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "is_public": one.is_public,
    });
    if ctx.authorize(&policy::GROUP_SPECS_SEEN, None).is_ok() {
        body["group_specs"] = json!(one.specs);
    }
    body
}

async fn list(State(cinder): Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 11)?;
    let listing = Listing::read(&params)?;
    let mut all = store::list(&mut *cinder.db.read().await?).await?;
    // As with volume types: public ones, unless an admin asks for others.
    match params.get("is_public").filter(|_| ctx.is_admin()) {
        Some(text) if text.eq_ignore_ascii_case("none") => {}
        Some(text) => {
            let wanted = values::boolean(text)
                .ok_or_else(|| Error::bad_request(format!("Invalid is_public filter [{text}]")))?;
            all.retain(|one| one.is_public == wanted);
        }
        None => all.retain(|one| one.is_public),
    }
    let page = listing.page(all)?;
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let mut body = json!({"group_types": page.iter().map(|one| view(ctx, one)).collect::<Vec<_>>()});
    if let Some(links) = listing.next(&params, &origin.0, &ids) {
        body["group_type_links"] = links;
    }
    Ok(web::json(200, &body))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 11)?;
    if id == "default" {
        return Err(Error::not_found("Default group type can not be found.").into());
    }
    let one = load(&mut *cinder.db.read().await?, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"group_type": view(&asker.ctx, &one)})))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    since(&asker.ctx, 11)?;
    let form = Form::of(&body, "group_type", &["name", "description", "group_specs", "is_public"])?;
    let name = form.required_text("name")?.trim();
    if name.is_empty() {
        return Err(Error::bad_request("Group type name can not be empty.").into());
    }
    let made = GroupType {
        id: base::id::uuid(),
        name: name.to_owned(),
        description: form.text("description", 0)?.map(Into::into),
        is_public: form.flag("is_public")?.unwrap_or(true),
        specs: match form.get("group_specs") {
            Some(specs) => form::texts("group_specs", specs, true)?,
            None => Default::default(),
        },
        created_at: base::time::now(),
    };
    store::create(&cinder.db, &asker.ctx, &made).await?;
    Ok(web::json(202, &json!({"group_type": view(&asker.ctx, &made)})))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    since(&asker.ctx, 11)?;
    let form = Form::of(&body, "group_type", &["name", "description", "is_public"])?;
    let (name, description) = (form.text("name", 0)?.map(str::trim), form.text("description", 0)?);
    let is_public = form.flag("is_public")?;
    if name == Some("") {
        return Err(Error::bad_request("Group type name can not be empty.").into());
    }
    if name.is_none() && description.is_none() && is_public.is_none() {
        let text = "Specify group type name, description or a combination thereof.";
        return Err(Error::bad_request(text).into());
    }
    let one = store::edit(&cinder.db, &asker.ctx, &id, |one| {
        one.name = name.map_or_else(|| std::mem::take(&mut one.name), Into::into);
        if description.is_some() {
            one.description = description.map(Into::into);
        }
        one.is_public = is_public.unwrap_or(one.is_public);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &json!({"group_type": view(&asker.ctx, &one)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 11)?;
    store::delete(&cinder.db, &asker.ctx, &id).await?;
    Ok(web::no_content(202))
}
