use std::collections::HashMap;
use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{FloatingIp, SPEC, store, view};
use crate::Neutron;
use crate::networks::rules::limited_to;
use crate::plane::Wakes;
use crate::ports::Port;
use crate::request::{Listing, only_fields};
use crate::rows::Bind;

const GET: Policy = Policy::new("get_floatingip", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_floatingip", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_floatingip", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_floatingip", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/floatingips", &GET, list)
        .post("/v2.0/floatingips", &CREATE, create)
        .get("/v2.0/floatingips/{id}", &GET, show)
        .put("/v2.0/floatingips/{id}", &UPDATE, update)
        .delete("/v2.0/floatingips/{id}", &DELETE, delete)
}

fn views(ips: &[FloatingIp], ports: &HashMap<String, Port>) -> Vec<Map<String, Value>> {
    ips.iter().map(|f| view::view(f, f.target.as_ref().and_then(|t| ports.get(&t.port_id)))).collect()
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
    let ips: Vec<FloatingIp> = std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    let ports = store::targets(&mut conn, &ips).await?;
    drop(conn);
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views(&ips, &ports))?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let ip = store::visible(&mut conn, &ctx, &id).await?;
    let ports = store::targets(&mut conn, std::slice::from_ref(&ip)).await?;
    let view = views(&[ip], &ports).pop().unwrap_or_default();
    Ok(web::json(200, &json!({"floatingip": only_fields(&params, view)})))
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<FloatingIp>, HashMap<String, Port>, Wakes)> = db::write!(app.db, |tx| {
        let (mut ips, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let (ip, more) = store::create(tx, &ctx, input).await?;
            ips.push(ip);
            wakes.extend(more);
        }
        let ports = store::targets(tx, &ips).await?;
        Ok((ips, ports, wakes))
    });
    let (ips, ports, wakes) = made?;
    app.wake(&wakes);
    let mut views = views(&ips, &ports);
    Ok(if bulk {
        web::json(201, &json!({"floatingips": views}))
    } else {
        web::json(201, &json!({"floatingip": views.pop()}))
    })
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(FloatingIp, HashMap<String, Port>, Wakes)> = db::write!(app.db, |tx| {
        let (ip, wakes) = store::update(tx, &ctx, &id, &input).await?;
        let ports = store::targets(tx, std::slice::from_ref(&ip)).await?;
        Ok((ip, ports, wakes))
    });
    let (ip, ports, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({"floatingip": views(&[ip], &ports).pop()})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let ip = store::visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &ip).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
