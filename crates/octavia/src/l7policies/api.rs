use std::collections::HashMap;
use std::sync::Arc;

use base::{Ctx, Result};
use db::Tx;
use serde_json::Value;
use web::{Caller, Json, Path, Routes, State};

use super::{ATTRS, LAST, rules};
use crate::request::{Fields, Look, created, member, refuse, require, updated};
use crate::tree::change::{self, Target, target};
use crate::tree::pages::Changed;
use crate::tree::{Node, Noun, Tree, handlers, pages, store};
use crate::{Octavia, fault, l7rules, listeners, policy, providers};

const NOUN: Noun = Noun::L7Policy;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::L7POLICY;
    routes
        .get("/v2/lbaas/l7policies", &P.list, handlers::list(NOUN))
        .post("/v2/lbaas/l7policies", &P.create, create)
        .get("/v2/lbaas/l7policies/{id}", &P.show, handlers::show(NOUN))
        .put("/v2/lbaas/l7policies/{id}", &P.update, update)
        .delete("/v2/lbaas/l7policies/{id}", &P.delete, delete)
}

/// The pool that the body leads to, checked.
fn pool_of<'a>(tree: &'a Tree, listener: &Node, fields: &mut Fields) -> Result<Option<&'a Node>> {
    let given = fields.remove("redirect_pool_id");
    let Some(id) = given.as_ref().and_then(Value::as_str) else { return Ok(None) };
    let pool = tree.find(Noun::Pool, id)?;
    listeners::rules::check_protocols(listener.text("protocol"), pool.text("protocol"))?;
    Ok(Some(pool))
}

/// Writes the positions of a listener's policies, but of `id`: it is written by whoever changes it. Answers its own.
async fn place(tx: &mut Tx, tree: &Tree, listener: &str, id: &str, wanted: Option<i64>) -> Result<i64> {
    let mut own = 1;
    for (other, position) in rules::positions(&tree.policies_of(listener), id, wanted) {
        if other == id {
            own = position;
        } else if let Some(node) = tree.get(NOUN, &other)
            && node.fields.number("position") != Some(position)
        {
            let mut node = node.clone();
            node.set("position", position);
            store::set_fields(tx, &node).await?;
        }
    }
    Ok(own)
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    refuse(&given, &["rules", "redirect_pool"])?;
    let listener = require(&given, "listener_id")?.to_owned();
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let mut fields = given.clone();
        fields.remove("listener_id");
        let Target { tree, node: listener } = target(tx, &ctx, Noun::Listener, &listener).await?;
        listeners::rules::check_has_children(listener.text("protocol"))?;
        tree.root().map_or(Ok(()), |root| providers::of(root)?.check_policy(listener.text("protocol")))?;
        let pool = pool_of(&tree, &listener, &mut fields)?;
        let mut has_pool = pool.is_some();
        rules::consistent(&mut fields, &mut has_pool)?;
        let mut node = Node::new(NOUN, &listener.project_id, &listener.balancer_id, &listener.id, fields);
        node.pool_id = pool.filter(|_| has_pool).map_or(String::new(), |pool| pool.id.clone());
        change::begin(tx, &tree, NOUN, &node.id, &listener.id).await?;
        let position = place(tx, &tree, &listener.id, &node.id, given.number("position")).await?;
        node.set("position", position);
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
        let mut fields = given.clone();
        let target = target(tx, &ctx, NOUN, &id).await?;
        let mut node = target.node.clone();
        let listener = target.tree.find(Noun::Listener, &node.parent_id)?;
        let pool = pool_of(&target.tree, listener, &mut fields)?;
        let mut has_pool = pool.is_some();
        rules::consistent(&mut fields, &mut has_pool)?;
        match (pool.filter(|_| has_pool), fields.get("action").and_then(Value::as_str)) {
            (Some(pool), _) => node.pool_id.clone_from(&pool.id),
            (None, Some(action)) if action != "REDIRECT_TO_POOL" => node.pool_id.clear(),
            _ => {}
        }
        if let Some(wanted) = given.number("position") {
            let position = place(tx, &target.tree, &node.parent_id, &node.id, Some(wanted)).await?;
            fields.insert("position".into(), position.into());
        }
        node.fields.extend(fields);
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}

async fn delete(State(app): State<Arc<Octavia>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let done: Result<String> = db::write!(app.db, |tx| {
        let target = target(tx, &ctx, NOUN, &id).await?;
        change::delete(tx, &ctx, &target).await?;
        place(tx, &target.tree, &target.node.parent_id, &id, None).await?;
        Ok(target.node.balancer_id)
    });
    app.balancers.wake(&done?);
    Ok(web::no_content(204))
}

/// With its rules, of a load balancer that is created whole.
pub async fn create_whole(
    tx: &mut Tx,
    ctx: &Ctx,
    listener: &Node,
    given: &Fields,
    pools: &HashMap<String, String>,
) -> Result<()> {
    let mut fields = given.clone();
    for name in ["rules", "redirect_pool", "redirect_pool_id", "listener_id"] {
        fields.remove(name);
    }
    let named = given.get("redirect_pool").and_then(Value::as_object).map(|pool| pool.text("name"));
    let id = match named {
        Some(name) => pools.get(name).cloned().unwrap_or_default(),
        None => given.text("redirect_pool_id").to_owned(),
    };
    let tree = store::tree(tx, &listener.balancer_id).await?;
    tree.root().map_or(Ok(()), |root| providers::of(root)?.check_policy(listener.text("protocol")))?;
    if !id.is_empty() {
        let pool = tree.find(Noun::Pool, &id).map_err(|_| fault::no_such("Pool", &id))?;
        listeners::rules::check_protocols(listener.text("protocol"), pool.text("protocol"))?;
    }
    let mut has_pool = !id.is_empty();
    rules::consistent(&mut fields, &mut has_pool)?;
    let mut node = Node::new(NOUN, &listener.project_id, &listener.balancer_id, &listener.id, fields);
    node.pool_id = if has_pool { id } else { String::new() };
    let wanted = Some(given.number("position").unwrap_or(LAST));
    let position = place(tx, &tree, &listener.id, &node.id, wanted).await?;
    node.set("position", position);
    change::create(tx, ctx, &node).await?;
    let all = given.list("rules");
    l7rules::rules::check_count(&node.id, all.len())?;
    for rule in all.iter().filter_map(Value::as_object) {
        l7rules::rules::check(rule)?;
        let rule = Node::new(Noun::L7Rule, &node.project_id, &node.balancer_id, &node.id, rule.clone());
        change::create(tx, ctx, &rule).await?;
    }
    Ok(())
}
