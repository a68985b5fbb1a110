use std::collections::HashMap;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{Network, SPEC, rules};
use crate::fault;
use crate::plane::Wakes;
use crate::quotas;
use crate::rows::{self, Where, texts};

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<Network>> {
    Ok(rows::find(conn, SPEC.table, id).await?)
}

/// 404 for one that the caller may not see.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Network> {
    find(conn, id).await?.filter(|n| rules::visible(ctx, n)).ok_or_else(|| fault::network_not_found(id))
}

/// 404 for one that the caller may not see, 403 for one that is another project's.
pub async fn owned(conn: &mut AnyConnection, ctx: &Ctx, id: &str, rule: &str) -> Result<Network> {
    let network = visible(conn, ctx, id).await?;
    if ctx.owns(&network.standard.project_id) { Ok(network) } else { Err(fault::policy(rule)) }
}

/// Network id -> ids of its subnets, in order of creation.
pub async fn subnet_ids(
    conn: &mut AnyConnection,
    networks: &[Network],
) -> Result<HashMap<String, Vec<String>>> {
    let mut conditions = Where::default();
    // A longer list of ids costs more than reading all.
    if networks.len() <= 200 {
        conditions.among("network_id", texts(networks.iter().map(|n| &n.standard.id)));
    }
    let pairs: Vec<(String, String)> = conditions
        .statement("SELECT network_id, id FROM subnet", " ORDER BY created_at, id")
        .rows(conn)
        .await?;
    let mut map: HashMap<String, Vec<String>> = HashMap::new();
    for (network, subnet) in pairs {
        map.entry(network).or_default().push(subnet);
    }
    Ok(map)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, network: &Network) -> Result<()> {
    let project = &network.standard.project_id;
    quotas::store::check(tx, project, "network", 1).await?;
    rows::insert(tx, SPEC.table, &network.standard.id, network.columns()).await.map_err(|e| {
        if db::is_unique(&e) {
            let name = &network.physical_network;
            return fault::conflict(
                "FlatNetworkInUse",
                format!("Unable to create the flat network. Physical network {name} is in use."),
            );
        }
        e.into()
    })?;
    tx.event(Event::new("network", "network.create", &network.standard.id, project, ctx)).await?;
    Ok(())
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, network: &Network, seen: i64) -> Result<()> {
    let s = &network.standard;
    rows::update(tx, SPEC.table, &s.id, seen, network.columns()).await?;
    tx.event(Event::new("network", "network.update", &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

/// IP versions of the network's subnets.
pub async fn ip_versions(conn: &mut AnyConnection, id: &str) -> Result<Vec<i64>> {
    let versions: Vec<String> =
        sql("SELECT DISTINCT CAST(ip_version AS TEXT) FROM subnet WHERE network_id = $1")
            .bind(id)
            .rows(conn)
            .await?;
    Ok(versions.iter().filter_map(|v| v.parse().ok()).collect())
}

/// Projects other than the owner that have ports on it.
pub async fn used_by_others(conn: &mut AnyConnection, network: &Network) -> Result<bool> {
    Ok(sql("SELECT id FROM port WHERE network_id = $1 AND project_id <> $2 AND project_id <> '' LIMIT 1")
        .bind(&network.standard.id)
        .bind(&network.standard.project_id)
        .exists(conn)
        .await?)
}

/// Gateways and floating IPs keep a network external.
pub async fn used_as_external(conn: &mut AnyConnection, id: &str) -> Result<bool> {
    Ok(sql("SELECT id FROM port WHERE network_id = $1 AND device_owner IN ($2, $3) LIMIT 1")
        .bind(id)
        .bind(crate::ports::ROUTER_GATEWAY)
        .bind(crate::ports::FLOATING_IP)
        .exists(conn)
        .await?)
}

/// Deletes it with its subnets and DHCP port; refused while other ports are on it.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, network: &Network) -> Result<Wakes> {
    let s = &network.standard;
    let ports: Vec<String> =
        sql("SELECT id FROM port WHERE network_id = $1 AND device_owner <> $2 ORDER BY created_at LIMIT 20")
            .bind(&s.id)
            .bind(crate::ports::DHCP)
            .rows(tx)
            .await?;
    if !ports.is_empty() {
        return Err(fault::conflict(
            "NetworkInUse",
            format!(
                "Unable to complete operation on network {}. There are one or more ports still in use on the \
                 network, id for these ports is: {}.",
                s.id,
                ports.join(",")
            ),
        ));
    }
    rows::delete(tx, SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "network.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(Wakes::network(&s.id))
}
