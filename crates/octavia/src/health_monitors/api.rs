use std::sync::Arc;

use base::Result;
use serde_json::Value;
use web::{Caller, Json, Path, Routes, State};

use super::{ATTRS, rules};
use crate::providers::{self, Provider};
use crate::request::{created, member, require, updated};
use crate::tree::change::{self, Target, target};
use crate::tree::pages::Changed;
use crate::tree::{Node, Noun, handlers, pages};
use crate::{Octavia, policy};

const NOUN: Noun = Noun::HealthMonitor;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::HEALTH_MONITOR;
    routes
        .get("/v2/lbaas/healthmonitors", &P.list, handlers::list(NOUN))
        .post("/v2/lbaas/healthmonitors", &P.create, create)
        .get("/v2/lbaas/healthmonitors/{id}", &P.show, handlers::show(NOUN))
        .put("/v2/lbaas/healthmonitors/{id}", &P.update, update)
        .delete("/v2/lbaas/healthmonitors/{id}", &P.delete, handlers::delete(NOUN))
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    let pool = require(&given, "pool_id")?.to_owned();
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let Target { tree, node: pool } = target(tx, &ctx, Noun::Pool, &pool).await?;
        let provider = tree.root().map_or(Ok(Provider::Haproxy), providers::of)?;
        let fields = rules::create(&pool, provider, &given)?;
        let node = Node::new(NOUN, &pool.project_id, &pool.balancer_id, &pool.id, fields);
        change::begin(tx, &tree, NOUN, &node.id, &pool.id).await?;
        change::create(tx, &ctx, &node).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 201, &made?))
}

async fn update(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let given = updated(ATTRS, member(&body, NOUN.member())?)?;
    let done: Result<Changed> = db::write!(app.db, |tx| {
        let target = target(tx, &ctx, NOUN, &id).await?;
        let mut node = target.node.clone();
        node.fields = rules::update(&node, &given)?;
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}
