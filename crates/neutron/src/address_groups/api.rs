use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{AddressGroup, rules};
use crate::plane::Wakes;
use crate::request::{View, create, delete, list, one_view, owned, replace, show, update};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_address_group", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_address_group", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_address_group", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_address_group", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/address-groups", &GET, list::<AddressGroup>)
        .post("/v2.0/address-groups", &CREATE, create::<AddressGroup>)
        .get("/v2.0/address-groups/{id}", &GET, show::<AddressGroup>)
        .put("/v2.0/address-groups/{id}", &UPDATE, update::<AddressGroup>)
        .delete("/v2.0/address-groups/{id}", &DELETE, delete::<AddressGroup>)
        .put("/v2.0/address-groups/{id}/add_addresses", &UPDATE, add)
        .put("/v2.0/address-groups/{id}/remove_addresses", &UPDATE, remove)
}

async fn add(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change(&app, &ctx, &id, &body, rules::add).await
}

async fn remove(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change(&app, &ctx, &id, &body, rules::remove).await
}

async fn change(
    app: &Neutron,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    by: fn(&mut AddressGroup, &Value) -> Result<()>,
) -> web::Result {
    let given = body
        .get("addresses")
        .ok_or_else(|| fault::http_bad_request("Unable to find 'addresses' in request body"))?;
    let changed: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let before: AddressGroup = owned(tx, ctx, id, "update").await?;
        let mut group = before.clone();
        by(&mut group, given)?;
        group.standard.touch();
        let wakes = replace(tx, ctx, &before, &group).await?;
        Ok((one_view(app, tx, ctx, group).await?, wakes))
    });
    let (view, wakes) = changed?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "address_group": view })))
}
