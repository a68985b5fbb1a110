use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{FloatingIp, SPEC, store};
use crate::Neutron;
use crate::plane::Wakes;
use crate::request::{Expected, Resource as _, View, created, list, show};
use crate::rows;

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
    let made: Result<(Vec<FloatingIp>, Wakes)> = db::write!(app.db, |tx| {
        let (mut ips, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let (ip, more) = store::create(tx, &ctx, input).await?;
            ips.push(ip);
            wakes.extend(more);
        }
        Ok((ips, wakes))
    });
    let (ips, wakes) = made?;
    let views = in_force(&app, &ctx, ips, &wakes).await?;
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
    let updated: Result<(FloatingIp, Wakes)> = db::write!(app.db, |tx| {
        let ip = store::visible(tx, &ctx, &id).await?;
        expected.check(ip.standard.revision)?;
        store::update(tx, &ctx, ip, &input).await
    });
    let (ip, wakes) = updated?;
    let view = in_force(&app, &ctx, vec![ip], &wakes).await?.pop();
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
    app.wake_and_wait(&deleted?).await;
    Ok(web::no_content(204))
}

/// The answer to a change, when its routers have followed.
async fn in_force(app: &Neutron, ctx: &Ctx, ips: Vec<FloatingIp>, wakes: &Wakes) -> Result<Vec<View>> {
    app.wake_and_wait(wakes).await;
    let mut conn = app.db.read().await?;
    let mut now = Vec::with_capacity(ips.len());
    for ip in ips {
        // Somebody may have deleted it meanwhile: then the answer is what was made.
        now.push(rows::find(&mut conn, SPEC.table, &ip.standard.id).await?.unwrap_or(ip));
    }
    FloatingIp::views(app, &mut conn, ctx, now).await
}
