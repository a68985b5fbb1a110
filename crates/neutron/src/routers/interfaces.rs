//! add_router_interface and remove_router_interface.

use base::{Ctx, Result};
use db::{Event, Tx};
use serde_json::{Value, json};

use super::{FullRouter, routes, store};
use crate::fault::{self, bad, conflict};
use crate::ipam;
use crate::plane::Wakes;
use crate::ports::addresses::{self, Wanted};
use crate::ports::{self, FullPort, Port, ROUTER_INTERFACE};
use crate::rows;
use crate::subnets::{self, Subnet};

/// The body of both calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub subnet_id: Option<String>,
    pub port_id: Option<String>,
}

pub fn parse(body: &Value) -> Result<Asked> {
    let id = |key: &str| match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if crate::request::uuid_like(id) => Ok(Some(id.clone())),
        Some(other) => {
            let shown = other.as_str().map_or_else(|| other.to_string(), Into::into);
            Err(bad("router", format!("'{shown}' is not a valid UUID")))
        }
    };
    let asked = Asked { subnet_id: id("subnet_id")?, port_id: id("port_id")? };
    if asked == Asked::default() {
        return Err(bad("router", "Either subnet_id or port_id must be specified"));
    }
    Ok(asked)
}

/// The answer of both calls.
pub fn answer(full: &FullRouter, port: &FullPort, subnet_ids: &[String]) -> Value {
    let s = &full.router.standard;
    json!({
        "id": s.id,
        "tenant_id": s.project_id,
        "project_id": s.project_id,
        "port_id": port.port.standard.id,
        "network_id": port.port.network_id,
        "subnet_id": subnet_ids.first(),
        "subnet_ids": subnet_ids,
    })
}

pub async fn add(tx: &mut Tx, ctx: &Ctx, full: &FullRouter, asked: &Asked) -> Result<(Value, Wakes)> {
    let (port, subnets) = match (&asked.subnet_id, &asked.port_id) {
        (Some(_), Some(_)) => return Err(bad("router", "Cannot specify both subnet-id and port-id")),
        (Some(subnet), None) => by_subnet(tx, ctx, full, subnet).await?,
        (None, Some(port)) => by_port(tx, ctx, full, port).await?,
        (None, None) => return Err(bad("router", "Either subnet_id or port_id must be specified")),
    };
    let s = &full.router.standard;
    rows::touch(tx, super::SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "router.interface.create", &s.id, &s.project_id, ctx)).await?;
    let mut wakes = Wakes::router(&s.id);
    wakes.networks.insert(port.port.network_id.clone());
    let ids: Vec<String> = subnets.into_iter().map(|s| s.standard.id).collect();
    Ok((answer(full, &port, &ids), wakes))
}

async fn by_subnet(
    tx: &mut Tx,
    ctx: &Ctx,
    full: &FullRouter,
    subnet_id: &str,
) -> Result<(FullPort, Vec<Subnet>)> {
    let (subnet, network) = subnets::store::visible(tx, ctx, subnet_id).await?;
    let Some(gateway) = subnet.gateway else {
        return Err(bad("router", "Subnet for router interface must have a gateway IP"));
    };
    // On somebody else's shared network the gateway address is not the caller's to take.
    if !ctx.owns(&subnet.standard.project_id) && !ctx.owns(&network.standard.project_id) {
        return Err(bad(
            "router",
            format!(
                "Cannot add interface to router because subnet {subnet_id} is not owned by project making the request"
            ),
        ));
    }
    check_overlap(tx, full, std::slice::from_ref(&subnet)).await?;
    let s = &full.router.standard;
    let mac = ports::macs::free(tx, &subnet.network_id).await?;
    let mut port = Port::internal(&s.project_id, &subnet.network_id, ROUTER_INTERFACE, &s.id, mac);
    port.device_id.clone_from(&s.id);
    crate::quotas::store::check(tx, &s.project_id, "port", 1).await?;
    let wanted = Wanted { ip_address: Some(gateway), ..Wanted::on(subnet_id) };
    let fixed_ips = if subnet.cidr.contains(&gateway) {
        addresses::allocate(tx, &port, Some(&[wanted]), &[]).await?
    } else {
        return Err(bad("router", format!("Gateway {gateway} of subnet {subnet_id} is not inside of it")));
    };
    let port = FullPort { port, fixed_ips, groups: Vec::new() };
    ports::store::insert(tx, &port).await?;
    Ok((port, vec![subnet]))
}

async fn by_port(
    tx: &mut Tx,
    ctx: &Ctx,
    full: &FullRouter,
    port_id: &str,
) -> Result<(FullPort, Vec<Subnet>)> {
    let (before, _) = ports::store::visible(tx, ctx, port_id).await?;
    if !before.port.device_id.is_empty() || !before.port.balancer_id.is_empty() {
        return Err(fault::port_in_use(port_id, &before.port.network_id, &before.port.device_id));
    }
    if before.fixed_ips.is_empty() {
        return Err(bad("router", "Router port must have at least one fixed IP"));
    }
    let subnets = routes::subnets_of(tx, &[&before]).await?;
    if subnets.iter().filter(|s| s.ip_version() == 4).count() > 1 {
        return Err(bad("router", "Cannot have multiple IPv4 subnets on router port"));
    }
    check_overlap(tx, full, &subnets).await?;
    let mut after = before.clone();
    after.port.device_id = full.router.standard.id.clone();
    after.port.device_owner = ROUTER_INTERFACE.into();
    after.port.port_security = false;
    after.groups.clear();
    after.port.pairs.clear();
    after.port.attached_at = base::time::now();
    after.port.standard.touch();
    ports::store::update(tx, ctx, &before, &after).await?;
    Ok((after, subnets))
}

/// A router can't tell apart two networks with the same addresses.
pub async fn check_overlap(tx: &mut Tx, full: &FullRouter, new: &[Subnet]) -> Result<()> {
    let interfaces = store::interfaces(tx, &full.router.standard.id).await?;
    let ports: Vec<&FullPort> = interfaces.iter().chain(&full.gateway).collect();
    for old in routes::subnets_of(tx, &ports).await? {
        for subnet in new {
            if old.standard.id == subnet.standard.id {
                return Err(bad(
                    "router",
                    format!("Router already has a port on subnet {}", subnet.standard.id),
                ));
            }
            if ipam::overlap(&old.cidr, &subnet.cidr) {
                return Err(bad(
                    "router",
                    format!(
                        "Cidr {} of subnet {} overlaps with cidr {} of subnet {}",
                        subnet.cidr, subnet.standard.id, old.cidr, old.standard.id
                    ),
                ));
            }
        }
    }
    Ok(())
}

pub async fn remove(tx: &mut Tx, ctx: &Ctx, full: &FullRouter, asked: &Asked) -> Result<(Value, Wakes)> {
    let s = &full.router.standard;
    let port = interface_of(tx, full, asked).await?;
    let on: Vec<String> = port.fixed_ips.iter().map(|ip| ip.subnet_id.clone()).collect();
    for subnet in routes::subnets_of(tx, &[&port]).await? {
        let subnet_id = &subnet.standard.id;
        if crate::floating_ips::store::any_through(tx, &s.id, subnet_id).await? {
            return Err(conflict(
                "RouterInterfaceInUseByFloatingIP",
                format!(
                    "Router interface for subnet {subnet_id} on router {} cannot be deleted, as it is required by \
                     one or more floating IPs.",
                    s.id
                ),
            ));
        }
        if full.router.routes.iter().any(|r| subnet.cidr.contains(&r.nexthop)) {
            return Err(conflict(
                "RouterInterfaceInUseByRoute",
                format!(
                    "Router interface for subnet {subnet_id} on router {} cannot be deleted, as it is required by \
                     one or more routes.",
                    s.id
                ),
            ));
        }
    }
    ports::store::remove(tx, &port.port.standard.id).await?;
    rows::touch(tx, super::SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "router.interface.delete", &s.id, &s.project_id, ctx)).await?;
    let mut wakes = Wakes::router(&s.id);
    wakes.networks.insert(port.port.network_id.clone());
    Ok((answer(full, &port, &on), wakes))
}

async fn interface_of(tx: &mut Tx, full: &FullRouter, asked: &Asked) -> Result<FullPort> {
    let id = &full.router.standard.id;
    let has = |p: &FullPort, subnet: &str| p.fixed_ips.iter().any(|ip| ip.subnet_id == subnet);
    let mut interfaces = store::interfaces(tx, id).await?;
    if let Some(port_id) = &asked.port_id {
        let at = interfaces.iter().position(|p| p.port.standard.id == *port_id).ok_or_else(|| {
            base::Error::not_found(format!("Router {id} does not have an interface with id {port_id}"))
                .code("RouterInterfaceNotFound")
        })?;
        let port = interfaces.swap_remove(at);
        return match &asked.subnet_id {
            Some(subnet) if !has(&port, subnet) => Err(fault::invalid(
                "SubnetMismatchForPort",
                format!("Subnet on port {port_id} does not match the requested subnet {subnet}."),
            )),
            _ => Ok(port),
        };
    }
    let subnet = asked.subnet_id.as_deref().unwrap_or_default();
    if subnets::store::find(tx, subnet).await?.is_none() {
        return Err(fault::subnet_not_found(subnet));
    }
    interfaces.into_iter().find(|p| has(p, subnet)).ok_or_else(|| {
        base::Error::not_found(format!("Router {id} has no interface on subnet {subnet}"))
            .code("RouterInterfaceNotFoundForSubnet")
    })
}
