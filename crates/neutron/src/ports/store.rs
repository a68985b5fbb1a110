use std::collections::HashMap;
use std::net::IpAddr;

use base::{Ctx, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql};

use super::{FixedIp, FullPort, Port, SPEC, addresses, macs};
use crate::networks::{self, Network};
use crate::plane::{self, Wakes};
use crate::rows::{self, Where, texts};
use crate::{fault, quotas, request};

struct Allocation {
    port_id: String,
    ip: FixedIp,
}

impl FromRow for Allocation {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let address: String = row.text("address")?;
        Ok(Allocation {
            port_id: row.text("port_id")?,
            ip: FixedIp {
                subnet_id: row.text("subnet_id")?,
                // Only parsed addresses are written.
                address: address.parse().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
            },
        })
    }
}

/// Joins ports with their addresses and groups: two statements, however many ports.
pub async fn full(conn: &mut AnyConnection, ports: Vec<Port>) -> Result<Vec<FullPort>> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let among = || {
        let mut conditions = Where::default();
        // A longer list of ids costs more than reading all.
        if ports.len() <= 500 {
            conditions.among("port_id", texts(ports.iter().map(|p| &p.standard.id)));
        }
        conditions
    };
    let allocations: Vec<Allocation> = among()
        .statement("SELECT port_id, subnet_id, address FROM ip_allocation", " ORDER BY position")
        .rows(conn)
        .await?;
    let bindings: Vec<(String, String)> = among()
        .statement(
            "SELECT port_id, security_group_id FROM port_security_group",
            " ORDER BY security_group_id",
        )
        .rows(conn)
        .await?;
    let mut ips: HashMap<String, Vec<FixedIp>> = HashMap::new();
    for allocation in allocations {
        ips.entry(allocation.port_id).or_default().push(allocation.ip);
    }
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    for (port, group) in bindings {
        groups.entry(port).or_default().push(group);
    }
    let full = |port: Port| {
        let id = &port.standard.id;
        FullPort {
            fixed_ips: ips.remove(id).unwrap_or_default(),
            groups: groups.remove(id).unwrap_or_default(),
            port,
        }
    };
    Ok(ports.into_iter().map(full).collect())
}

pub async fn load_where(conn: &mut AnyConnection, conditions: Where) -> Result<Vec<FullPort>> {
    let ports = conditions.rows(conn, SPEC.table).await?;
    full(conn, ports).await
}

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<FullPort>> {
    Ok(load_where(conn, Where::of("id", id)).await?.pop())
}

/// A port that the caller may see, with its network.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<(FullPort, Network)> {
    let missing = || fault::port_not_found(id);
    let port: Port = request::visible(conn, ctx, id).await?;
    let network = networks::store::find(conn, &port.network_id).await?.ok_or_else(missing)?;
    let full = full(conn, vec![port]).await?.pop().ok_or_else(missing)?;
    Ok((full, network))
}

/// Writes the rows of a new port as they are.
pub async fn insert(tx: &mut Tx, full: &FullPort) -> Result<()> {
    let port = &full.port;
    rows::insert(tx, SPEC.table, &port.standard.id, port.columns()).await.map_err(|e| {
        if db::is_unique(&e) { fault::mac_in_use(&port.network_id, &port.mac) } else { e.into() }
    })?;
    addresses::write(tx, port, &full.fixed_ips).await?;
    write_groups(tx, &port.standard.id, &full.groups).await
}

async fn write_groups(tx: &mut Tx, port_id: &str, groups: &[String]) -> Result<()> {
    for group in groups {
        sql("INSERT INTO port_security_group (port_id, security_group_id, network_id) \
             SELECT id, $1, network_id FROM port WHERE id = $2")
        .bind(group)
        .bind(port_id)
        .run(tx)
        .await?;
    }
    Ok(())
}

/// A new port of a project: quota, addresses, rows, event.
pub async fn create(
    tx: &mut Tx,
    ctx: &Ctx,
    port: Port,
    wanted: Option<&[addresses::Wanted]>,
    groups: Vec<String>,
) -> Result<(FullPort, Wakes)> {
    quotas::store::check(tx, &port.standard.project_id, "port", 1).await?;
    if macs::is_taken(tx, &port.network_id, &port.mac).await? {
        return Err(fault::mac_in_use(&port.network_id, &port.mac));
    }
    let fixed_ips = addresses::allocate(tx, &port, wanted, &[]).await?;
    let full = FullPort { port, fixed_ips, groups };
    insert(tx, &full).await?;
    let s = &full.port.standard;
    tx.event(Event::new("network", "port.create", &s.id, &s.project_id, ctx)).await?;
    let wakes = plane::store::port_wakes(tx, &full).await?;
    Ok((full, wakes))
}

/// Writes what changed between two states of a port. Floating IPs of addresses that it lost are let go.
pub async fn update(tx: &mut Tx, ctx: &Ctx, before: &FullPort, after: &FullPort) -> Result<Wakes> {
    let s = &after.port.standard;
    rows::update(tx, SPEC.table, &s.id, before.port.standard.revision, after.port.columns()).await.map_err(
        |e| match std::error::Error::source(&e).and_then(|s| s.downcast_ref::<db::Error>()) {
            Some(cause) if db::is_unique(cause) => fault::mac_in_use(&after.port.network_id, &after.port.mac),
            _ => e,
        },
    )?;
    let mut wakes = Wakes::network(&after.port.network_id);
    let readdressed = before.fixed_ips != after.fixed_ips;
    if readdressed {
        addresses::write(tx, &after.port, &after.fixed_ips).await?;
        let lost =
            before.fixed_ips.iter().filter(|b| !after.fixed_ips.iter().any(|a| a.address == b.address));
        for ip in lost {
            wakes.extend(crate::floating_ips::store::release(tx, &s.id, Some(ip.address)).await?);
        }
    }
    if before.groups != after.groups {
        sql("DELETE FROM port_security_group WHERE port_id = $1").bind(&s.id).run(tx).await?;
        write_groups(tx, &s.id, &after.groups).await?;
    }
    if readdressed || before.groups != after.groups || before.port.pairs != after.port.pairs {
        wakes.extend(plane::store::port_wakes(tx, before).await?);
        wakes.extend(plane::store::port_wakes(tx, after).await?);
    }
    if before.port.binding_host != after.port.binding_host {
        wakes.extend(crate::trunks::follow::to_host(tx, &s.id, &after.port.binding_host).await?);
    }
    if after.port.is_router_port() {
        wakes.routers.insert(after.port.device_id.clone());
    }
    tx.event(Event::new("network", "port.update", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}

/// Removes the rows of a port; nothing is asked.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<()> {
    rows::delete(tx, SPEC.table, id).await?;
    Ok(())
}

/// Deletes a port and lets go of its floating IPs.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, full: &FullPort) -> Result<Wakes> {
    let s = &full.port.standard;
    let mut wakes = plane::store::port_wakes(tx, full).await?;
    wakes.extend(crate::floating_ips::store::release(tx, &s.id, None).await?);
    remove(tx, &s.id).await?;
    tx.event(Event::new("network", "port.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}

/// Sets the status of ports that do not have it yet.
pub async fn set_status(tx: &mut Tx, ids: &[String], status: &str) -> Result<()> {
    for chunk in ids.chunks(200) {
        let mut conditions = Where::default();
        conditions.and("status <> ?", [status.into()]).among("id", texts(chunk));
        let behind: Vec<String> = conditions.statement("SELECT id FROM port", "").rows(tx).await?;
        for id in behind {
            sql("UPDATE port SET status = $1, updated_at = $2, revision = revision + 1 WHERE id = $3")
                .bind(status)
                .bind(base::time::now())
                .bind(id)
                .run(tx)
                .await?;
        }
    }
    Ok(())
}
