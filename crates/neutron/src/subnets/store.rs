use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{SPEC, Subnet, dhcp, rules};
use crate::networks::{self, Network};
use crate::plane::{self, Wakes};
use crate::ports::{self, addresses};
use crate::rows::{self, Where};
use crate::{fault, quotas, request};

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<Subnet>> {
    Ok(rows::find(conn, SPEC.table, id).await?)
}

/// A subnet that the caller may see, with its network.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<(Subnet, Network)> {
    let subnet: Subnet = request::visible(conn, ctx, id).await?;
    let network = networks::store::find(conn, &subnet.network_id).await?;
    Ok((subnet, network.ok_or_else(|| fault::subnet_not_found(id))?))
}

/// The owner of a subnet and the owner of its network may change it.
pub async fn owned(conn: &mut AnyConnection, ctx: &Ctx, id: &str, rule: &str) -> Result<(Subnet, Network)> {
    let (subnet, network) = visible(conn, ctx, id).await?;
    if ctx.owns(&subnet.standard.project_id) || ctx.owns(&network.standard.project_id) {
        Ok((subnet, network))
    } else {
        Err(fault::policy(rule))
    }
}

pub async fn of_network(conn: &mut AnyConnection, network_id: &str) -> Result<Vec<Subnet>> {
    Ok(Where::of("network_id", network_id).rows(conn, SPEC.table).await?)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, subnet: &Subnet) -> Result<Wakes> {
    let s = &subnet.standard;
    let network = networks::store::visible(tx, ctx, &subnet.network_id).await?;
    if !ctx.owns(&network.standard.project_id) {
        return Err(fault::policy("create_subnet"));
    }
    quotas::store::check(tx, &s.project_id, "subnet", 1).await?;
    networks::rules::check_mtu(&subnet.network_id, network.mtu, [subnet.ip_version()])?;
    let others = of_network(tx, &subnet.network_id).await?;
    rules::check_overlap(subnet, &others)?;
    rules::check_pool(subnet, &others)?;
    rows::insert(tx, SPEC.table, &s.id, subnet.columns()).await?;
    addresses::for_new_subnet(tx, subnet).await?;
    rows::touch(tx, networks::SPEC.table, &subnet.network_id).await?;
    dhcp::settle(tx, &subnet.network_id).await?;
    tx.event(Event::new("network", "subnet.create", &s.id, &s.project_id, ctx)).await?;
    Ok(Wakes::network(&subnet.network_id))
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, before: &Subnet, subnet: &Subnet) -> Result<Wakes> {
    let s = &subnet.standard;
    if before.gateway != subnet.gateway
        && let Some(gateway) = before.gateway
    {
        gateway_free(tx, subnet, gateway).await?;
    }
    rows::update(tx, SPEC.table, &s.id, before.standard.revision, subnet.columns()).await?;
    rows::touch(tx, networks::SPEC.table, &subnet.network_id).await?;
    dhcp::settle(tx, &subnet.network_id).await?;
    tx.event(Event::new("network", "subnet.update", &s.id, &s.project_id, ctx)).await?;
    let mut wakes = Wakes::network(&subnet.network_id);
    // A router's next hop is the gateway of the subnet that its gateway port is on.
    wakes.routers.extend(plane::store::routers_on(tx, &subnet.network_id).await?);
    Ok(wakes)
}

/// A gateway address that a router's interface has can't be taken from it.
async fn gateway_free(tx: &mut Tx, subnet: &Subnet, gateway: std::net::IpAddr) -> Result<()> {
    let ports: Vec<String> = sql("SELECT p.id FROM port p JOIN ip_allocation a ON a.port_id = p.id \
         WHERE a.network_id = $1 AND a.address = $2 AND p.device_owner = $3")
    .bind(&subnet.network_id)
    .bind(gateway.to_string())
    .bind(ports::ROUTER_INTERFACE)
    .rows(tx)
    .await?;
    match ports.first() {
        None => Ok(()),
        Some(port) => Err(fault::conflict(
            "GatewayIpInUse",
            format!("Current gateway ip {gateway} already in use by port {port}. Unable to update."),
        )),
    }
}

/// Deletes it; refused while ports have addresses of it. DHCP's address goes, and so do those that hosts made.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, subnet: &Subnet) -> Result<Wakes> {
    let s = &subnet.standard;
    let used = sql("SELECT p.id FROM port p JOIN ip_allocation a ON a.port_id = p.id \
         WHERE a.subnet_id = $1 AND p.device_owner <> $2 AND (p.device_owner LIKE 'network:%' OR $3 = 0) LIMIT 1")
    .bind(&s.id)
    .bind(ports::DHCP)
    .bind(i64::from(subnet.is_auto_address()))
    .exists(tx)
    .await?;
    if used {
        return Err(fault::subnet_in_use(&s.id));
    }
    rows::delete(tx, SPEC.table, &s.id).await?;
    rows::touch(tx, networks::SPEC.table, &subnet.network_id).await?;
    dhcp::settle(tx, &subnet.network_id).await?;
    tx.event(Event::new("network", "subnet.delete", &s.id, &s.project_id, ctx)).await?;
    let mut wakes = Wakes::network(&subnet.network_id);
    wakes.routers.extend(plane::store::routers_on(tx, &subnet.network_id).await?);
    Ok(wakes)
}
