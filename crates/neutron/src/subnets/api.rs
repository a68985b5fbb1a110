use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{SPEC, Subnet, rules, store, view};
use crate::Neutron;
use crate::plane::Wakes;
use crate::request::{Listing, only_fields};
use crate::rows::Bind;

const GET: Policy = Policy::new("get_subnet", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_subnet", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_subnet", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_subnet", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/subnets", &GET, list)
        .post("/v2.0/subnets", &CREATE, create)
        .get("/v2.0/subnets/{id}", &GET, show)
        .put("/v2.0/subnets/{id}", &UPDATE, update)
        .delete("/v2.0/subnets/{id}", &DELETE, delete)
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    rules::scope(&ctx, &mut listing.conditions);
    if let Some(external) = params.flag("router:external") {
        listing.conditions.and(
            "network_id IN (SELECT id FROM network WHERE external = ?)",
            [Bind::Int(i64::from(external))],
        );
    }
    let mut conn = app.db.read().await?;
    let subnets: Vec<Subnet> = std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    drop(conn);
    let views = subnets.iter().map(view::view).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let (subnet, _) = store::visible(&mut conn, &ctx, &id).await?;
    Ok(web::json(200, &json!({"subnet": only_fields(&params, view::view(&subnet))})))
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let subnets = inputs.iter().map(|i| rules::create(&ctx, i)).collect::<Result<Vec<_>>>()?;
    let made: Result<Wakes> = db::write!(app.db, |tx| {
        let mut wakes = Wakes::default();
        for subnet in &subnets {
            wakes.extend(store::create(tx, &ctx, subnet).await?);
        }
        Ok(wakes)
    });
    app.wake(&made?);
    let mut views: Vec<_> = subnets.iter().map(view::view).collect();
    Ok(if bulk {
        web::json(201, &json!({"subnets": views}))
    } else {
        web::json(201, &json!({"subnet": views.pop()}))
    })
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(Subnet, Wakes)> = db::write!(app.db, |tx| {
        let (before, _) = store::owned(tx, &ctx, &id, "update_subnet").await?;
        let mut subnet = before.clone();
        rules::apply(&mut subnet, &input)?;
        let wakes = store::update(tx, &ctx, &before, &subnet).await?;
        Ok((subnet, wakes))
    });
    let (subnet, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({"subnet": view::view(&subnet)})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let (subnet, _) = store::owned(tx, &ctx, &id, "delete_subnet").await?;
        store::delete(tx, &ctx, &subnet).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
