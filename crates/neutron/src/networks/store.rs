use std::collections::HashMap;

use base::{Ctx, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql};

use super::{Network, SPEC, provider};
use crate::plane::Wakes;
use crate::rows::{self, Where, texts};
use crate::{fault, floating_ips, qos, quotas, rbac, request};

pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<Network>> {
    Ok(rows::find(conn, SPEC.table, id).await?)
}

/// 404 for one that the caller may not see.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Network> {
    request::visible(conn, ctx, id).await
}

/// 404 for one that the caller may not see, 403 for one that is another project's.
pub async fn owned(conn: &mut AnyConnection, ctx: &Ctx, id: &str, rule: &str) -> Result<Network> {
    let network = visible(conn, ctx, id).await?;
    if ctx.owns(&network.standard.project_id) { Ok(network) } else { Err(fault::policy(rule)) }
}

/// Whether the caller's project may have ports on it.
pub async fn is_open_to(conn: &mut AnyConnection, ctx: &Ctx, network: &Network) -> Result<bool> {
    Ok(network.shared
        || ctx.owns(&network.standard.project_id)
        || ctx.auth.has_role("service")
        || rbac::store::is_granted(conn, ctx, &network.standard.id, rbac::SHARED).await?)
}

/// What a network's view has of its subnets.
#[derive(Debug, Clone, Default)]
pub struct Joined {
    /// Ids, in order of creation.
    pub subnets: Vec<String>,
    /// IP version -> id of the address scope of the subnets' pools.
    pub scopes: HashMap<i64, String>,
}

struct SubnetOf {
    network: String,
    subnet: String,
    version: i64,
    scope: Option<String>,
}

impl FromRow for SubnetOf {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(SubnetOf {
            network: row.text("network_id")?,
            subnet: row.text("id")?,
            version: row.int("ip_version")?,
            scope: row.opt_text("scope")?.filter(|s| !s.is_empty()),
        })
    }
}

/// Network id -> what belongs to it.
pub async fn joined(conn: &mut AnyConnection, networks: &[Network]) -> Result<HashMap<String, Joined>> {
    let mut conditions = Where::default();
    // A longer list of ids costs more than reading all.
    if networks.len() <= 200 {
        conditions.among("s.network_id", texts(networks.iter().map(|n| &n.standard.id)));
    }
    let subnets: Vec<SubnetOf> = conditions
        .statement(
            "SELECT s.network_id AS network_id, s.id AS id, s.ip_version AS ip_version, p.address_scope_id AS scope \
             FROM subnet s LEFT JOIN subnet_pool p ON p.id = s.subnetpool_id",
            " ORDER BY s.created_at, s.id",
        )
        .rows(conn)
        .await?;
    let mut map: HashMap<String, Joined> = HashMap::new();
    for of in subnets {
        let joined = map.entry(of.network).or_default();
        joined.subnets.push(of.subnet);
        if let Some(scope) = of.scope {
            joined.scopes.insert(of.version, scope);
        }
    }
    Ok(map)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, network: &Network) -> Result<()> {
    let project = &network.standard.project_id;
    quotas::store::check(tx, project, "network", 1).await?;
    qos::store::usable(tx, ctx, &network.qos_policy_id).await?;
    only_default(tx, None, network).await?;
    rows::insert(tx, SPEC.table, &network.standard.id, network.columns())
        .await
        .map_err(|e| if db::is_unique(&e) { provider::in_use(network) } else { e.into() })?;
    for (action, open) in [(rbac::SHARED, network.shared), (rbac::EXTERNAL, network.external)] {
        if open {
            rbac::store::open(tx, project, ("network", &network.standard.id), action, true).await?;
        }
    }
    tx.event(Event::new("network", "network.create", &network.standard.id, project, ctx)).await?;
    Ok(())
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, before: &Network, network: &Network) -> Result<()> {
    let s = &network.standard;
    only_default(tx, Some(before), network).await?;
    rows::update(tx, SPEC.table, &s.id, before.standard.revision, network.columns()).await?;
    let object = ("network", s.id.as_str());
    if before.shared != network.shared {
        rbac::store::open(tx, &s.project_id, object, rbac::SHARED, network.shared).await?;
    }
    if before.external != network.external {
        rbac::store::open(tx, &s.project_id, object, rbac::EXTERNAL, network.external).await?;
    }
    if before.qos_policy_id != network.qos_policy_id {
        qos::store::usable(tx, ctx, &network.qos_policy_id).await?;
    }
    tx.event(Event::new("network", "network.update", &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

/// The external network that topologies are made behind by themselves.
pub async fn default_external(conn: &mut AnyConnection) -> Result<Option<String>> {
    let found =
        sql("SELECT id FROM network WHERE external = 1 AND is_default = 1 ORDER BY created_at LIMIT 1");
    Ok(found.optional(conn).await?)
}

/// There is one default external network.
async fn only_default(conn: &mut AnyConnection, before: Option<&Network>, network: &Network) -> Result<()> {
    if !network.is_default || before.is_some_and(|before| before.is_default) {
        return Ok(());
    }
    match default_external(conn).await? {
        None => Ok(()),
        Some(other) => Err(fault::conflict(
            "DefaultExternalNetworkExists",
            format!("A default external network already exists: {other}."),
        )),
    }
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
    // Addresses that lead nowhere go with their network.
    let mut wakes = Wakes::network(&s.id);
    wakes.extend(floating_ips::store::delete_unused(tx, ctx, &s.id).await?);
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
    rbac::store::forget(tx, &s.id).await?;
    rows::delete(tx, SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "network.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}

/// Ids of the external networks: there are few.
pub async fn external_ids(conn: &mut AnyConnection) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM network WHERE external = 1").rows(conn).await?)
}
