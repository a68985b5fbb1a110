use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{FloatingIp, SPEC, store};
use crate::Neutron;
use crate::plane::Wakes;
use crate::request::{Expected, Resource as _, View, created, list, one_view, show};

const GET: Policy = Policy::new("get_floatingip", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_floatingip", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_floatingip", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_floatingip", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    super::pools::routes(routes)
        .get("/v2.0/floatingips", &GET, list::<FloatingIp>)
        .post("/v2.0/floatingips", &CREATE, create)
        .get("/v2.0/floatingips/{id}", &GET, show::<FloatingIp>)
        .put("/v2.0/floatingips/{id}", &UPDATE, update)
        .delete("/v2.0/floatingips/{id}", &DELETE, delete)
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let (mut ips, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let (ip, more) = store::create(tx, &ctx, input).await?;
            ips.push(ip);
            wakes.extend(more);
        }
        Ok((FloatingIp::views(&app, tx, &ctx, ips).await?, wakes))
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
    let updated: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let ip = store::visible(tx, &ctx, &id).await?;
        expected.check(ip.standard.revision)?;
        let (ip, wakes) = store::update(tx, &ctx, ip, &input).await?;
        Ok((one_view(&app, tx, &ctx, ip).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "floatingip": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let ip = store::visible(tx, &ctx, &id).await?;
        expected.check(ip.standard.revision)?;
        store::delete(tx, &ctx, &ip).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
