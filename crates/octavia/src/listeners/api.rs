use std::sync::Arc;

use base::Result;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{ATTRS, rules};
use crate::certificates::judge::{self, Verdict};
use crate::request::{Fields, Look, created, member, refuse, require, updated};
use crate::tree::change::{self, Target, target};
use crate::tree::pages::Changed;
use crate::tree::{Node, Noun, Tree, handlers, pages, store};
use crate::{Octavia, fault, plane, policy, providers};

const NOUN: Noun = Noun::Listener;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::LISTENER;
    routes
        .get("/v2/lbaas/listeners", &P.list, handlers::list(NOUN))
        .post("/v2/lbaas/listeners", &P.create, create)
        .get("/v2/lbaas/listeners/{id}", &P.show, handlers::show(NOUN))
        .put("/v2/lbaas/listeners/{id}", &P.update, update)
        .delete("/v2/lbaas/listeners/{id}", &P.delete, handlers::delete(NOUN))
        .get("/v2/lbaas/listeners/{id}/stats", &policy::LISTENER_STATS, stats)
}

/// The default pool, if the body names one: it is of this load balancer and fits.
fn default_pool(tree: &Tree, protocol: &str, fields: &mut Fields) -> Result<Option<String>> {
    let Some(given) = fields.remove("default_pool_id") else { return Ok(None) };
    let Some(id) = given.as_str() else { return Ok(Some(String::new())) };
    rules::check_has_children(protocol)?;
    let pool = tree.find(Noun::Pool, id)?;
    rules::check_protocols(protocol, pool.text("protocol"))?;
    Ok(Some(id.to_owned()))
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    refuse(&given, &["default_pool", "l7policies"])?;
    let balancer = require(&given, "loadbalancer_id")?.to_owned();
    let certificates = judge::listener(&app, &ctx, None, &given).await?;
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let mut fields = given.clone();
        fields.remove("loadbalancer_id");
        rules::tidy(&mut fields);
        rules::fill_tls(given.text("protocol"), &mut fields);
        let Target { tree, node: root } = target(tx, &ctx, Noun::LoadBalancer, &balancer).await?;
        let pool = default_pool(&tree, given.text("protocol"), &mut fields)?;
        rules::create(&tree, providers::of(&root)?, &given, &certificates)?;
        let mut node = Node::new(NOUN, &root.project_id, &root.id, &root.id, fields);
        node.pool_id = pool.unwrap_or_default();
        change::begin(tx, &tree, NOUN, &node.id, &root.id).await?;
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
    let before = store::visible(&mut *app.db.read().await?, &ctx, NOUN, &id).await?;
    let certificates = judge::listener(&app, &ctx, Some(&before.fields), &given).await?;
    let done: Result<Changed> = db::write!(app.db, |tx| {
        let mut fields = given.clone();
        let target = target(tx, &ctx, NOUN, &id).await?;
        let mut node = target.node.clone();
        let protocol = node.text("protocol").to_owned();
        rules::update(&target.tree, &node, &given, &certificates)?;
        if let Some(pool) = default_pool(&target.tree, &protocol, &mut fields)? {
            node.pool_id = pool;
        }
        rules::tidy(&mut fields);
        node.fields.extend(fields);
        rules::fill_tls(&protocol, &mut node.fields);
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}

async fn stats(State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let node = store::visible(&mut *app.db.read().await?, &ctx, NOUN, &id).await?;
    let counters = plane::observe::counters(&app, &node.balancer_id).await?;
    let own = counters.get(&id).copied().unwrap_or_default();
    Ok(web::json(200, &json!({"stats": plane::observe::view(own)})))
}

/// With what hangs on it, of a load balancer that is created whole. Names of pools lead to their ids.
pub async fn create_whole(
    tx: &mut db::Tx,
    ctx: &base::Ctx,
    root: &Node,
    given: &Fields,
    pools: &std::collections::HashMap<String, String>,
) -> Result<()> {
    let mut fields = given.clone();
    for name in ["default_pool", "l7policies", "loadbalancer_id", "default_pool_id"] {
        fields.remove(name);
    }
    rules::tidy(&mut fields);
    rules::fill_tls(given.text("protocol"), &mut fields);
    let tree = store::tree(tx, &root.id).await?;
    let protocol = given.text("protocol");
    let pool = match given.get("default_pool").and_then(Value::as_object) {
        Some(pool) => pools.get(pool.text("name")).cloned().unwrap_or_default(),
        None => given.text("default_pool_id").to_owned(),
    };
    if !pool.is_empty() {
        let found = tree.find(Noun::Pool, &pool).map_err(|_| fault::no_such("Pool", &pool))?;
        rules::check_has_children(protocol)?;
        rules::check_protocols(protocol, found.text("protocol"))?;
    }
    // The certificates of the whole were judged before it was begun.
    rules::create(&tree, providers::of(root)?, given, &Verdict::default())?;
    let mut node = Node::new(NOUN, &root.project_id, &root.id, &root.id, fields);
    node.pool_id = pool;
    change::create(tx, ctx, &node).await?;
    let policies = given.list("l7policies");
    if !policies.is_empty() {
        rules::check_has_children(protocol)?;
    }
    for policy in policies.iter().filter_map(Value::as_object) {
        crate::l7policies::api::create_whole(tx, ctx, &node, policy, pools).await?;
    }
    Ok(())
}
