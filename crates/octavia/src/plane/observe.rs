//! What the host sees, as operating statuses and counters.

use std::collections::BTreeMap;

use base::{Error, Result};
use host::balancer::{BalancerPlan, BalancerView, Counters, Health};
use serde_json::{Value, json};

use super::{attempts, plan};
use crate::Octavia;
use crate::tree::{DEGRADED, DRAINING, ERROR, NO_MONITOR, Node, Noun, OFFLINE, ONLINE, Tree, store};

/// The counters of each listener as they are now.
pub async fn counters(app: &Octavia, balancer_id: &str) -> Result<BTreeMap<String, Counters>> {
    let tree = attempts::served(&store::tree(&mut *app.db.read().await?, balancer_id).await?).tree;
    let Some(root) = tree.root() else { return Ok(BTreeMap::new()) };
    let Some(port) = app.neutron.port_for_metadata(root.text("vip_port_id")).await? else {
        return Ok(BTreeMap::new());
    };
    // What counts is what listens, by id.
    let known = app.certificates(&root.id).unwrap_or_default();
    let plan = plan::balancer(&tree, root, &port, &[], &known);
    Ok(app.host.observe(&plan).await.map_err(Error::internal)?.counters)
}

pub fn sum<'a>(all: impl Iterator<Item = &'a Counters>) -> Counters {
    all.fold(Counters::default(), |sum, one| Counters {
        bytes_in: sum.bytes_in + one.bytes_in,
        bytes_out: sum.bytes_out + one.bytes_out,
        active_connections: sum.active_connections + one.active_connections,
        total_connections: sum.total_connections + one.total_connections,
        request_errors: sum.request_errors + one.request_errors,
    })
}

pub fn view(counters: Counters) -> Value {
    json!({
        "bytes_in": counters.bytes_in,
        "bytes_out": counters.bytes_out,
        "active_connections": counters.active_connections,
        "total_connections": counters.total_connections,
        "request_errors": counters.request_errors,
    })
}

/// What each node's operating status should say.
pub fn statuses(tree: &Tree, plan: &BalancerPlan, seen: &BalancerView) -> BTreeMap<String, &'static str> {
    let mut statuses = BTreeMap::new();
    for pool in tree.of(Noun::Pool) {
        let served = plan.pools.iter().find(|one| one.id == pool.id);
        let mut members = Vec::new();
        for member in tree.under(Noun::Member, &pool.id) {
            let status = match seen.members.get(&(pool.id.clone(), member.id.clone())) {
                _ if !member.is_up() => OFFLINE,
                _ if served.is_none_or(|pool| pool.monitor.is_none()) => NO_MONITOR,
                Some(Health::Up) => ONLINE,
                Some(Health::Down) => ERROR,
                Some(Health::Draining) => DRAINING,
                Some(Health::Unknown) | None => OFFLINE,
            };
            members.push(status);
            statuses.insert(member.id.clone(), status);
        }
        statuses.insert(pool.id.clone(), if served.is_some() { of_pool(&members) } else { OFFLINE });
        if let Some(monitor) = tree.monitor_of(&pool.id) {
            statuses.insert(monitor.id.clone(), if monitor.is_up() { ONLINE } else { OFFLINE });
        }
    }
    for listener in tree.of(Noun::Listener) {
        let served = plan.listeners.iter().any(|one| one.id == listener.id);
        // Its certificate is gone.
        let lacks = !served && listener.is_up() && tree.root().is_some_and(Node::is_up);
        statuses.insert(
            listener.id.clone(),
            match served {
                true => ONLINE,
                false if lacks => ERROR,
                false => OFFLINE,
            },
        );
    }
    for node in tree.nodes.iter().filter(|n| matches!(n.noun, Noun::L7Policy | Noun::L7Rule)) {
        statuses.insert(node.id.clone(), if node.is_up() { ONLINE } else { OFFLINE });
    }
    if let Some(root) = tree.root() {
        let pools: Vec<&str> = plan.pools.iter().filter_map(|p| statuses.get(&p.id).copied()).collect();
        statuses.insert(root.id.clone(), of_balancer(root, &pools));
    }
    statuses
}

fn of_pool(members: &[&'static str]) -> &'static str {
    let (down, all) = (members.iter().filter(|m| **m == ERROR).count(), members.len());
    match down {
        0 => ONLINE,
        _ if members.iter().all(|m| matches!(*m, ERROR | OFFLINE)) && down > 0 && all > 0 => ERROR,
        _ => DEGRADED,
    }
}

fn of_balancer(root: &Node, pools: &[&str]) -> &'static str {
    match () {
        () if !root.is_up() => OFFLINE,
        () if pools.contains(&ERROR) => ERROR,
        () if pools.contains(&DEGRADED) => DEGRADED,
        () => ONLINE,
    }
}
