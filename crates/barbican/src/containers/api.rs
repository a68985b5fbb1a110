//! `/v1/containers`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Path, Result, Routes, State, no_content};

use super::{Container, policy, rules, store, view};
use crate::access::{Need, check};
use crate::body::Body;
use crate::refs::{self, Slice};
use crate::secrets::api::located;
use crate::{Barbican, consumers};

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/containers", &policy::LIST, list)
        .post("/v1/containers", &policy::CREATE, create)
        .get("/v1/containers/{id}", &policy::SHOW, show)
        .delete("/v1/containers/{id}", &policy::DELETE, delete)
        .post("/v1/containers/{id}/secrets", &policy::ADD, add)
        .delete("/v1/containers/{id}/secrets", &policy::REMOVE, remove)
}

async fn list(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    origin: Origin,
    params: Params,
) -> Result {
    let slice = Slice::of(&params);
    let said = |key: &str| params.get(key).unwrap_or_default();
    let mut conn = app.db.read().await?;
    let (page, total) =
        store::list(&mut conn, ctx.require_project()?, said("name"), said("type"), slice).await?;
    let users = consumers::store::of_all(&mut conn, page.iter().map(|one| one.id.as_str())).await?;
    let items: Vec<Value> = page.iter().map(|one| view::container(&origin, one, &users)).collect();
    Ok(web::json(200, &slice.page(&origin, &params, "containers", "containers", items, total)))
}

async fn create(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, origin: Origin, body: Body) -> Result {
    let container = rules::new(&ctx, ctx.require_project()?, &origin, &body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| store::create(tx, &ctx, &container).await);
    written?;
    let url = refs::container(&origin, &container.id);
    Ok(located(web::json(201, &json!({"container_ref": url})), &url))
}

/// One that the caller may use in this way.
async fn get(app: &Barbican, ctx: &Ctx, id: &str, need: Need, what: &str) -> Result<Container, Error> {
    let container = store::get(&mut *app.db.read().await?, id).await?;
    check(ctx, &container.owned, need, what)?;
    Ok(container)
}

async fn show(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result {
    let container = get(&app, &ctx, &id, Need::Read, "Container retrieval").await?;
    let users = consumers::store::of_all(&mut *app.db.read().await?, [id.as_str()]).await?;
    Ok(web::json(200, &view::container(&origin, &container, &users)))
}

async fn delete(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let container = get(&app, &ctx, &id, Need::Change, "Container deletion").await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| store::delete(tx, &ctx, &container).await);
    written?;
    Ok(no_content(204))
}

async fn add(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    body: Body,
) -> Result {
    let container = get(&app, &ctx, &id, Need::Change, "Container Secret creation").await?;
    if container.kind != "generic" {
        return Err(Error::bad_request("Only 'generic' containers can be modified.").into());
    }
    let member = rules::member(&body.object()?)?;
    let written: Result<(), Error> = db::write!(app.db, |tx| store::add(tx, &ctx, &id, &member).await);
    written?;
    let url = refs::container(&origin, &id);
    Ok(located(web::json(201, &json!({"container_ref": url})), &url))
}

async fn remove(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result {
    let container = get(&app, &ctx, &id, Need::Change, "Container Secret deletion").await?;
    let member = rules::member(&body.any_object()?)?;
    let written: Result<(), Error> =
        db::write!(app.db, |tx| store::remove(tx, &ctx, &container, &member).await);
    written?;
    Ok(no_content(204))
}
