//! `PUT /v2.0/routers/{id}/<action>`.

use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{FullRouter, SPEC, interfaces, routes as extra, store, view};
use crate::Neutron;
use crate::ipam::Route;
use crate::plane::Wakes;

const ADD_INTERFACE: Policy = Policy::new("add_router_interface", Rule::ProjectMember);
const REMOVE_INTERFACE: Policy = Policy::new("remove_router_interface", Rule::ProjectMember);
const ADD_ROUTES: Policy = Policy::new("add_extraroutes", Rule::ProjectMember);
const REMOVE_ROUTES: Policy = Policy::new("remove_extraroutes", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .put("/v2.0/routers/{id}/add_router_interface", &ADD_INTERFACE, add_interface)
        .put("/v2.0/routers/{id}/remove_router_interface", &REMOVE_INTERFACE, remove_interface)
        .put("/v2.0/routers/{id}/add_extraroutes", &ADD_ROUTES, add_routes)
        .put("/v2.0/routers/{id}/remove_extraroutes", &REMOVE_ROUTES, remove_routes)
}

async fn add_interface(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let asked = interfaces::parse(&body)?;
    let done: Result<(Value, Wakes)> = db::write!(app.db, |tx| {
        let full = store::visible(tx, &ctx, &id).await?;
        interfaces::add(tx, &ctx, &full, &asked).await
    });
    let (answer, wakes) = done?;
    app.wake(&wakes);
    Ok(web::json(200, &answer))
}

async fn remove_interface(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let asked = interfaces::parse(&body)?;
    let done: Result<(Value, Wakes)> = db::write!(app.db, |tx| {
        let full = store::visible(tx, &ctx, &id).await?;
        interfaces::remove(tx, &ctx, &full, &asked).await
    });
    let (answer, wakes) = done?;
    app.wake(&wakes);
    Ok(web::json(200, &answer))
}

async fn add_routes(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change_routes(&app, &ctx, &id, &body, extra::added).await
}

async fn remove_routes(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change_routes(&app, &ctx, &id, &body, extra::removed).await
}

async fn change_routes(
    app: &Neutron,
    ctx: &Ctx,
    id: &str,
    body: &Value,
    change: fn(&[Route], &[Route]) -> Vec<Route>,
) -> web::Result {
    let given: Vec<Route> = SPEC.update(ctx, body)?.parsed("routes")?.unwrap_or_default();
    let updated: Result<FullRouter> = db::write!(app.db, |tx| {
        let mut full = store::visible(tx, ctx, id).await?;
        let seen = full.router.standard.revision;
        full.router.routes = change(&full.router.routes, &given);
        extra::check(tx, &full, &full.router.routes).await?;
        full.router.standard.touch();
        store::update(tx, ctx, &full.router, seen).await?;
        Ok(full)
    });
    let full = updated?;
    app.wake(&Wakes::router(id));
    Ok(web::json(200, &json!({"router": view::view(&full)})))
}
