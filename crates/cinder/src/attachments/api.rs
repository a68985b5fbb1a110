//! `/v3/attachments`, since 3.27.

use std::sync::Arc;

use base::{Ctx, Error, Result as Checked};
use serde_json::{Value, json};
use web::{Json, Params, Path, Result, Routes, State};

use super::store::Connector;
use super::{Attachment, store, view};
use crate::asker::Asker;
use crate::form::{Form, action, since};
use crate::listing::{Listing, PAGING};
use crate::words::no_attachment;
use crate::{Cinder, policy, volumes};

type Cinders = State<Arc<Cinder>>;

pub fn routes(routes: Routes<Arc<Cinder>>) -> Routes<Arc<Cinder>> {
    routes
        .get("/v3/attachments", &policy::ATTACHMENT_READ, list)
        .get("/v3/attachments/detail", &policy::ATTACHMENT_READ, list_details)
        .post("/v3/attachments", &policy::ATTACHMENT_CREATE, create)
        .get("/v3/attachments/{id}", &policy::ATTACHMENT_READ, get)
        .put("/v3/attachments/{id}", &policy::ATTACHMENT_UPDATE, update)
        .delete("/v3/attachments/{id}", &policy::ATTACHMENT_DELETE, delete)
        .post("/v3/attachments/{id}/action", &policy::ATTACHMENT_COMPLETE, act)
}

async fn load(cinder: &Cinder, ctx: &Ctx, id: &str) -> Checked<Attachment> {
    let found = store::get(&mut *cinder.db.read().await?, id).await?;
    found.filter(|one| ctx.owns(&one.project_id)).ok_or_else(|| no_attachment(id))
}

async fn shown(cinder: &Cinder, one: &Attachment) -> Checked<Value> {
    let connection = match one.connector {
        Some(_) => Some(cinder.connection(&one.volume_id).await?),
        None => None,
    };
    Ok(view::detail(one, connection.as_ref()))
}

/// Nobody in a list is about to use it.
async fn listed(cinder: &Cinder, one: &Attachment) -> Checked<Value> {
    let connection = match one.connector {
        Some(_) => Some(cinder.connection_as_told(&one.volume_id).await?),
        None => None,
    };
    Ok(view::detail(one, connection.as_ref()))
}

async fn list(state: Cinders, asker: Asker, params: Params) -> Result {
    page(state, asker, params, false).await
}

async fn list_details(state: Cinders, asker: Asker, params: Params) -> Result {
    page(state, asker, params, true).await
}

async fn page(State(cinder): Cinders, asker: Asker, params: Params, detail: bool) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 27)?;
    let listing = Listing::read(&params)?;
    let mut kept = store::list(&mut *cinder.db.read().await?, volumes::list::scope(ctx, &params)?).await?;
    for (key, value) in params.pairs() {
        match key.trim_end_matches('~') {
            "volume_id" => kept.retain(|one| one.volume_id == *value),
            "status" | "attach_status" => kept.retain(|one| one.status == *value),
            "instance_id" => kept.retain(|one| one.server_id.as_ref() == Some(value)),
            "all_tenants" | "all_projects" => {}
            key if PAGING.contains(&key) || ctx.is_admin() || !ctx.at_least(3, 31) => {}
            _ => {
                let text = format!("Invalid filters {key} are found in query options.");
                return Err(Error::bad_request(text).into());
            }
        }
    }
    let mut rows = Vec::new();
    for one in listing.page(kept)? {
        rows.push(if detail { listed(&cinder, &one).await? } else { view::summary(&one) });
    }
    Ok(web::json(200, &json!({ "attachments": rows })))
}

async fn get(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    since(&asker.ctx, 27)?;
    let one = load(&cinder, &asker.ctx, &id).await?;
    Ok(web::json(200, &json!({"attachment": shown(&cinder, &one).await?})))
}

async fn create(State(cinder): Cinders, asker: Asker, Json(body): Json<Value>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 27)?;
    let known: &[&str] = match ctx.at_least(3, 54) {
        true => &["instance_uuid", "connector", "volume_uuid", "mode"],
        false => &["instance_uuid", "connector", "volume_uuid"],
    };
    let form = Form::of(&body, "attachment", known)?;
    let (volume, server) = (form.required_uuid("volume_uuid")?, form.uuid("instance_uuid")?);
    let mode = form.one_of("mode", &["rw", "ro"])?;
    let connector = match form.get("connector") {
        None => None,
        Some(value) if value.as_object().is_some_and(|map| map.is_empty()) => None,
        Some(value) => {
            Form::inner(value, "connector", &[])?;
            Some(Connector::read(value))
        }
    };
    let one = store::create(&cinder.db, ctx, volume, server, connector.as_ref(), mode).await?;
    Ok(web::json(200, &json!({"attachment": shown(&cinder, &one).await?})))
}

async fn update(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 27)?;
    let form = Form::of(&body, "attachment", &["connector"])?;
    let connector = form.require("connector")?;
    if Form::inner(connector, "connector", &[])?.map().is_empty() {
        let text =
            "Invalid input for field/attribute connector. Value: {}. {} does not have enough properties";
        return Err(Error::bad_request(text).into());
    }
    let one = load(&cinder, ctx, &id).await?;
    ctx.authorize(&policy::ATTACHMENT_UPDATE, Some(&one.project_id))?;
    let one = store::connect(&cinder.db, ctx, &id, &Connector::read(connector)).await?;
    Ok(web::json(200, &json!({"attachment": shown(&cinder, &one).await?})))
}

async fn delete(State(cinder): Cinders, asker: Asker, Path(id): Path<String>) -> Result {
    let ctx = &asker.ctx;
    since(ctx, 27)?;
    let one = load(&cinder, ctx, &id).await?;
    ctx.authorize(&policy::ATTACHMENT_DELETE, Some(&one.project_id))?;
    cinder.check_unused(ctx, &one).await?;
    let left = store::delete(&cinder.db, ctx, &id).await?;
    cinder.waker.wake(&format!("volume/{}", one.volume_id));
    let rows: Vec<Value> = left.iter().map(view::summary).collect();
    Ok(web::json(200, &json!({ "attachments": rows })))
}

async fn act(
    State(cinder): Cinders,
    asker: Asker,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let ctx = &asker.ctx;
    let (name, _) = action(&body)?;
    if name != "os-complete" {
        return Err(Error::bad_request(format!("There is no such action: {name}")).into());
    }
    since(ctx, 44)?;
    let one = load(&cinder, ctx, &id).await?;
    ctx.authorize(&policy::ATTACHMENT_COMPLETE, Some(&one.project_id))?;
    store::complete(&cinder.db, ctx, &id).await?;
    Ok(web::no_content(204))
}
