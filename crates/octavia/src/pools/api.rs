use std::sync::Arc;

use base::{Ctx, Error, Result};
use db::Tx;
use serde_json::Value;
use web::{Caller, Json, Path, Routes, State};

use super::{ATTRS, rules};
use crate::certificates::judge::{self, Verdict};
use crate::request::{Fields, Look, created, member, refuse, require, updated};
use crate::tree::change::{self, target};
use crate::tree::pages::Changed;
use crate::tree::{ACTIVE, Node, Noun, PENDING_UPDATE, handlers, pages, store};
use crate::{Octavia, fault, health_monitors, listeners, members, policy, providers};

const NOUN: Noun = Noun::Pool;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    const P: &policy::Set = &policy::POOL;
    routes
        .get("/v2/lbaas/pools", &P.list, handlers::list(NOUN))
        .post("/v2/lbaas/pools", &P.create, create)
        .get("/v2/lbaas/pools/{id}", &P.show, handlers::show(NOUN))
        .put("/v2/lbaas/pools/{id}", &P.update, update)
        .delete("/v2/lbaas/pools/{id}", &P.delete, handlers::delete(NOUN))
}

async fn create(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let given = created(ATTRS, member(&body, NOUN.member())?)?;
    refuse(&given, &["healthmonitor", "members"])?;
    let protocol = require(&given, "protocol")?;
    require(&given, "lb_algorithm")?;
    let (noun, parent) = match (given.text("loadbalancer_id"), given.text("listener_id")) {
        ("", "") => {
            let words = "Must provide at least one of: loadbalancer_id, listener_id";
            return Err(fault::invalid(words).into());
        }
        ("", listener) => (Noun::Listener, listener),
        (balancer, _) => (Noun::LoadBalancer, balancer),
    };
    let certificates = judge::pool(&app, &ctx, None, &given).await?;
    let made: Result<Changed> = db::write!(app.db, |tx| {
        let mut fields = given.clone();
        rules::fill_tls(&mut fields);
        for name in ["loadbalancer_id", "listener_id"] {
            fields.remove(name);
        }
        let tree = target(tx, &ctx, noun, parent).await?.tree;
        let root = tree.root().ok_or_else(|| fault::not_found(noun.title(), parent))?;
        let listener = match given.text("listener_id") {
            "" => None,
            id => Some(tree.find(Noun::Listener, id)?),
        };
        if let Some(listener) = listener {
            listeners::rules::check_has_children(listener.text("protocol"))?;
            listeners::rules::check_protocols(listener.text("protocol"), protocol)?;
        }
        rules::create(protocol, &given, &certificates)?;
        providers::of(root)?.check_pool(protocol, &given)?;
        if listener.is_some_and(|listener| !listener.pool_id.is_empty()) {
            return Err(Error::conflict("This listener already has a default pool"));
        }
        let node = Node::new(NOUN, &root.project_id, &root.id, &root.id, fields);
        change::begin(tx, &tree, NOUN, &node.id, &root.id).await?;
        change::create(tx, &ctx, &node).await?;
        if let Some(listener) = listener {
            let mut listener = listener.clone();
            listener.pool_id.clone_from(&node.id);
            if listener.provisioning == ACTIVE {
                listener.provisioning = PENDING_UPDATE.into();
            }
            store::update(tx, &ctx, &listener).await?;
        }
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
    if given.get("lb_algorithm").is_some_and(Value::is_null) {
        return Err(fault::invalid_option("None", "lb_algorithm").into());
    }
    let before = store::visible(&mut *app.db.read().await?, &ctx, NOUN, &id).await?;
    let certificates = judge::pool(&app, &ctx, Some(&before.fields), &given).await?;
    let done: Result<Changed> = db::write!(app.db, |tx| {
        let mut given = given.clone();
        let target = target(tx, &ctx, NOUN, &id).await?;
        let mut node = target.node.clone();
        // A type that is not said stays.
        let kind = node.fields.get("session_persistence").and_then(|p| p.get("type")).cloned();
        if let (Some(Value::Object(persistence)), Some(kind)) = (given.get_mut("session_persistence"), kind)
            && !persistence.is_set("type")
        {
            persistence.insert("type".into(), kind);
        }
        rules::update(&node.fields, &given, &certificates)?;
        if let Some(root) = target.tree.root() {
            providers::of(root)?.check_pool(node.text("protocol"), &given)?;
        }
        node.fields.extend(given);
        rules::fill_tls(&mut node.fields);
        change::update(tx, &ctx, &target, node.clone()).await?;
        pages::fresh(tx, &node).await
    });
    Ok(pages::done(&app, 200, &done?))
}

/// With its members and its monitor, of a load balancer that is created whole. Answers its id.
pub async fn create_whole(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    root: &Node,
    given: &Fields,
) -> Result<String> {
    let mut fields = given.clone();
    for name in ["listener_id", "loadbalancer_id", "healthmonitor", "members"] {
        fields.remove(name);
    }
    let protocol = given.text("protocol");
    for attribute in ["protocol", "lb_algorithm"] {
        if !given.is_set(attribute) {
            return Err(fault::invalid(format!(
                "Pool definition for '{}' missing required attribute: {attribute}",
                given.text("name")
            )));
        }
    }
    // The certificates of the whole were judged before it was begun.
    rules::create(protocol, given, &Verdict::default())?;
    rules::fill_tls(&mut fields);
    providers::of(root)?.check_pool(protocol, given)?;
    let node = Node::new(NOUN, &root.project_id, &root.id, &root.id, fields);
    change::create(tx, ctx, &node).await?;
    let monitor = given.get("healthmonitor").and_then(Value::as_object);
    if let Some(monitor) = monitor {
        let fields = health_monitors::rules::create(&node, providers::of(root)?, monitor)?;
        let monitor = Node::new(Noun::HealthMonitor, &root.project_id, &root.id, &node.id, fields);
        change::create(tx, ctx, &monitor).await?;
    }
    for one in given.list("members").iter().filter_map(Value::as_object) {
        members::rules::check_address(one)?;
        let member = members::rules::new(&node, monitor.is_some(), one.clone());
        members::api::check_subnet(app, tx, ctx, &member.fields).await?;
        change::create(tx, ctx, &member).await?;
    }
    Ok(node.id)
}
