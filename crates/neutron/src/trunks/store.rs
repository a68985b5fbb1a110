use std::collections::HashMap;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};
use serde_json::{Value, json};

use super::rules::{self, Wanted};
use super::{SPEC, SUBPORT, Subport, Trunk};
use crate::fault::{self, conflict};
use crate::plane::Wakes;
use crate::ports::{self, FullPort};
use crate::request::{Resource, Spec, View};
use crate::rows::{self, Where, texts};
use crate::{Neutron, networks, quotas};

#[async_trait]
impl Resource for Trunk {
    const SPEC: &'static Spec = &SPEC;

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let mut conditions = Where::default();
        if rows.len() <= 200 {
            conditions.among("s.trunk_id", texts(rows.iter().map(|t| &t.standard.id)));
        }
        let mut subports = subports(conn, conditions).await?;
        let view = |trunk: &Trunk| {
            let s = &trunk.standard;
            let mut view = s.open();
            view.insert("port_id".into(), json!(trunk.port_id));
            view.insert("admin_state_up".into(), json!(trunk.admin_state_up));
            view.insert("status".into(), json!(trunk.status));
            let of: Vec<Value> =
                subports.remove(&s.id).unwrap_or_default().iter().map(Subport::view).collect();
            view.insert("sub_ports".into(), Value::Array(of));
            s.close(&mut view);
            view
        };
        Ok(rows.iter().map(view).collect())
    }
}

/// Trunk id -> its subports; `s` is the subport's table in the conditions.
async fn subports(conn: &mut AnyConnection, conditions: Where) -> Result<HashMap<String, Vec<Subport>>> {
    let all: Vec<Subport> = conditions
        .statement(
            "SELECT s.trunk_id AS trunk_id, s.port_id AS port_id, s.segmentation_type AS segmentation_type, \
             s.segmentation_id AS segmentation_id, p.mac_address AS mac_address \
             FROM trunk_subport s JOIN port p ON p.id = s.port_id",
            " ORDER BY s.segmentation_id",
        )
        .rows(conn)
        .await?;
    let mut map: HashMap<String, Vec<Subport>> = HashMap::new();
    for subport in all {
        map.entry(subport.trunk_id.clone()).or_default().push(subport);
    }
    Ok(map)
}

pub async fn subports_of(conn: &mut AnyConnection, trunk_id: &str) -> Result<Vec<Subport>> {
    Ok(subports(conn, Where::of("s.trunk_id", trunk_id)).await?.remove(trunk_id).unwrap_or_default())
}

/// Port id -> its trunk and that one's subports, of those of these ports that are parents.
pub async fn of_parents(
    conn: &mut AnyConnection,
    ports: &[FullPort],
) -> Result<HashMap<String, (String, Vec<Subport>)>> {
    let mut conditions = Where::default();
    if ports.len() <= 500 {
        conditions.among("port_id", texts(ports.iter().map(|p| &p.port.standard.id)));
    }
    let trunks: Vec<(String, String)> =
        conditions.statement("SELECT port_id, id FROM trunk", "").rows(conn).await?;
    if trunks.is_empty() {
        return Ok(HashMap::new());
    }
    let mut conditions = Where::default();
    if trunks.len() <= 200 {
        conditions.among("s.trunk_id", texts(trunks.iter().map(|(_, id)| id)));
    }
    let mut subports = subports(conn, conditions).await?;
    Ok(trunks
        .into_iter()
        .map(|(port, trunk)| {
            let of = subports.remove(&trunk).unwrap_or_default();
            (port, (trunk, of))
        })
        .collect())
}

/// A port that a trunk consists of does not go before it.
pub async fn check_unused(conn: &mut AnyConnection, port_id: &str) -> Result<()> {
    let parent: Option<String> =
        sql("SELECT id FROM trunk WHERE port_id = $1").bind(port_id).optional(conn).await?;
    if let Some(trunk) = parent {
        return Err(conflict(
            "PortInUseAsTrunkParent",
            format!("Port {port_id} is currently a parent port for trunk {trunk}."),
        ));
    }
    let child: Option<String> =
        sql("SELECT trunk_id FROM trunk_subport WHERE port_id = $1").bind(port_id).optional(conn).await?;
    if let Some(trunk) = child {
        return Err(conflict(
            "PortInUseAsSubPort",
            format!("Port {port_id} is currently a subport for trunk {trunk}."),
        ));
    }
    Ok(())
}

/// A port that is in no trunk yet.
async fn eligible(tx: &mut Tx, ctx: &Ctx, port_id: &str) -> Result<FullPort> {
    let (port, _) = ports::store::visible(tx, ctx, port_id).await?;
    if sql("SELECT port_id FROM trunk_subport WHERE port_id = $1").bind(port_id).exists(tx).await? {
        return Err(rules::in_another(port_id));
    }
    if sql("SELECT id FROM trunk WHERE port_id = $1").bind(port_id).exists(tx).await? {
        return Err(rules::is_parent(port_id));
    }
    if !port.port.balancer_id.is_empty() {
        return Err(fault::port_in_use(port_id, &port.port.network_id, &port.port.device_id));
    }
    Ok(port)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, trunk: &Trunk, wanted: &[Wanted]) -> Result<Wakes> {
    let s = &trunk.standard;
    quotas::store::check(tx, &s.project_id, "trunk", 1).await?;
    let parent = eligible(tx, ctx, &trunk.port_id).await?;
    if parent.port.is_trusted() {
        return Err(rules::is_parent(&trunk.port_id));
    }
    rows::insert(tx, SPEC.table, &s.id, trunk.columns()).await?;
    let wakes = add(tx, ctx, trunk, wanted).await?;
    tx.event(Event::new("network", "trunk.create", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, trunk: &Trunk, seen: i64) -> Result<Wakes> {
    let s = &trunk.standard;
    rows::update(tx, SPEC.table, &s.id, seen, trunk.columns()).await?;
    tx.event(Event::new("network", "trunk.update", &s.id, &s.project_id, ctx)).await?;
    wakes(tx, &s.id).await
}

/// The networks of the parent and of the subports.
async fn wakes(conn: &mut AnyConnection, trunk_id: &str) -> Result<Wakes> {
    let networks: Vec<String> = sql("SELECT p.network_id FROM port p JOIN trunk t ON t.port_id = p.id WHERE t.id = $1 \
         UNION SELECT p.network_id FROM port p JOIN trunk_subport s ON s.port_id = p.id WHERE s.trunk_id = $1")
    .bind(trunk_id)
    .rows(conn)
    .await?;
    Ok(Wakes::networks(networks))
}

pub async fn add(tx: &mut Tx, ctx: &Ctx, trunk: &Trunk, wanted: &[Wanted]) -> Result<Wakes> {
    let id = &trunk.standard.id;
    let (parent, network) = ports::store::visible(tx, ctx, &trunk.port_id).await?;
    for one in wanted {
        if one.port_id == trunk.port_id {
            return Err(rules::is_parent(&one.port_id));
        }
        let before = eligible(tx, ctx, &one.port_id).await?;
        let port = &before.port;
        if !port.device_id.is_empty() {
            return Err(fault::port_in_use(&one.port_id, &port.network_id, &port.device_id));
        }
        let own = networks::store::find(tx, &port.network_id).await?.unwrap_or_default();
        let (kind, number) = match &one.segmentation {
            Some(given) => given.clone(),
            None => rules::inherited(&own)?,
        };
        let mtu = own.mtu;
        if mtu > network.mtu {
            return Err(conflict(
                "SubPortMtuGreaterThanTrunkPortMtu",
                format!(
                    "MTU {mtu} of subport {} cannot be greater than MTU {} of trunk {id}.",
                    one.port_id, network.mtu
                ),
            ));
        }
        sql("INSERT INTO trunk_subport (port_id, trunk_id, segmentation_type, segmentation_id) \
             VALUES ($1, $2, $3, $4)")
        .bind(&one.port_id)
        .bind(id)
        .bind(&kind)
        .bind(number)
        .run(tx)
        .await
        .map_err(|e| match db::is_unique(&e) {
            true => conflict(
                "DuplicateSubPort",
                format!(
                    "segmentation_type {kind} and segmentation_id {number} already in use on trunk {id}."
                ),
            ),
            false => e.into(),
        })?;
        let mut after = before.clone();
        after.port.device_owner = SUBPORT.into();
        after.port.device_id.clone_from(id);
        after.port.binding_host.clone_from(&parent.port.binding_host);
        after.port.standard.touch();
        ports::store::update(tx, ctx, &before, &after).await?;
    }
    wakes(tx, id).await
}

pub async fn remove(tx: &mut Tx, ctx: &Ctx, trunk: &Trunk, wanted: &[Wanted]) -> Result<Wakes> {
    let id = &trunk.standard.id;
    let wakes = wakes(tx, id).await?;
    for one in wanted {
        let gone = sql("DELETE FROM trunk_subport WHERE trunk_id = $1 AND port_id = $2")
            .bind(id)
            .bind(&one.port_id)
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(rules::subport_not_found(id, &one.port_id));
        }
        release(tx, ctx, &one.port_id).await?;
    }
    Ok(wakes)
}

/// A subport that was one is a port like any other again.
async fn release(tx: &mut Tx, ctx: &Ctx, port_id: &str) -> Result<()> {
    let Some(before) = ports::store::find(tx, port_id).await? else { return Ok(()) };
    let mut after = before.clone();
    after.port.device_owner.clear();
    after.port.device_id.clear();
    after.port.binding_host.clear();
    after.port.status = "DOWN".into();
    after.port.standard.touch();
    ports::store::update(tx, ctx, &before, &after).await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, trunk: &Trunk) -> Result<Wakes> {
    let s = &trunk.standard;
    let (parent, _) = ports::store::visible(tx, ctx, &trunk.port_id).await?;
    if !parent.port.binding_host.is_empty() && !parent.port.device_id.is_empty() {
        return Err(conflict("TrunkInUse", format!("Trunk {} is currently in use.", s.id)));
    }
    let wakes = wakes(tx, &s.id).await?;
    for subport in subports_of(tx, &s.id).await? {
        sql("DELETE FROM trunk_subport WHERE port_id = $1").bind(&subport.port_id).run(tx).await?;
        release(tx, ctx, &subport.port_id).await?;
    }
    rows::delete(tx, SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "trunk.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}
