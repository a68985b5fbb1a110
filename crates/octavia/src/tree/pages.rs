//! The requests that every noun has alike: list, show, delete.

use std::sync::Arc;

use base::{Ctx, Result};
use serde_json::{Map, Value, json};
use web::{Answers, Params, Response};

use super::store::{self, twigs};
use super::view::{Around, Index};
use super::{Node, Noun, Tree, change, view};
use crate::request::listing::{self, Item};
use crate::{Octavia, fault, policy};

/// What a filter may ask for besides what is shown.
fn item(node: &Node, around: &impl Around) -> Item {
    let hidden = vec![
        ("loadbalancer_id", node.balancer_id.clone().into()),
        ("load_balancer_id", node.balancer_id.clone().into()),
        ("pool_id", node.parent_id.clone().into()),
    ];
    Item { view: view::one(node, around), hidden }
}

/// Names that the noun's views have and filters know.
fn names(noun: Noun) -> Vec<&'static str> {
    let mut names = vec![
        "id",
        "name",
        "description",
        "project_id",
        "tenant_id",
        "provisioning_status",
        "operating_status",
        "created_at",
        "updated_at",
        "admin_state_up",
        "tags",
    ];
    names.extend(crate::attributes(noun).iter().map(|attr| attr.name));
    names.extend(match noun {
        Noun::LoadBalancer => &["listeners", "pools"][..],
        Noun::Listener => {
            &["loadbalancer_id", "load_balancer_id", "loadbalancers", "l7policies", "default_pool_id"]
        }
        Noun::Pool => &[
            "loadbalancer_id",
            "load_balancer_id",
            "healthmonitor_id",
            "listeners",
            "members",
            "loadbalancers",
        ],
        Noun::HealthMonitor => &["pool_id", "pools"],
        Noun::L7Policy => &["listener_id", "redirect_pool_id", "rules"],
        Noun::Member | Noun::L7Rule => &["pool_id"],
    });
    names
}

/// Whose nodes a list shows: those of the asked project, of all for who sees them, else of one's own.
fn scope<'a>(ctx: &'a Ctx, params: &'a Params) -> Result<Option<&'a str>> {
    let asked = params.get("project_id").or_else(|| params.get("tenant_id"));
    match (policy::sees_all(ctx), asked) {
        (true, asked) => Ok(asked),
        (false, None) => Ok(Some(ctx.project().map(|p| p.id.as_str()).ok_or_else(fault::policy)?)),
        (false, Some(asked)) if policy::is_own(ctx, asked) => Ok(Some(asked)),
        (false, Some(_)) => Err(fault::policy()),
    }
}

/// `parent`: of one pool or policy only.
pub async fn list(
    app: &Arc<Octavia>,
    ctx: &Ctx,
    noun: Noun,
    parent: Option<(Noun, &str)>,
    params: &Params,
    origin: &str,
) -> web::Result {
    // Octavia's own roles are not in the key.
    let sees = if policy::sees_all(ctx) { "all" } else { "own" };
    let key = format!("{} {sees}", Answers::<db::Reads>::key(ctx, origin, params));
    if let Some(known) = app.answers.get(&key, db::Reads::hold) {
        return Ok(web::raw_json(200, known));
    }
    let mut conn = app.db.read_recorded().await?;
    let nodes = match parent {
        Some((noun_of, id)) => {
            store::visible(&mut conn, ctx, noun_of, id).await?;
            store::of_kind(&mut conn, noun, None, Some(id)).await?
        }
        None => store::of_kind(&mut conn, noun, scope(ctx, params)?, None).await?,
    };
    let around = match noun {
        // Nothing hangs on them.
        Noun::Member | Noun::L7Rule | Noun::HealthMonitor => Vec::new(),
        _ => twigs(&mut conn, scope(ctx, params)?).await?,
    };
    let index = Index::new(&around);
    let items = nodes.iter().map(|node| item(node, &index)).collect();
    let body = listing::page(noun.collection(), &names(noun), items, params, origin)?;
    let bytes = serde_json::to_vec(&body).map_err(base::Error::internal)?;
    Ok(web::raw_json(200, app.answers.put(key, conn.reads(), bytes)))
}

pub async fn show(
    app: &Arc<Octavia>,
    ctx: &Ctx,
    noun: Noun,
    id: &str,
    parent_id: Option<&str>,
    params: &Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let node = store::visible(&mut conn, ctx, noun, id).await?;
    if parent_id.is_some_and(|parent| parent != node.parent_id) {
        return Err(fault::not_found(noun.title(), id).into());
    }
    let tree = store::tree(&mut conn, &node.balancer_id).await?;
    let fields: Vec<&str> = params.all("fields").flat_map(|one| one.split(',')).collect();
    let view = listing::only(view::one(&node, &tree), &fields);
    Ok(web::json(200, &json!({ noun.member(): view })))
}

/// What a change made of a node.
#[derive(Debug)]
pub struct Changed {
    noun: Noun,
    balancer_id: String,
    view: Map<String, Value>,
}

/// The node as it is now in this transaction.
pub async fn fresh(tx: &mut db::Tx, node: &Node) -> Result<Changed> {
    let Node { noun, id, balancer_id, .. } = node;
    let tree: Tree = store::tree(tx, balancer_id).await?;
    let view = view::one(tree.find(*noun, id)?, &tree);
    Ok(Changed { noun: *noun, balancer_id: balancer_id.clone(), view })
}

/// Answers a change that is committed, and has the host follow it.
pub fn done(app: &Octavia, status: u16, changed: &Changed) -> Response {
    app.balancers.wake(&changed.balancer_id);
    web::json(status, &json!({ changed.noun.member(): changed.view }))
}

pub async fn delete(
    app: &Arc<Octavia>,
    ctx: &Ctx,
    noun: Noun,
    id: &str,
    parent_id: Option<&str>,
) -> web::Result {
    let done: Result<String> = db::write!(app.db, |tx| {
        let target = change::target(tx, ctx, noun, id).await?;
        if parent_id.is_some_and(|parent| parent != target.node.parent_id) {
            return Err(fault::not_found(noun.title(), id));
        }
        if noun == Noun::Pool
            && let Some(policy) = target.tree.of(Noun::L7Policy).find(|policy| policy.pool_id == id)
        {
            let words = format!("Pool {id} is in use by L7 policy {}", policy.id);
            return Err(base::Error::conflict(words));
        }
        change::delete(tx, ctx, &target).await?;
        Ok(target.node.balancer_id)
    });
    app.balancers.wake(&done?);
    Ok(web::no_content(204))
}
