use std::collections::HashMap;
use std::net::IpAddr;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{PortForwarding, SPEC, not_found, rules};
use crate::fault::{bad, conflict};
use crate::floating_ips::{self, FloatingIp};
use crate::plane::Wakes;
use crate::ports;
use crate::rows::{self, Where, texts};

/// Floating IP id -> its forwardings.
pub async fn of_floating_ips(
    conn: &mut AnyConnection,
    ips: &[FloatingIp],
) -> Result<HashMap<String, Vec<PortForwarding>>> {
    let mut conditions = Where::default();
    if ips.len() <= 200 {
        conditions.among("floating_ip_id", texts(ips.iter().map(|f| &f.standard.id)));
    }
    let mut map: HashMap<String, Vec<PortForwarding>> = HashMap::new();
    for forwarding in conditions.rows::<PortForwarding>(conn, SPEC.table).await? {
        map.entry(forwarding.floating_ip_id.clone()).or_default().push(forwarding);
    }
    Ok(map)
}

/// One of this floating IP.
pub async fn find(conn: &mut AnyConnection, ip: &FloatingIp, id: &str) -> Result<PortForwarding> {
    let found: Option<PortForwarding> = rows::find(conn, SPEC.table, id).await?;
    found.filter(|f| f.floating_ip_id == ip.standard.id).ok_or_else(|| not_found(id))
}

/// A floating IP with forwardings leads to no port as a whole.
pub async fn check_free(conn: &mut AnyConnection, ip: &FloatingIp) -> Result<()> {
    let id = &ip.standard.id;
    if sql("SELECT id FROM port_forwarding WHERE floating_ip_id = $1 LIMIT 1").bind(id).exists(conn).await? {
        return Err(conflict(
            "FipInUseByPortForwarding",
            format!("Floating IP {id} in use by Port Forwarding resources."),
        ));
    }
    Ok(())
}

/// Checks it against its port, its router and the other forwardings. Answers the router that shall carry it.
async fn check(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp, new: &PortForwarding) -> Result<String> {
    let (port, _) = ports::store::visible(tx, ctx, &new.internal_port_id).await?;
    rules::check_port(new, &port)?;
    let mut conditions = Where::default();
    conditions.and(
        "floating_ip_id = ? OR internal_port_id = ?",
        [(&new.floating_ip_id).into(), (&new.internal_port_id).into()],
    );
    rules::check_collisions(new, &conditions.rows(tx, SPEC.table).await?)?;
    let bound: Option<(String, String)> =
        sql("SELECT id, floating_ip_address FROM floating_ip WHERE port_id = $1 AND fixed_ip_address = $2")
            .bind(&new.internal_port_id)
            .bind(new.internal_address.to_string())
            .optional(tx)
            .await?;
    if let Some((id, address)) = bound {
        return Err(conflict(
            "PortHasBindingFloatingIP",
            format!(
                "Cannot create port forwarding to floating IP {address} ({id}) with port {} using fixed IP {}, as that \
                 port already has a binding floating IP.",
                new.internal_port_id, new.internal_address
            ),
        ));
    }
    let router = floating_ips::store::router_for(tx, ip, &port, new.internal_address).await;
    let router = router.map_err(|_| {
        bad(
            "port_forwarding",
            format!(
                "External network {} is not reachable from subnet of port {}. Cannot set Port forwarding for port {} \
                 with Floating IP {}",
                ip.floating_network_id, new.internal_port_id, new.internal_port_id, ip.standard.id
            ),
        )
    })?;
    if !ip.forwarded_by.is_empty() && ip.forwarded_by != router {
        return Err(bad(
            "port_forwarding",
            format!(
                "The Floating IP {} had been set on router {}, the internal Neutron port {} can not reach it",
                ip.standard.id, ip.forwarded_by, new.internal_port_id
            ),
        ));
    }
    Ok(router)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp, new: &PortForwarding) -> Result<Wakes> {
    if let Some(target) = &ip.target {
        return Err(conflict(
            "FloatingIPPortAlreadyAssociated",
            format!(
                "Cannot associate floating IP {} ({}) with port {} using fixed IP {}, as that fixed IP already has a \
                 floating IP on external network {}.",
                ip.floating_address, ip.standard.id, target.port_id, target.fixed, ip.floating_network_id
            ),
        ));
    }
    let router = check(tx, ctx, ip, new).await?;
    rows::insert(tx, SPEC.table, &new.id, new.columns()).await?;
    carry(tx, &ip.standard.id, &router).await?;
    tx.event(Event::new("network", "port_forwarding.create", &new.id, &new.project_id, ctx)).await?;
    Ok(Wakes::router(&router))
}

/// The floating IP belongs to this router now.
async fn carry(tx: &mut Tx, ip_id: &str, router_id: &str) -> Result<()> {
    sql("UPDATE floating_ip SET router_id = $1, carried_by = $1, updated_at = $2, revision = revision + 1 \
         WHERE id = $3 AND router_id <> $1")
    .bind(router_id)
    .bind(base::time::now())
    .bind(ip_id)
    .run(tx)
    .await?;
    Ok(())
}

pub async fn update(
    tx: &mut Tx,
    ctx: &Ctx,
    ip: &FloatingIp,
    new: &PortForwarding,
    seen: i64,
) -> Result<Wakes> {
    let router = check(tx, ctx, ip, new).await?;
    rows::update(tx, SPEC.table, &new.id, seen, new.columns()).await?;
    tx.event(Event::new("network", "port_forwarding.update", &new.id, &new.project_id, ctx)).await?;
    Ok(Wakes::router(&router))
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp, old: &PortForwarding) -> Result<Wakes> {
    rows::delete(tx, SPEC.table, &old.id).await?;
    let wakes = settle(tx, &ip.standard.id).await?;
    tx.event(Event::new("network", "port_forwarding.delete", &old.id, &old.project_id, ctx)).await?;
    Ok(wakes)
}

/// A floating IP without forwardings belongs to no router; the one that carried it hears of it.
async fn settle(tx: &mut Tx, ip_id: &str) -> Result<Wakes> {
    let router: Option<String> =
        sql("SELECT router_id FROM floating_ip WHERE id = $1").bind(ip_id).optional(tx).await?;
    sql("UPDATE floating_ip SET router_id = '', updated_at = $1, revision = revision + 1 WHERE id = $2 \
         AND port_id = '' AND NOT EXISTS (SELECT 1 FROM port_forwarding f WHERE f.floating_ip_id = floating_ip.id)")
    .bind(base::time::now())
    .bind(ip_id)
    .run(tx)
    .await?;
    Ok(Wakes::routers(router.into_iter().filter(|r| !r.is_empty())))
}

/// Ends the forwardings to a port (to one of its addresses), as it is going.
pub async fn release(tx: &mut Tx, port_id: &str, address: Option<IpAddr>) -> Result<Wakes> {
    let mut conditions = Where::of("internal_port_id", port_id);
    if let Some(address) = address {
        conditions.and("internal_ip_address = ?", [address.to_string().into()]);
    }
    let mut wakes = Wakes::default();
    for forwarding in conditions.rows::<PortForwarding>(tx, SPEC.table).await? {
        rows::delete(tx, SPEC.table, &forwarding.id).await?;
        wakes.extend(settle(tx, &forwarding.floating_ip_id).await?);
    }
    Ok(wakes)
}
