use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{FullRouter, Router, SPEC, actions, gateway, routes as extra, store, view};
use crate::Neutron;
use crate::ipam::Route;
use crate::networks::rules::zones;
use crate::plane::Wakes;
use crate::request::{Expected, Input, View, created, list, show};
use crate::standard::Standard;

const GET: Policy = Policy::new("get_router", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_router", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_router", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_router", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    actions::routes(
        routes
            .get("/v2.0/routers", &GET, list::<Router>)
            .post("/v2.0/routers", &CREATE, create)
            .get("/v2.0/routers/{id}", &GET, show::<Router>)
            .put("/v2.0/routers/{id}", &UPDATE, update)
            .delete("/v2.0/routers/{id}", &DELETE, delete),
    )
}

pub fn new_router(ctx: &Ctx, input: &Input) -> Result<Router> {
    Ok(Router {
        standard: Standard::of(&input.owner(ctx)?, input),
        admin_state_up: input.flag("admin_state_up").unwrap_or(true),
        status: "DOWN".into(),
        enable_snat: true,
        routes: Vec::new(),
        availability_zone_hints: zones(input)?,
        flavor_id: input.text("flavor_id").unwrap_or("").into(),
        ..Router::default()
    })
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let mut wanted = Vec::new();
    for input in &inputs {
        let asked = input.value("external_gateway_info").map(|v| gateway::parse(&ctx, v, "create"));
        wanted.push((new_router(&ctx, input)?, asked.transpose()?));
    }
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let (mut views, mut wakes) = (Vec::new(), Wakes::default());
        for (router, asked) in &wanted {
            let mut full = FullRouter { router: router.clone(), gateway: None };
            wakes.routers.insert(router.standard.id.clone());
            if let Some(asked) = asked {
                wakes.extend(gateway::set(tx, &ctx, &mut full, asked).await?);
            }
            store::create(tx, &ctx, &full.router).await?;
            views.push(view::view(&full));
        }
        Ok((views, wakes))
    });
    let (views, wakes) = made?;
    app.wake(&wakes);
    Ok(created(&SPEC, bulk, views))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let asked =
        input.value("external_gateway_info").map(|v| gateway::parse(&ctx, v, "update")).transpose()?;
    let routes: Option<Vec<Route>> =
        if input.has("routes") { Some(input.parsed("routes")?.unwrap_or_default()) } else { None };
    let updated: Result<(FullRouter, Wakes)> = db::write!(app.db, |tx| {
        let mut full = store::visible(tx, &ctx, &id).await?;
        let seen = full.router.standard.revision;
        expected.check(seen)?;
        let mut wakes = Wakes::router(&id);
        if let Some(flag) = input.flag("admin_state_up") {
            full.router.admin_state_up = flag;
        }
        if let Some(asked) = &asked {
            wakes.extend(gateway::set(tx, &ctx, &mut full, asked).await?);
        }
        if let Some(routes) = &routes {
            full.router.routes.clone_from(routes);
        }
        if routes.is_some() || asked.is_some() {
            extra::check(tx, &full, &full.router.routes).await?;
        }
        full.router.standard.apply(&input);
        store::update(tx, &ctx, &full.router, seen).await?;
        Ok((full, wakes))
    });
    let (router, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({"router": view::view(&router)})))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let full = store::visible(tx, &ctx, &id).await?;
        expected.check(full.router.standard.revision)?;
        store::delete(tx, &ctx, &full).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
