//! Ports in the subnets of members, where the VIP has none: members are spoken to from there, as by the machines that the
//! real service plugs in.
//!
//! ```text
//!   members' subnets ─► missing or deleted by somebody: made, and written into the load balancer ─► the host
//!                    └► not needed any more: deleted, once the host has let go
//! ```

use std::collections::{BTreeMap, BTreeSet};

use base::{Ctx, Result};
use neutron::PortView;
use neutron::balancers::BalancerPort;
use neutron::plane::Wakes;
use serde_json::Value;

use crate::Octavia;
use crate::tree::{Node, Noun, PENDING_DELETE, Tree, store};

/// Of a load balancer: subnet ids to port ids.
const LEGS: &str = "_legs";

/// By subnet.
pub fn ports(root: &Node) -> BTreeMap<String, String> {
    let legs = root.fields.get(LEGS).and_then(Value::as_object);
    let pairs = legs.into_iter().flatten();
    pairs.filter_map(|(subnet, port)| Some((subnet.clone(), port.as_str()?.to_owned()))).collect()
}

/// Subnets that members are said to be in. Those that the VIP is in are among them.
fn subnets(tree: &Tree) -> BTreeSet<&str> {
    let stays = |node: &&Node| node.provisioning != PENDING_DELETE;
    let pool_stays = |member: &&Node| tree.get(Noun::Pool, &member.parent_id).is_some_and(|p| stays(&p));
    tree.of(Noun::Member)
        .filter(stays)
        .filter(pool_stays)
        .map(|member| member.text("subnet_id"))
        .filter(|id| !id.is_empty())
        .collect()
}

impl Octavia {
    /// Makes the legs that are missing. True: some were, and the load balancer is to be looked at again.
    pub(super) async fn plug(&self, tree: &Tree, root: &Node, vip: &PortView) -> Result<bool> {
        let known = ports(root);
        let mut wanted = Vec::new();
        for id in subnets(tree) {
            let is_there = match known.get(id) {
                _ if vip.fixed_ips.iter().any(|ip| ip.subnet_id == id) => true,
                Some(port) => self.neutron.port_for_metadata(port).await?.is_some(),
                None => false,
            };
            if !is_there {
                wanted.push(id);
            }
        }
        if wanted.is_empty() {
            return Ok(false);
        }
        let ctx = Ctx::internal("load-balancer");
        let missing = self.known_subnets(&ctx, &wanted).await?;
        if missing.is_empty() {
            return Ok(false);
        }
        let made: Result<Wakes> = db::write!(self.db, |tx| {
            let Some(mut root) = store::find(tx, Noun::LoadBalancer, &root.id).await? else {
                return Ok(Wakes::default());
            };
            let (mut legs, mut wakes) = (ports(&root), Wakes::default());
            for (subnet, network) in &missing {
                let port = BalancerPort {
                    balancer_id: &root.id,
                    project_id: &root.project_id,
                    network_id: network,
                    addresses: &[(subnet.clone(), None)],
                    qos_policy_id: "",
                    is_leg: true,
                };
                let (view, more) = self.neutron.create_balancer_port(tx, &ctx, &port).await?;
                legs.insert(subnet.clone(), view.id);
                wakes.extend(more);
            }
            write(&mut root, &legs);
            store::set_fields(tx, &root).await?;
            Ok(wakes)
        });
        self.neutron.wake_for(&made?);
        // Their networks are to be applied first.
        self.real().remove(&root.id);
        Ok(true)
    }

    /// Subnets with their networks. Members in one that is gone are reached by routes, or not at all.
    async fn known_subnets(&self, ctx: &Ctx, ids: &[&str]) -> Result<Vec<(String, String)>> {
        let conn = &mut *self.db.read().await?;
        let mut all = Vec::new();
        for id in ids {
            match self.neutron.subnet_in(conn, ctx, id).await {
                Ok(subnet) => all.push((subnet.id, subnet.network_id)),
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    /// The ports of the legs that members need.
    pub(super) async fn legs(&self, tree: &Tree, root: &Node) -> Result<Vec<PortView>> {
        let needed = subnets(tree);
        let mut all = Vec::new();
        for (subnet, port) in ports(root) {
            if needed.contains(subnet.as_str()) {
                all.extend(self.neutron.port_for_metadata(&port).await?);
            }
        }
        Ok(all)
    }

    /// Deletes the legs that no member needs any more, once the host has let go of them.
    pub(super) async fn unplug(&self, tree: &Tree, root: &Node) -> Result<()> {
        let needed = subnets(tree);
        if ports(root).keys().all(|subnet| needed.contains(subnet.as_str())) {
            return Ok(());
        }
        let ctx = Ctx::internal("load-balancer");
        let gone: Result<Wakes> = db::write!(self.db, |tx| {
            let Some(mut root) = store::find(tx, Noun::LoadBalancer, &root.id).await? else {
                return Ok(Wakes::default());
            };
            let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) =
                ports(&root).into_iter().partition(|(subnet, _)| needed.contains(subnet.as_str()));
            let mut wakes = Wakes::default();
            for port in go.values() {
                wakes.extend(self.neutron.release_vip(tx, &ctx, &root.id, port, true).await?);
            }
            write(&mut root, &stay);
            store::set_fields(tx, &root).await?;
            Ok(wakes)
        });
        self.neutron.wake_for(&gone?);
        Ok(())
    }
}

fn write(root: &mut Node, legs: &BTreeMap<String, String>) {
    root.set(LEGS, serde_json::json!(legs));
}

/// All networks that the host must know before the load balancer.
pub fn networks(vip: &PortView, legs: &[PortView]) -> Vec<String> {
    let mut all: Vec<String> = legs.iter().chain([vip]).map(|port| port.network_id.clone()).collect();
    all.sort();
    all.dedup();
    all
}
