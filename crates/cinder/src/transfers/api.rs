//! `/v3/volume-transfers` (since 3.55) and the older `/v3/os-volume-transfer`.

use std::sync::Arc;

use base::time::micros_naive;
use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::{Transfer, hash, random, store};
use crate::asker::Asker;
use crate::form::Form;
use crate::listing::Listing;
use crate::{Cinder, policy, volumes};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/volume-transfers", &policy::TRANSFER_LIST, list)
        .get("/v3/volume-transfers/detail", &policy::TRANSFER_LIST, list_details)
        .post("/v3/volume-transfers", &policy::TRANSFER_CREATE, create)
        .get("/v3/volume-transfers/{id}", &policy::TRANSFER_GET, get)
        .delete("/v3/volume-transfers/{id}", &policy::TRANSFER_DELETE, delete)
        .post("/v3/volume-transfers/{id}/accept", &policy::TRANSFER_ACCEPT, accept)
        .get("/v3/os-volume-transfer", &policy::TRANSFER_LIST, list)
        .get("/v3/os-volume-transfer/detail", &policy::TRANSFER_LIST, list_details)
        .post("/v3/os-volume-transfer", &policy::TRANSFER_CREATE, create)
        .get("/v3/os-volume-transfer/{id}", &policy::TRANSFER_GET, get)
        .delete("/v3/os-volume-transfer/{id}", &policy::TRANSFER_DELETE, delete)
        .post("/v3/os-volume-transfer/{id}/accept", &policy::TRANSFER_ACCEPT, accept)
}

fn summary(asker: &Asker, one: &Transfer) -> Value {
    json!({
        "id": one.id,
        "volume_id": one.volume_id,
        "name": one.name,
        "links": asker.links.of("os-volume-transfer", &one.id),
    })
}

fn detail(asker: &Asker, one: &Transfer) -> Value {
    let mut body = summary(asker, one);
    body["created_at"] = json!(micros_naive(one.created_at));
    if asker.ctx.at_least(3, 55) {
        body["no_snapshots"] = json!(one.no_snapshots);
    }
    if asker.ctx.at_least(3, 57) {
        body["source_project_id"] = json!(one.project_id);
        body["destination_project_id"] = Value::Null;
        body["accepted"] = json!(false);
    }
    body
}

async fn list(state: Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    page(state, asker, params, origin, false).await
}

async fn list_details(state: Cinders, asker: Asker, params: Params, origin: web::Origin) -> Result {
    page(state, asker, params, origin, true).await
}

async fn page(
    State(cinder): Cinders,
    asker: Asker,
    params: Params,
    origin: web::Origin,
    details: bool,
) -> Result {
    let listing = Listing::read(&params)?;
    let scope = volumes::list::scope(&asker.ctx, &params)?;
    let mut kept = store::list(&mut *cinder.db.read().await?, scope).await?;
    if let Some(name) = params.get("name") {
        kept.retain(|one| one.name.as_deref() == Some(name));
    }
    if let Some(volume) = params.get("volume_id") {
        kept.retain(|one| one.volume_id == volume);
    }
    let page = listing.page(kept)?;
    let ids: Vec<&str> = page.iter().map(|one| one.id.as_str()).collect();
    let view = |one| if details { detail(&asker, one) } else { summary(&asker, one) };
    let mut body = json!({"transfers": page.iter().map(view).collect::<Vec<_>>()});
    if let Some(links) = listing.next(&params, &origin.0, &ids) {
        body["transfers_links"] = links;
    }
    Ok(web::json(200, &body))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    let known: &[&str] =
        if ctx.at_least(3, 55) { &["volume_id", "name", "no_snapshots"] } else { &["volume_id", "name"] };
    let form = Form::of(&body, "transfer", known)?;
    let name = form.text("name", 0)?.map(str::trim);
    if name == Some("") {
        return Err(
            Error::bad_request("An invalid 'name' value was provided. The 'name' can not be empty.").into()
        );
    }
    let (salt, key) = (random(8), random(16));
    let wanted = Transfer {
        id: base::id::uuid(),
        volume_id: form.required_uuid("volume_id")?.into(),
        project_id: String::new(),
        name: name.map(Into::into),
        hash: hash(&salt, &key).ok_or_else(|| Error::internal("no hash can be made"))?,
        salt,
        no_snapshots: form.flag("no_snapshots")?.unwrap_or(false),
        created_at: base::time::now(),
    };
    let made = store::create(&cinder.db, ctx, &wanted).await?;
    let mut body = detail(&asker, &made);
    body["auth_key"] = json!(key);
    Ok(web::json(202, &json!({ "transfer": body })))
}

async fn load(cinder: &Cinder, ctx: &Ctx, id: &str) -> Checked<Transfer> {
    let found = store::get(&mut *cinder.db.read().await?, id).await?;
    found.filter(|one| ctx.owns(&one.project_id)).ok_or_else(|| store::none(id))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let one = load(&cinder, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"transfer": detail(&asker, &one)})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let one = load(&cinder, &asker.ctx, &id).await?;
    asker.ctx.authorize(&policy::TRANSFER_DELETE, Some(&one.project_id))?;
    store::delete(&cinder.db, &asker.ctx, &one).await?;
    Ok(web::no_content(202))
}

/// Whoever knows the key; the id alone says nothing about whether there is such a thing.
async fn accept(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let form = Form::of(&body, "accept", &["auth_key"])?;
    let key = match form.require("auth_key")? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(Error::bad_request(format!(
                "Invalid input for field/attribute auth_key. Value: {other}. {other} is not of type 'string', 'integer'"
            ))
            .into());
        }
    };
    let project = ctx.require_project()?;
    let found = store::get(&mut *cinder.db.read().await?, &id).await?.ok_or_else(|| store::none(&id))?;
    if hash(&found.salt, &key).as_deref() != Some(&found.hash) {
        let text = format!("Invalid auth key: Attempt to transfer {id} with invalid auth key.");
        return Err(Error::bad_request(text).into());
    }
    store::accept(&cinder.db, &cinder.keys, ctx, &found, project).await?;
    Ok(web::json(202, &json!({"transfer": summary(&asker, &found)})))
}
