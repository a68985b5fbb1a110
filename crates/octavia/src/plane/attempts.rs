//! What the host is asked for when it refuses a tree: less of it, so that one node cannot keep the others from being served.

use std::collections::BTreeSet;

use crate::tree::{ACTIVE, ERROR, Node, Noun, PENDING_CREATE, PENDING_DELETE, Tree};

/// A tree as it is tried.
#[derive(Debug)]
pub struct Attempt {
    pub tree: Tree,
    /// Nodes that are not there as they are: as they were last served, or not at all.
    pub without: BTreeSet<String>,
}

impl Attempt {
    fn of(tree: &Tree, without: BTreeSet<String>) -> Attempt {
        Attempt { tree: tree.without(&without), without }
    }
}

fn is_pending(node: &Node) -> bool {
    !matches!(node.provisioning.as_str(), ACTIVE | ERROR)
}

/// Whether anything is to come of an activation besides a look.
pub fn any_pending(tree: &Tree) -> bool {
    tree.nodes.iter().any(is_pending) || tree.root().is_some_and(|root| root.provisioning == ERROR)
}

/// Nodes besides the load balancer that the host has refused.
pub fn refused(tree: &Tree) -> BTreeSet<String> {
    let children = tree.nodes.iter().filter(|node| node.noun != Noun::LoadBalancer);
    children.filter(|node| node.provisioning == ERROR).map(|node| node.id.clone()).collect()
}

/// What the pending change is about: the others are pending because they lead to it.
fn changed(tree: &Tree) -> BTreeSet<String> {
    let pending = || tree.nodes.iter().filter(|node| node.noun != Noun::LoadBalancer && is_pending(node));
    let busy: BTreeSet<String> =
        pending().flat_map(|node| tree.affected(node.noun, &node.id, &node.parent_id)).collect();
    pending()
        .filter(|node| node.provisioning != PENDING_DELETE && !busy.contains(&node.id))
        .map(|node| node.id.clone())
        .collect()
}

/// All of it first; then without what the host had refused before; then without the pending change as well. A load
/// balancer that never was there is all or nothing.
pub fn of(tree: &Tree) -> Vec<Attempt> {
    let refused = refused(tree);
    let mut all: Vec<BTreeSet<String>> = vec![BTreeSet::new()];
    if was_there(tree) {
        all.extend([refused.clone(), &refused | &changed(tree)]);
        all.dedup();
    }
    all.into_iter().map(|without| Attempt::of(tree, without)).collect()
}

/// What is served between changes.
pub fn served(tree: &Tree) -> Attempt {
    Attempt::of(tree, refused(tree))
}

/// Who is to blame when nothing could be had of the host.
pub fn blamed(tree: &Tree) -> BTreeSet<String> {
    match was_there(tree) {
        true => &refused(tree) | &changed(tree),
        false => tree.nodes.iter().map(|node| node.id.clone()).collect(),
    }
}

fn was_there(tree: &Tree) -> bool {
    let Some(root) = tree.root() else { return false };
    // Nothing of one that never was there is ACTIVE.
    root.was_made()
        || !matches!(root.provisioning.as_str(), PENDING_CREATE | ERROR)
        || tree.nodes.iter().any(|node| node.provisioning == ACTIVE)
}
