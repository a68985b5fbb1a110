//! What every change of a node has in common: the lock, who else is pending, the quota.

use base::{Ctx, Result};
use db::Tx;

use super::{ACTIVE, Node, Noun, PENDING_DELETE, PENDING_UPDATE, Tree, store};
use crate::{fault, quotas};

/// A tree that the caller may change, and which of its nodes this is about.
pub struct Target {
    pub tree: Tree,
    pub node: Node,
}

/// The node with its whole tree; 404 for what the caller may not see.
pub async fn target(tx: &mut Tx, ctx: &Ctx, noun: Noun, id: &str) -> Result<Target> {
    let node = store::owned(tx, ctx, noun, id).await?;
    let tree = store::tree(tx, &node.balancer_id).await?;
    Ok(Target { tree, node })
}

/// 409 unless the load balancer may change now; then it and all who are busy with this change are pending.
pub async fn begin(tx: &mut Tx, tree: &Tree, noun: Noun, id: &str, parent_id: &str) -> Result<()> {
    if let Some(parent) = tree.nodes.iter().find(|node| node.id == parent_id)
        && matches!(parent.noun, Noun::Pool | Noun::L7Policy)
        && parent.provisioning != ACTIVE
    {
        return Err(fault::immutable(if parent.noun == Noun::Pool { "Pool" } else { "L7Policy" }, parent_id));
    }
    let balancer = tree.root().map_or("", |root| root.id.as_str());
    if !store::lock(tx, balancer, &[ACTIVE], PENDING_UPDATE).await? {
        return Err(fault::immutable("Load Balancer", balancer));
    }
    // What the host has refused stays so until somebody changes that itself.
    let is_well = |id: &String| tree.nodes.iter().any(|node| node.id == *id && node.provisioning == ACTIVE);
    let busy: Vec<String> = tree.affected(noun, id, parent_id).into_iter().filter(is_well).collect();
    store::set_provisioning(tx, &busy, PENDING_UPDATE).await
}

/// A new node under a parent of a tree that was taken by [`begin`].
pub async fn create(tx: &mut Tx, ctx: &Ctx, node: &Node) -> Result<()> {
    quotas::store::check(tx, &node.project_id, node.noun, 1).await?;
    store::insert(tx, ctx, node).await
}

/// The node with new fields.
pub async fn update(tx: &mut Tx, ctx: &Ctx, target: &Target, mut node: Node) -> Result<()> {
    begin(tx, &target.tree, node.noun, &node.id, &node.parent_id).await?;
    node.remember(&target.node);
    node.provisioning = PENDING_UPDATE.into();
    store::update(tx, ctx, &node).await
}

/// It goes when the host is done with it, and what hangs on it goes too.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, target: &Target) -> Result<()> {
    let Target { tree, node } = target;
    begin(tx, tree, node.noun, &node.id, &node.parent_id).await?;
    store::set_provisioning(tx, &tree.whole(&node.id), PENDING_DELETE).await?;
    store::event(tx, ctx, node, node.noun.delete_event()).await
}
