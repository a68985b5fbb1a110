//! The rows behind a plan, and whom a change touches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use base::Result;
use db::{AnyConnection, Row, Tx, sql};
use ipnet::IpNet;

use super::Wakes;
use super::extras::{self, NetworkExtras, RouterExtras};
use super::ports::PlanPort;
use crate::agents;
use crate::floating_ips::{self, FloatingIp};
use crate::networks::{self, Network};
use crate::ports::{self, FullPort};
use crate::rbac;
use crate::routers::{self, FullRouter};
use crate::rows::{Where, texts};
use crate::security_group_rules::{self, Rule};
use crate::subnets::Subnet;

/// What the plan of a network is made of.
#[derive(Debug, Clone)]
pub struct NetworkRows {
    pub network: Network,
    pub subnets: Vec<Subnet>,
    pub ports: Vec<PlanPort>,
    /// Group id -> its rules, of the groups of those ports.
    pub rules: HashMap<String, Vec<Rule>>,
    /// Group id -> addresses of its members, of the groups that those rules refer to.
    pub members: HashMap<String, Vec<IpNet>>,
    pub extras: NetworkExtras,
    /// This machine has an end of it where it is others' gateway.
    pub host_joins: bool,
}

/// What the plan of a router is made of.
#[derive(Debug, Clone)]
pub struct RouterRows {
    pub router: FullRouter,
    pub interfaces: Vec<FullPort>,
    pub subnets: BTreeMap<String, Subnet>,
    pub networks: BTreeMap<String, Network>,
    pub floating_ips: Vec<FloatingIp>,
    pub extras: RouterExtras,
    /// No agent has it: it does nothing.
    pub unhosted: bool,
}

pub async fn network_rows(conn: &mut AnyConnection, id: &str) -> Result<Option<NetworkRows>> {
    let Some(network) = networks::store::find(conn, id).await? else { return Ok(None) };
    let subnets = crate::subnets::store::of_network(conn, id).await?;
    let ports = super::ports::of_network(conn, id).await?;
    let groups: BTreeSet<&String> = ports.iter().flat_map(|p| &p.groups).collect();
    let mut rules: HashMap<String, Vec<Rule>> = HashMap::new();
    let mut remotes = BTreeSet::new();
    if !groups.is_empty() {
        let mut conditions = Where::default();
        conditions.among("security_group_id", texts(groups.iter().copied()));
        for rule in conditions.rows::<Rule>(conn, security_group_rules::SPEC.table).await? {
            remotes.extend(rule.remote_group.clone());
            rules.entry(rule.security_group_id.clone()).or_default().push(rule);
        }
    }
    let members = members(conn, &remotes).await?;
    let extras = extras::of_network(conn, id, &groups).await?;
    // A project may open its own network as external to another, but not route this machine.
    let host_joins = network.external && rbac::store::is_external_by_admin(conn, id).await?;
    Ok(Some(NetworkRows { network, subnets, rules, members, extras, ports, host_joins }))
}

struct Member {
    group: String,
    address: Option<IpAddr>,
}

impl db::FromRow for Member {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Member { group: row.text("group_id")?, address: row.parsed("address")? })
    }
}

/// A member that may use other addresses besides its own.
struct Paired {
    group: String,
    pairs: Vec<ports::AddressPair>,
}

impl db::FromRow for Paired {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Paired { group: row.text("group_id")?, pairs: row.json("pairs")? })
    }
}

/// The addresses of the groups' members, those that they may use besides included: sorted, each once.
async fn members(conn: &mut AnyConnection, groups: &BTreeSet<String>) -> Result<HashMap<String, Vec<IpNet>>> {
    let mut members: HashMap<String, Vec<IpNet>> = HashMap::new();
    if groups.is_empty() {
        return Ok(members);
    }
    let among = |column: &str| {
        let mut conditions = Where::default();
        conditions.among(column, texts(groups));
        conditions
    };
    let addresses: Vec<Member> = among("b.security_group_id")
        .statement(
            "SELECT b.security_group_id AS group_id, a.address AS address \
             FROM port_security_group b JOIN ip_allocation a ON a.port_id = b.port_id",
            "",
        )
        .rows(conn)
        .await?;
    let mut conditions = among("b.security_group_id");
    conditions.and("p.allowed_address_pairs <> ?", ["[]".into()]);
    let paired: Vec<Paired> = conditions
        .statement(
            "SELECT b.security_group_id AS group_id, p.allowed_address_pairs AS pairs \
             FROM port_security_group b JOIN port p ON p.id = b.port_id",
            "",
        )
        .rows(conn)
        .await?;
    for Member { group, address } in addresses {
        members.entry(group).or_default().extend(address.map(IpNet::from));
    }
    for Paired { group, pairs } in paired {
        members.entry(group).or_default().extend(pairs.iter().filter_map(ports::AddressPair::net));
    }
    for addresses in members.values_mut() {
        addresses.sort_unstable();
        addresses.dedup();
    }
    Ok(members)
}

pub async fn router_rows(conn: &mut AnyConnection, id: &str) -> Result<Option<RouterRows>> {
    let Some(router) = routers::store::find(conn, id).await? else { return Ok(None) };
    let interfaces = routers::store::interfaces(conn, id).await?;
    let all: Vec<&FullPort> = interfaces.iter().chain(&router.gateway).collect();
    let subnets = routers::routes::subnets_of(conn, &all).await?;
    let mut conditions = Where::default();
    conditions.among("id", texts(all.iter().map(|p| &p.port.network_id)));
    let networks: Vec<Network> = conditions.rows(conn, networks::SPEC.table).await?;
    let floating_ips = Where::of("router_id", id).rows(conn, floating_ips::SPEC.table).await?;
    Ok(Some(RouterRows {
        subnets: subnets.into_iter().map(|s| (s.standard.id.clone(), s)).collect(),
        networks: networks.into_iter().map(|n| (n.standard.id.clone(), n)).collect(),
        router,
        interfaces,
        floating_ips,
        extras: extras::of_router(conn, id).await?,
        unhosted: agents::store::is_taken_away(conn, &agents::store::L3, id).await?,
    }))
}

pub async fn ids(conn: &mut AnyConnection, table: &'static str) -> Result<Vec<String>> {
    Ok(Where::default().statement(&format!("SELECT id FROM {table}"), "").rows(conn).await?)
}

/// Routers with an interface or gateway on the network.
pub async fn routers_on(conn: &mut AnyConnection, network_id: &str) -> Result<Vec<String>> {
    Ok(sql("SELECT DISTINCT device_id FROM port WHERE network_id = $1 AND device_owner IN ($2, $3)")
        .bind(network_id)
        .bind(ports::ROUTER_INTERFACE)
        .bind(ports::ROUTER_GATEWAY)
        .rows(conn)
        .await?)
}

/// Networks with members of the group: its rules are theirs. From one to the next in the index, however many members
/// each has.
pub async fn networks_using(conn: &mut AnyConnection, group_id: &str) -> Result<Vec<String>> {
    Ok(sql("WITH RECURSIVE used (id) AS ( \
           SELECT MIN(network_id) FROM port_security_group WHERE security_group_id = $1 \
           UNION ALL \
           SELECT (SELECT MIN(network_id) FROM port_security_group \
                   WHERE security_group_id = $1 AND network_id > used.id) FROM used WHERE used.id IS NOT NULL \
         ) SELECT id FROM used WHERE id IS NOT NULL")
    .bind(group_id)
    .rows(conn)
    .await?)
}

/// Networks with rules that refer to the group: its members are theirs.
pub async fn networks_referring(conn: &mut AnyConnection, group_id: &str) -> Result<Vec<String>> {
    let groups: Vec<String> =
        sql("SELECT DISTINCT security_group_id FROM security_group_rule WHERE remote_group_id = $1")
            .bind(group_id)
            .rows(conn)
            .await?;
    let mut networks = BTreeSet::new();
    for group in groups {
        networks.extend(networks_using(conn, &group).await?);
    }
    Ok(networks.into_iter().collect())
}

/// Whom the coming, going or readdressing of a port touches.
pub async fn port_wakes(tx: &mut Tx, full: &FullPort) -> Result<Wakes> {
    let mut wakes = Wakes::network(&full.port.network_id);
    for group in &full.groups {
        wakes.networks.extend(networks_referring(tx, group).await?);
    }
    if full.port.is_router_port() {
        wakes.routers.insert(full.port.device_id.clone());
    }
    Ok(wakes)
}
