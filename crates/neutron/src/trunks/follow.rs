//! Trunks and subports follow their parents: to a host, and to what became of them there.

use std::collections::BTreeMap;

use base::Result;
use db::{AnyConnection, Tx, sql};

use crate::plane::{Wakes, extras};
use crate::ports;
use crate::rows::{Where, texts};

/// Networks of the parents of subports on this network.
pub async fn parents_networks(conn: &mut AnyConnection, network_id: &str) -> Result<Vec<String>> {
    Ok(sql("SELECT DISTINCT p.network_id FROM trunk_subport s JOIN port c ON c.id = s.port_id \
         JOIN trunk t ON t.id = s.trunk_id JOIN port p ON p.id = t.port_id WHERE c.network_id = $1")
    .bind(network_id)
    .rows(conn)
    .await?)
}

/// Networks of those of these ports that are parents.
pub async fn networks_of_parents(conn: &mut AnyConnection, ports: &[String]) -> Result<Vec<String>> {
    let mut conditions = Where::default();
    conditions.among("t.port_id", texts(ports));
    Ok(conditions
        .statement("SELECT DISTINCT p.network_id FROM trunk t JOIN port p ON p.id = t.port_id", "")
        .rows(conn)
        .await?)
}

/// Subports go where their parent goes: as it changes its host, so do they.
pub async fn to_host(tx: &mut Tx, parent: &str, host: &str) -> Result<Wakes> {
    let children: Vec<(String, String)> =
        sql("SELECT p.id, p.network_id FROM port p JOIN trunk_subport s ON s.port_id = p.id \
         JOIN trunk t ON t.id = s.trunk_id WHERE t.port_id = $1")
        .bind(parent)
        .rows(tx)
        .await?;
    let mut wakes = Wakes::default();
    for (id, network) in children {
        sql("UPDATE port SET binding_host = $1, status = 'DOWN', updated_at = $2, revision = revision + 1 WHERE id = $3")
            .bind(host)
            .bind(base::time::now())
            .bind(id)
            .run(tx)
            .await?;
        wakes.networks.insert(network);
    }
    Ok(wakes)
}

/// What was applied shows: a trunk and its subports are ACTIVE when the parent is. A trunk with subports that this machine
/// cannot serve is DEGRADED, and those stay DOWN.
pub async fn settle(
    tx: &mut Tx,
    trunks: &BTreeMap<String, extras::Trunk>,
    unserved: &BTreeMap<String, String>,
) -> Result<()> {
    for (parent, trunk) in trunks {
        let active =
            sql("SELECT id FROM port WHERE id = $1 AND status = 'ACTIVE'").bind(parent).exists(tx).await?;
        let (served, left): (Vec<String>, Vec<String>) = trunk
            .subports
            .iter()
            .map(|subport| subport.port_id.clone())
            .partition(|id| active && !unserved.contains_key(id));
        ports::store::set_status(tx, &served, "ACTIVE").await?;
        ports::store::set_status(tx, &left, "DOWN").await?;
        let status = match (active, left.is_empty()) {
            (false, _) => "DOWN",
            (true, true) => "ACTIVE",
            (true, false) => "DEGRADED",
        };
        sql("UPDATE trunk SET status = $1, updated_at = $2, revision = revision + 1 WHERE id = $3 AND status <> $1")
            .bind(status)
            .bind(base::time::now())
            .bind(&trunk.id)
            .run(tx)
            .await?;
    }
    Ok(())
}
