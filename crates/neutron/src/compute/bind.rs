//! Making, giving and taking ports.

use std::net::IpAddr;

use base::{Ctx, Result};
use db::Tx;
use ipnet::IpNet;

use super::{AllocatePort, PortView, load};
use crate::ipam::Pool;
use crate::networks::Network;
use crate::networks::rules::PHYSICAL_NETWORK;
use crate::plane::Wakes;
use crate::ports::addresses::Wanted;
use crate::ports::{self, FullPort, Port};
use crate::rows::Where;
use crate::standard::Standard;
use crate::subnet_pools::SubnetPool;
use crate::subnets::Subnet;
use crate::{Neutron, fault, networks, request, security_groups, subnets};

impl Neutron {
    /// Makes a port for a server.
    pub async fn allocate_port(&self, ctx: &Ctx, request: AllocatePort) -> Result<PortView> {
        let done: Result<(PortView, Wakes)> = db::write!(self.db, |tx| {
            let (full, wakes) = allocate(tx, ctx, &request, &self.config.host).await?;
            Ok((load::one(tx, full).await?, wakes))
        });
        self.finish(done)
    }

    /// Makes all ports of a new server or none, in the order of the requests. The host applies their networks when it
    /// is told to ([`Neutron::ensure_plugged`]), so that each network is looked at once for all of them.
    pub async fn allocate_ports(&self, ctx: &Ctx, requests: &[AllocatePort]) -> Result<Vec<PortView>> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let done: Result<(Vec<PortView>, Wakes)> = db::write!(self.db, |tx| {
            let (mut made, mut all) = (Vec::with_capacity(requests.len()), Wakes::default());
            for request in requests {
                let (full, wakes) = allocate(tx, ctx, request, &self.config.host).await?;
                made.push(full);
                all.extend(wakes);
            }
            all.networks.retain(|id| requests.iter().all(|request| request.network_id != *id));
            Ok((load::views(tx, made).await?, all))
        });
        self.finish(done)
    }

    /// Gives an existing port to a server; 409 when it belongs to another device.
    pub async fn bind_port(
        &self,
        ctx: &Ctx,
        port_id: &str,
        server_id: &str,
        hostname: &str,
        availability_zone: &str,
    ) -> Result<PortView> {
        let done: Result<(PortView, Wakes)> = db::write!(self.db, |tx| {
            let (before, _) = ports::store::visible(tx, ctx, port_id).await?;
            let port = &before.port;
            let is_anothers = !port.device_id.is_empty() && port.device_id != server_id;
            if is_anothers || !port.balancer_id.is_empty() {
                return Err(fault::port_in_use(port_id, &port.network_id, &port.device_id));
            }
            let mut after = before.clone();
            let port = &mut after.port;
            port.device_id = server_id.into();
            port.device_owner = format!("compute:{availability_zone}");
            port.binding_host.clone_from(&self.config.host);
            port.hostname = hostname.into();
            port.attached_at = base::time::now();
            port.standard.touch();
            let wakes = ports::store::update(tx, ctx, &before, &after).await?;
            Ok((load::one(tx, after).await?, wakes))
        });
        self.finish(done)
    }

    /// Takes a port from its server; a port that is gone is fine.
    pub async fn unbind_port(&self, ctx: &Ctx, port_id: &str) -> Result<()> {
        let done: Result<Wakes> = db::write!(self.db, |tx| {
            let before = match ports::store::visible(tx, ctx, port_id).await {
                Ok((full, _)) => full,
                Err(e) if e.is_not_found() => return Ok(Wakes::default()),
                Err(e) => return Err(e),
            };
            let mut after = before.clone();
            let port = &mut after.port;
            port.device_id.clear();
            port.device_owner.clear();
            port.binding_host.clear();
            port.hostname.clear();
            port.status = "DOWN".into();
            port.standard.touch();
            ports::store::update(tx, ctx, &before, &after).await
        });
        self.finish(done.map(|wakes| ((), wakes)))
    }

    /// Deletes a port; one that is gone is fine.
    pub async fn delete_port(&self, ctx: &Ctx, port_id: &str) -> Result<()> {
        let done: Result<Wakes> = db::write!(self.db, |tx| {
            match ports::store::visible(tx, ctx, port_id).await {
                Ok((full, _)) => ports::store::delete(tx, ctx, &full).await,
                Err(e) if e.is_not_found() => Ok(Wakes::default()),
                Err(e) => Err(e),
            }
        });
        self.finish(done.map(|wakes| ((), wakes)))
    }

    fn finish<T>(&self, done: Result<(T, Wakes)>) -> Result<T> {
        let (value, wakes) = done?;
        self.wake(&wakes);
        Ok(value)
    }
}

async fn allocate(tx: &mut Tx, ctx: &Ctx, request: &AllocatePort, host: &str) -> Result<(FullPort, Wakes)> {
    let project = ctx.require_project()?;
    let network = networks::store::visible(tx, ctx, &request.network_id).await?;
    let open = networks::store::is_open_to(tx, ctx, &network).await?;
    ports::rules::may_plug(open, project)?;
    if request.fixed_ip.is_some() && !ctx.owns(&network.standard.project_id) {
        return Err(fault::policy("create_port:fixed_ips:ip_address"));
    }
    let owner = format!("compute:{}", request.availability_zone);
    let mac = ports::macs::free(tx, &request.network_id).await?;
    let mut port = Port::internal(project, &request.network_id, &owner, &request.server_id, mac);
    port.port_security = network.port_security;
    port.binding_host = host.into();
    port.hostname.clone_from(&request.hostname);
    port.created_by_nova = true;
    let groups = match request.security_groups.as_slice() {
        _ if !port.port_security => Vec::new(),
        [] => vec![security_groups::store::default_group(tx, ctx, project).await?],
        given => security_groups::store::check(tx, ctx, given).await?,
    };
    let wanted = request.fixed_ip.map(|ip| [Wanted { ip_address: Some(ip), ..Wanted::default() }]);
    ports::store::create(tx, ctx, port, wanted.as_ref().map(|w| w.as_slice()), groups).await
}

pub async fn external(
    tx: &mut Tx,
    ctx: &Ctx,
    name: &str,
    mtu: u32,
    (cidr, gateway, pool): (IpNet, IpAddr, Pool),
    subnets_from: Option<IpNet>,
) -> Result<(String, Wakes)> {
    let mut conditions = Where::of("physical_network", PHYSICAL_NETWORK);
    conditions.and("network_type = 'flat'", []);
    let existing: Vec<Network> = conditions.rows(tx, networks::SPEC.table).await?;
    if let Some(network) = existing.first() {
        return Ok((network.standard.id.clone(), Wakes::default()));
    }
    let owner = ctx.project().map_or("", |p| p.id.as_str());
    let network = Network {
        standard: Standard::new(owner, name, ""),
        admin_state_up: true,
        shared: false,
        external: true,
        is_default: true,
        mtu: i64::from(mtu),
        port_security: true,
        network_type: "flat".into(),
        physical_network: PHYSICAL_NETWORK.into(),
        ..Network::default()
    };
    networks::store::create(tx, ctx, &network).await?;
    let subnet = Subnet {
        standard: Standard::new(owner, &format!("{name}-subnet"), ""),
        network_id: network.standard.id.clone(),
        cidr: cidr.trunc(),
        gateway: Some(gateway),
        enable_dhcp: false,
        pools: vec![pool],
        nameservers: Vec::new(),
        host_routes: Vec::new(),
        ra_mode: String::new(),
        address_mode: String::new(),
        ..Subnet::default()
    };
    subnets::rules::check(&subnet)?;
    let mut wakes = subnets::store::create(tx, ctx, &subnet).await?;
    wakes.networks.insert(network.standard.id.clone());
    if let Some(prefix) = subnets_from {
        request::insert(tx, ctx, &SubnetPool::default_of(owner, prefix)).await?;
    }
    Ok((network.standard.id, wakes))
}
