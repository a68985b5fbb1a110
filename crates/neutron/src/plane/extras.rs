//! Rows that hang on a network's or router's own: limits, names, address groups, forwarded ports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use base::Result;
use db::{AnyConnection, Row, sql};
use host::plan::{ForwardingPlan, PacketRate, Protocol, QosPlan, Rate, SubportPlan};
use ipnet::IpNet;

use crate::rows::{Where, texts};
use crate::security_group_rules::protocol;

/// Beside the rows of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkExtras {
    /// By port; a port's own policy goes before its network's.
    pub qos: HashMap<String, QosPlan>,
    /// Of the network; '' for none.
    pub dns_domain: String,
    /// Rule -> the address group that it refers to.
    pub rule_groups: HashMap<String, String>,
    /// Address group -> its addresses.
    pub address_groups: BTreeMap<String, BTreeSet<IpNet>>,
    /// Groups that allow no answers by themselves.
    pub stateless_groups: BTreeSet<String>,
    /// By parent.
    pub trunks: BTreeMap<String, Trunk>,
}

/// A trunk whose parent is on the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trunk {
    pub id: String,
    pub subports: Vec<SubportPlan>,
}

/// Beside the rows of a router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterExtras {
    pub gateway_qos: QosPlan,
    /// By floating IP.
    pub qos: HashMap<String, QosPlan>,
    pub forwardings: Vec<ForwardingPlan>,
    /// Floating IPs that lead nowhere but have forwardings.
    pub forwarded_by: BTreeSet<String>,
}

struct QosRow {
    of: String,
    kind: String,
    direction: String,
    rate: Rate,
    packets: PacketRate,
    dscp: i64,
}

impl db::FromRow for QosRow {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let number = |column| Ok::<_, db::Error>(u32::try_from(row.int(column)?).unwrap_or_default());
        Ok(Self {
            of: row.text("of")?,
            kind: row.text("kind")?,
            direction: row.text("direction")?,
            rate: Rate { kilobits: number("max_kbps")?, burst_kilobits: number("max_burst_kbps")? },
            packets: PacketRate {
                per_second: u64::from(number("max_kpps")?) * 1000,
                burst: u64::from(number("max_burst_kpps")?) * 1000,
            },
            dscp: row.int("dscp_mark")?,
        })
    }
}

const QOS_COLUMNS: &str = "r.kind AS kind, r.direction AS direction, r.max_kbps AS max_kbps, \
    r.max_burst_kbps AS max_burst_kbps, r.max_kpps AS max_kpps, r.max_burst_kpps AS max_burst_kpps, \
    r.dscp_mark AS dscp_mark";

fn policies(rows: Vec<QosRow>) -> HashMap<String, QosPlan> {
    let mut all: HashMap<String, QosPlan> = HashMap::new();
    for row in rows {
        let plan = all.entry(row.of).or_default();
        match (row.kind.as_str(), row.direction.as_str()) {
            ("bandwidth_limit", "ingress") => plan.ingress = Some(row.rate),
            ("bandwidth_limit", _) => plan.egress = Some(row.rate),
            ("dscp_marking", _) => plan.dscp = u8::try_from(row.dscp).ok(),
            ("packet_rate_limit", "ingress") => plan.ingress_packets = Some(row.packets),
            ("packet_rate_limit", _) => plan.egress_packets = Some(row.packets),
            // Guarantees need nothing on one machine.
            _ => {}
        }
    }
    all
}

struct TrunkRow {
    id: String,
    parent: String,
    /// None: the trunk has none.
    subport: Option<SubportPlan>,
}

impl db::FromRow for TrunkRow {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let subport = match row.opt_text("port")? {
            None => None,
            Some(port_id) => Some(SubportPlan {
                port_id,
                network_id: row.text("network")?,
                vlan: u16::try_from(row.int("vlan")?).unwrap_or_default(),
                mtu: u32::try_from(row.int("mtu")?).unwrap_or(1500),
            }),
        };
        Ok(Self { id: row.text("trunk")?, parent: row.text("parent")?, subport })
    }
}

struct Three(String, String, String);

impl db::FromRow for Three {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Self(row.text("a")?, row.text("b")?, row.text("c")?))
    }
}

/// `groups`: the security groups of the network's ports.
pub async fn of_network(
    conn: &mut AnyConnection,
    id: &str,
    groups: &BTreeSet<&String>,
) -> Result<NetworkExtras> {
    let text = format!(
        "SELECT p.id AS of, {QOS_COLUMNS} FROM port p JOIN network n ON n.id = p.network_id \
         JOIN qos_rule r ON r.qos_policy_id = \
         CASE WHEN p.qos_policy_id <> '' THEN p.qos_policy_id ELSE n.qos_policy_id END \
         WHERE p.network_id = $1 AND p.device_owner NOT LIKE 'network:%'"
    );
    let qos = policies(db::sql_built(text).bind(id).rows(conn).await?);
    let domain: Option<String> =
        sql("SELECT dns_domain FROM network WHERE id = $1").bind(id).optional(conn).await?;
    let mut extras =
        NetworkExtras { qos, dns_domain: plain(&domain.unwrap_or_default()), ..NetworkExtras::default() };
    for row in
        sql("SELECT t.id AS trunk, t.port_id AS parent, s.port_id AS port, s.segmentation_id AS vlan, \
         p.network_id AS network, n.mtu AS mtu FROM trunk t LEFT JOIN trunk_subport s ON s.trunk_id = t.id \
         LEFT JOIN port p ON p.id = s.port_id LEFT JOIN network n ON n.id = p.network_id \
         WHERE (SELECT network_id FROM port WHERE id = t.port_id) = $1 ORDER BY s.segmentation_id")
        .bind(id)
        .rows::<TrunkRow>(conn)
        .await?
    {
        let trunk = extras.trunks.entry(row.parent).or_default();
        trunk.id = row.id;
        trunk.subports.extend(row.subport);
    }
    if groups.is_empty() {
        return Ok(extras);
    }
    let mut conditions = Where::default();
    conditions.and("stateful = 0", []).among("id", texts(groups.iter().copied()));
    let stateless: Vec<String> = conditions.statement("SELECT id FROM security_group", "").rows(conn).await?;
    extras.stateless_groups = stateless.into_iter().collect();
    let mut conditions = Where::default();
    conditions.among("r.security_group_id", texts(groups.iter().copied()));
    let referred: Vec<Three> = conditions
        .statement(
            "SELECT r.id AS a, g.id AS b, g.addresses AS c FROM security_group_rule r \
             JOIN address_group g ON g.id = r.remote_address_group_id",
            "",
        )
        .rows(conn)
        .await?;
    for Three(rule, group, addresses) in referred {
        let addresses: Vec<String> = serde_json::from_str(&addresses).unwrap_or_else(|error| {
            tracing::error!(group, %error, "unreadable addresses");
            Vec::new()
        });
        let networks = addresses.iter().filter_map(|address| address.parse::<IpNet>().ok());
        extras.address_groups.entry(group.clone()).or_default().extend(networks.map(|n| n.trunc()));
        extras.rule_groups.insert(rule, group);
    }
    Ok(extras)
}

/// Without the trailing dot that the API wants.
pub(super) fn plain(domain: &str) -> String {
    domain.trim_end_matches('.').to_owned()
}

struct Forwarding {
    floating_ip: String,
    protocol: String,
    plan: Option<ForwardingPlan>,
}

impl db::FromRow for Forwarding {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let port = |column| Ok::<_, db::Error>(u16::try_from(row.int(column)?).unwrap_or_default());
        let address = |column| Ok::<_, db::Error>(row.text(column)?.parse::<Ipv4Addr>().ok());
        let protocol = row.text("protocol")?;
        let number = protocol::number(&protocol).map(Protocol);
        let (external, internal) = (address("floating_ip_address")?, address("internal_ip_address")?);
        let (id, external_ports, internal_ports) = (
            row.text("id")?,
            (port("external_first")?, port("external_last")?),
            (port("internal_first")?, port("internal_last")?),
        );
        let plan = external.zip(internal).zip(number).map(|((floating, internal), protocol)| {
            ForwardingPlan { id, floating, protocol, external_ports, internal, internal_ports }
        });
        Ok(Self { floating_ip: row.text("floating_ip_id")?, protocol, plan })
    }
}

pub async fn of_router(conn: &mut AnyConnection, id: &str) -> Result<RouterExtras> {
    let of = |table: &str, column: &str, condition: &str| {
        format!(
            "SELECT t.id AS of, {QOS_COLUMNS} FROM {table} t \
             JOIN qos_rule r ON r.qos_policy_id = t.{column} WHERE t.{condition} = $1"
        )
    };
    let gateway = db::sql_built(of("router", "gateway_qos_policy_id", "id")).bind(id).rows(conn).await?;
    let floating = db::sql_built(of("floating_ip", "qos_policy_id", "router_id")).bind(id).rows(conn).await?;
    let forwardings: Vec<Forwarding> =
        sql("SELECT p.*, f.floating_ip_address AS floating_ip_address FROM port_forwarding p \
         JOIN floating_ip f ON f.id = p.floating_ip_id WHERE f.router_id = $1 ORDER BY p.id")
        .bind(id)
        .rows(conn)
        .await?;
    let mut extras = RouterExtras {
        gateway_qos: policies(gateway).remove(id).unwrap_or_default(),
        qos: policies(floating),
        ..RouterExtras::default()
    };
    for row in forwardings {
        match row.plan {
            Some(plan) => extras.forwardings.push(plan),
            None => tracing::error!(id, protocol = row.protocol, "a port forwarding that cannot be read"),
        }
        extras.forwarded_by.insert(row.floating_ip);
    }
    Ok(extras)
}
