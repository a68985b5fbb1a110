//! `/v1/orders`

use std::sync::Arc;

use base::time::micros_naive;
use base::{Error, Kind, Policy, Rule};
use rand::Rng;
use serde_json::{Value, json};
use web::{Caller, Origin, Params, Path, Result, Routes, State, no_content};

use super::{Order, rules, store};
use crate::body::Body;
use crate::refs::{self, Slice};
use crate::secrets::api::located;
use crate::{Barbican, quotas, secrets};

const LIST: Policy = Policy::new("orders:get", Rule::ProjectMember);
const CREATE: Policy = Policy::new("orders:post", Rule::ProjectMember);
const PUT: Policy = Policy::new("orders:put", Rule::ProjectMember);
const SHOW: Policy = Policy::new("order:get", Rule::ProjectMember);
const DELETE: Policy = Policy::new("order:delete", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/orders", &LIST, list)
        .post("/v1/orders", &CREATE, create)
        .put("/v1/orders", &PUT, update)
        .get("/v1/orders/{id}", &SHOW, show)
        .delete("/v1/orders/{id}", &DELETE, delete)
}

fn view(origin: &Origin, order: &Order) -> Value {
    json!({
        "order_ref": refs::order(origin, &order.id),
        "secret_ref": refs::secret(origin, &order.secret_id),
        "type": order.kind,
        "meta": order.meta,
        "creator_id": order.creator_id,
        "status": "ACTIVE",
        "sub_status": "Unknown",
        "sub_status_message": "Unknown",
        "created": micros_naive(order.created_at),
        "updated": micros_naive(order.updated_at),
    })
}

async fn list(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    origin: Origin,
    params: Params,
) -> Result {
    let slice = Slice::of(&params);
    let (page, total) = store::list(&mut *app.db.read().await?, ctx.require_project()?, slice).await?;
    let items = page.iter().map(|order| view(&origin, order)).collect();
    Ok(web::json(200, &slice.page(&origin, &params, "orders", "orders", items, total)))
}

async fn create(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, origin: Origin, body: Body) -> Result {
    let project = ctx.require_project()?;
    let (order, secret, length) = rules::new(&ctx, project, &body.object()?)?;
    let mut key = vec![0; length];
    rand::rng().fill_bytes(&mut key);
    let written: Result<(), Error> = db::write!(app.db, |tx| {
        quotas::store::check(tx, project, "orders", "Order creation").await?;
        let cipher = app.vault.encrypt(tx, project, &key).await?;
        secrets::store::insert(tx, &ctx, &secret, Some(cipher)).await?;
        store::insert(tx, &ctx, &order).await
    });
    written?;
    let url = refs::order(&origin, &order.id);
    Ok(located(web::json(202, &json!({"order_ref": url})), &url))
}

async fn update() -> Result {
    Err(Error::new(Kind::MethodNotAllowed, "Order update is not supported.").into())
}

async fn show(
    State(app): State<Arc<Barbican>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
) -> Result {
    let order = store::get(&mut *app.db.read().await?, ctx.require_project()?, &id).await?;
    Ok(web::json(200, &view(&origin, &order)))
}

async fn delete(State(app): State<Arc<Barbican>>, Caller(ctx): Caller, Path(id): Path<String>) -> Result {
    let order = store::get(&mut *app.db.read().await?, ctx.require_project()?, &id).await?;
    let written: Result<(), Error> = db::write!(app.db, |tx| store::delete(tx, &ctx, &order).await);
    written?;
    Ok(no_content(204))
}
