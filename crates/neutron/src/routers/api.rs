use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{FullRouter, Router, SPEC, actions, gateway, routes as extra, store, view};
use crate::Neutron;
use crate::ipam::Route;
use crate::networks::rules::{limited_to, zones};
use crate::plane::Wakes;
use crate::request::{Input, Listing, only_fields};
use crate::rows::Bind;
use crate::standard::Standard;

const GET: Policy = Policy::new("get_router", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_router", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_router", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_router", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    actions::routes(
        routes
            .get("/v2.0/routers", &GET, list)
            .post("/v2.0/routers", &CREATE, create)
            .get("/v2.0/routers/{id}", &GET, show)
            .put("/v2.0/routers/{id}", &UPDATE, update)
            .delete("/v2.0/routers/{id}", &DELETE, delete),
    )
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    if let Some(project) = limited_to(&ctx) {
        listing.conditions.and("project_id = ?", [Bind::Text(project)]);
    }
    let mut conn = app.db.read().await?;
    let routers: Vec<Router> = std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    let routers = store::full(&mut conn, routers).await?;
    drop(conn);
    let views = routers.iter().map(view::view).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let router = store::visible(&mut conn, &ctx, &id).await?;
    Ok(web::json(200, &json!({"router": only_fields(&params, view::view(&router))})))
}

fn new_router(ctx: &Ctx, input: &Input) -> Result<Router> {
    Ok(Router {
        standard: Standard::of(&input.owner(ctx)?, input),
        admin_state_up: input.flag("admin_state_up").unwrap_or(true),
        status: "DOWN".into(),
        enable_snat: true,
        routes: Vec::new(),
        availability_zone_hints: zones(input)?,
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
    let made: Result<(Vec<Map<String, Value>>, Wakes)> = db::write!(app.db, |tx| {
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
    let (mut views, wakes) = made?;
    app.wake(&wakes);
    Ok(if bulk {
        web::json(201, &json!({"routers": views}))
    } else {
        web::json(201, &json!({"router": views.pop()}))
    })
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
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

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let full = store::visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &full).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
