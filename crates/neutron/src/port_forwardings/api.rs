use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{PortForwarding, SPEC, rules, store};
use crate::plane::Wakes;
use crate::request::{Listing, View, created, only_fields};
use crate::{Neutron, floating_ips};

const GET: Policy = Policy::new("get_floatingip_port_forwarding", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_floatingip_port_forwarding", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_floatingip_port_forwarding", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_floatingip_port_forwarding", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/floatingips/{ip}/port_forwardings", &GET, list)
        .post("/v2.0/floatingips/{ip}/port_forwardings", &CREATE, create)
        .get("/v2.0/floatingips/{ip}/port_forwardings/{id}", &GET, show)
        .put("/v2.0/floatingips/{ip}/port_forwardings/{id}", &UPDATE, update)
        .delete("/v2.0/floatingips/{ip}/port_forwardings/{id}", &DELETE, delete)
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Path(ip): Path<String>,
    params: Params,
) -> web::Result {
    let listing = Listing::read(&SPEC, &params)?;
    let mut conn = app.db.read().await?;
    floating_ips::store::visible(&mut conn, &ctx, &ip).await?;
    let mut conditions = listing.conditions.clone();
    conditions.and("floating_ip_id = ?", [ip.into()]);
    let found: Vec<PortForwarding> = conditions.rows(&mut conn, SPEC.table).await?;
    drop(conn);
    let views = found.iter().map(PortForwarding::view).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path((ip, id)): Path<(String, String)>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let ip = floating_ips::store::visible(&mut conn, &ctx, &ip).await?;
    let found = store::find(&mut conn, &ip, &id).await?;
    Ok(web::json(200, &json!({"port_forwarding": only_fields(&params, found.view())})))
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(ip): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let (mut views, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            // Read again for each: the first one gives it its router.
            let ip = floating_ips::store::visible(tx, &ctx, &ip).await?;
            let new = rules::create(&ctx, &ip, input)?;
            wakes.extend(store::create(tx, &ctx, &ip, &new).await?);
            views.push(new.view());
        }
        Ok((views, wakes))
    });
    let (views, wakes) = made?;
    app.wake_and_wait(&wakes).await;
    Ok(created(&SPEC, bulk, views))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path((ip, id)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(PortForwarding, Wakes)> = db::write!(app.db, |tx| {
        let ip = floating_ips::store::visible(tx, &ctx, &ip).await?;
        let mut forwarding = store::find(tx, &ip, &id).await?;
        let seen = forwarding.revision;
        rules::apply(&mut forwarding, &input)?;
        let wakes = store::update(tx, &ctx, &ip, &forwarding, seen).await?;
        Ok((forwarding, wakes))
    });
    let (forwarding, wakes) = updated?;
    app.wake_and_wait(&wakes).await;
    Ok(web::json(200, &json!({"port_forwarding": forwarding.view()})))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path((ip, id)): Path<(String, String)>,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let ip = floating_ips::store::visible(tx, &ctx, &ip).await?;
        let forwarding = store::find(tx, &ip, &id).await?;
        store::delete(tx, &ctx, &ip, &forwarding).await
    });
    app.wake_and_wait(&deleted?).await;
    Ok(web::no_content(204))
}
