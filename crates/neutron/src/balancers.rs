//! The calls that Octavia makes. They work within its own transaction, so that a load balancer and the port of its VIP
//! come and go together, whatever ends the daemon in between.

use std::net::IpAddr;

use base::{Ctx, Result};
use db::{AnyConnection, Tx};
use ipnet::IpNet;

use crate::compute::PortView;
use crate::compute::load;
use crate::plane::Wakes;
use crate::ports::addresses::Wanted;
use crate::ports::{self, LOAD_BALANCER, Port};
use crate::subnets::Subnet;
use crate::{Neutron, fault, networks, qos, subnets, trunks};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetBrief {
    pub id: String,
    pub network_id: String,
    pub cidr: IpNet,
}

impl From<Subnet> for SubnetBrief {
    fn from(subnet: Subnet) -> Self {
        SubnetBrief { id: subnet.standard.id, network_id: subnet.network_id, cidr: subnet.cidr }
    }
}

/// A load balancer's port that is to be made: of its VIP, or a leg in a network of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerPort<'a> {
    pub balancer_id: &'a str,
    pub project_id: &'a str,
    pub network_id: &'a str,
    /// Subnets with the address that it is to have there; None: any free one.
    pub addresses: &'a [(String, Option<IpAddr>)],
    /// '' for none.
    pub qos_policy_id: &'a str,
    pub is_leg: bool,
}

impl Neutron {
    /// 404 for one that the caller may not see.
    pub async fn subnet_in(&self, conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<SubnetBrief> {
        Ok(subnets::store::visible(conn, ctx, id).await?.0.into())
    }

    /// In the order in which they were made. 404 for a network that the caller may not see.
    pub async fn subnets_in(
        &self,
        conn: &mut AnyConnection,
        ctx: &Ctx,
        network_id: &str,
    ) -> Result<Vec<SubnetBrief>> {
        networks::store::visible(conn, ctx, network_id).await?;
        let mut all = subnets::store::of_network(conn, network_id).await?;
        all.sort_by(|a, b| {
            (a.standard.created_at, &a.standard.id).cmp(&(b.standard.created_at, &b.standard.id))
        });
        Ok(all.into_iter().map(Into::into).collect())
    }

    /// 404 for one that the caller may not see.
    pub async fn port_in(&self, conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<PortView> {
        let (full, _) = ports::store::visible(conn, ctx, id).await?;
        load::one(conn, full).await
    }

    /// 404 for one that the caller may not use; '' is none.
    pub async fn qos_in(&self, conn: &mut AnyConnection, ctx: &Ctx, policy_id: &str) -> Result<()> {
        qos::store::usable(conn, ctx, policy_id).await
    }

    /// On any network that the caller may see, as the real service makes it with rights of its own; it counts among the
    /// ports of the load balancer's project. Its place is this host. Its link is Octavia's own, so neither security groups
    /// nor anti-spoofing judge it.
    pub async fn create_balancer_port(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        vip: &BalancerPort<'_>,
    ) -> Result<(PortView, Wakes)> {
        let network = networks::store::visible(tx, ctx, vip.network_id).await?;
        if !ctx.owns(&network.standard.project_id) {
            check_gateways(tx, vip).await?;
        }
        let mac = ports::macs::free(tx, vip.network_id).await?;
        let device = device_of(vip.balancer_id);
        let mut port = Port::internal(vip.project_id, vip.network_id, LOAD_BALANCER, &device, mac);
        port.balancer_id = vip.balancer_id.into();
        port.standard.name =
            if vip.is_leg { format!("octavia-{device}-members") } else { format!("octavia-{device}") };
        port.qos_policy_id = vip.qos_policy_id.into();
        port.port_security = network.port_security;
        port.binding_host.clone_from(&self.config.host);
        let wanted: Vec<Wanted> = vip
            .addresses
            .iter()
            .map(|(subnet, address)| Wanted { subnet_id: Some(subnet.clone()), ip_address: *address })
            .collect();
        let (full, wakes) = ports::store::create(tx, ctx, port, Some(&wanted), Vec::new()).await?;
        Ok((load::one(tx, full).await?, wakes))
    }

    /// Limits what goes through a load balancer's port; '' is no limit.
    pub async fn set_balancer_qos(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        port_id: &str,
        policy_id: &str,
    ) -> Result<Wakes> {
        let (before, _) = ports::store::visible(tx, ctx, port_id).await?;
        let mut after = before.clone();
        after.port.qos_policy_id = policy_id.into();
        after.port.standard.touch();
        ports::store::update(tx, ctx, &before, &after).await
    }

    /// Gives an existing port to a load balancer; 409 for one that something else has.
    pub async fn bind_vip(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        port_id: &str,
        balancer_id: &str,
        qos_policy_id: &str,
    ) -> Result<(PortView, Wakes)> {
        let (before, _) = ports::store::visible(tx, ctx, port_id).await?;
        check_free(tx, &before.port).await?;
        let mut after = before.clone();
        after.port.balancer_id = balancer_id.into();
        after.port.device_id = device_of(balancer_id);
        after.port.device_owner = LOAD_BALANCER.into();
        if !qos_policy_id.is_empty() {
            after.port.qos_policy_id = qos_policy_id.into();
        }
        after.port.binding_host.clone_from(&self.config.host);
        after.port.attached_at = base::time::now();
        after.port.standard.touch();
        let wakes = ports::store::update(tx, ctx, &before, &after).await?;
        Ok((load::one(tx, after).await?, wakes))
    }

    /// The load balancer lets go: its own port is deleted, one that was given is free again. One that is gone is fine.
    pub async fn release_vip(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        balancer_id: &str,
        port_id: &str,
        own: bool,
    ) -> Result<Wakes> {
        let before = match ports::store::visible(tx, ctx, port_id).await {
            Ok((full, _)) if full.port.balancer_id == balancer_id => full,
            Ok(_) => return Ok(Wakes::default()),
            Err(e) if e.is_not_found() => return Ok(Wakes::default()),
            Err(e) => return Err(e),
        };
        if own {
            return ports::store::delete(tx, ctx, &before).await;
        }
        let mut after = before.clone();
        after.port.balancer_id.clear();
        after.port.device_id.clear();
        after.port.device_owner.clear();
        after.port.binding_host.clear();
        after.port.status = "DOWN".into();
        after.port.standard.touch();
        ports::store::update(tx, ctx, &before, &after).await
    }

    /// After the transaction that they came of was committed.
    pub fn wake_for(&self, wakes: &Wakes) {
        self.wake(wakes);
    }
}

/// Whoever took the address of a gateway would cut off all others there; of the external network, the host itself.
async fn check_gateways(tx: &mut Tx, vip: &BalancerPort<'_>) -> Result<()> {
    let gateways: Vec<IpAddr> =
        subnets::store::of_network(tx, vip.network_id).await?.iter().filter_map(|s| s.gateway).collect();
    match vip.addresses.iter().filter_map(|(_, address)| *address).find(|one| gateways.contains(one)) {
        Some(address) => Err(fault::ip_in_use(vip.network_id, address)),
        None => Ok(()),
    }
}

/// Neither a machine nor a trunk has it, whatever its owner has written into `device_id`: the host judges nothing that
/// comes from a load balancer's port.
async fn check_free(tx: &mut Tx, port: &Port) -> Result<()> {
    if !port.binding_host.is_empty() || !port.balancer_id.is_empty() {
        return Err(fault::port_in_use(&port.standard.id, &port.network_id, &port.device_id));
    }
    trunks::store::check_unused(tx, &port.standard.id).await
}

/// What the real service writes into the port's `device_id`.
fn device_of(balancer_id: &str) -> String {
    format!("lb-{balancer_id}")
}
