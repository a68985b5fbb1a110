//! QoS policies and their rules. Networks, ports, floating IPs and routers' gateways refer to a policy; what a rule
//! means on the wire is the plane's to say.

pub mod api;
pub mod rules;
pub mod store;
pub mod view;

use base::Error;
use db::{FromRow, Row};
use serde_json::{Value, json};

use crate::request::{Attr, Extent, Filter, Kind, Spec, View, attr};
use crate::rows::Columns;
use crate::standard::Standard;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QosPolicy {
    pub standard: Standard,
    pub shared: bool,
    /// New networks of its project get it.
    pub is_default: bool,
}

impl FromRow for QosPolicy {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(QosPolicy {
            standard: Standard::read(row)?,
            shared: row.bool("shared")?,
            is_default: row.bool("is_default")?,
        })
    }
}

const ATTRS: &[Attr] = &[
    attr("shared", Kind::Flag).both().by(Filter::View),
    attr("is_default", Kind::Flag).both().by(Filter::Flag("is_default")),
    attr("rules", Kind::Any),
];

pub const SPEC: Spec = Spec {
    member: "policy",
    collection: "policies",
    table: "qos_policy",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Full,
    not_found,
};

pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("QoS policy {id} could not be found.")).code("QosPolicyNotFound")
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QosRule {
    pub id: String,
    pub qos_policy_id: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// `egress` (from the machine), `ingress` or, of a least packet rate, `any`; '' where it means nothing.
    pub direction: String,
    pub max_kbps: i64,
    pub max_burst_kbps: i64,
    pub min_kbps: i64,
    pub dscp_mark: i64,
    pub max_kpps: i64,
    pub max_burst_kpps: i64,
    pub min_kpps: i64,
    pub created_at: i64,
}

impl FromRow for QosRule {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(QosRule {
            id: row.text("id")?,
            qos_policy_id: row.text("qos_policy_id")?,
            kind: row.text("kind")?,
            direction: row.text("direction")?,
            max_kbps: row.int("max_kbps")?,
            max_burst_kbps: row.int("max_burst_kbps")?,
            min_kbps: row.int("min_kbps")?,
            dscp_mark: row.int("dscp_mark")?,
            max_kpps: row.int("max_kpps")?,
            max_burst_kpps: row.int("max_burst_kpps")?,
            min_kpps: row.int("min_kpps")?,
            created_at: row.int("created_at")?,
        })
    }
}

impl QosRule {
    pub fn columns(&self) -> Columns {
        vec![
            ("qos_policy_id", (&self.qos_policy_id).into()),
            ("kind", (&self.kind).into()),
            ("direction", (&self.direction).into()),
            ("max_kbps", self.max_kbps.into()),
            ("max_burst_kbps", self.max_burst_kbps.into()),
            ("min_kbps", self.min_kbps.into()),
            ("dscp_mark", self.dscp_mark.into()),
            ("max_kpps", self.max_kpps.into()),
            ("max_burst_kpps", self.max_burst_kpps.into()),
            ("min_kpps", self.min_kpps.into()),
            ("created_at", self.created_at.into()),
        ]
    }

    pub fn view(&self) -> View {
        let mut view = View::new();
        view.insert("id".into(), json!(self.id));
        view.insert("qos_policy_id".into(), json!(self.qos_policy_id));
        for (name, value) in self.values() {
            view.insert(name.into(), value);
        }
        view
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let direction = ("direction", json!(self.direction));
        match self.kind.as_str() {
            "bandwidth_limit" => vec![
                ("max_kbps", json!(self.max_kbps)),
                ("max_burst_kbps", json!(self.max_burst_kbps)),
                direction,
            ],
            "dscp_marking" => vec![("dscp_mark", json!(self.dscp_mark))],
            "packet_rate_limit" => vec![
                ("max_kpps", json!(self.max_kpps)),
                ("max_burst_kpps", json!(self.max_burst_kpps)),
                direction,
            ],
            "minimum_packet_rate" => vec![("min_kpps", json!(self.min_kpps)), direction],
            _ => vec![("min_kbps", json!(self.min_kbps)), direction],
        }
    }
}

/// (kind, the word for one in bodies, the word for all in paths and bodies)
pub const KINDS: &[(&str, &str, &str)] = &[
    ("bandwidth_limit", "bandwidth_limit_rule", "bandwidth_limit_rules"),
    ("dscp_marking", "dscp_marking_rule", "dscp_marking_rules"),
    ("minimum_bandwidth", "minimum_bandwidth_rule", "minimum_bandwidth_rules"),
    ("packet_rate_limit", "packet_rate_limit_rule", "packet_rate_limit_rules"),
    ("minimum_packet_rate", "minimum_packet_rate_rule", "minimum_packet_rate_rules"),
];

const RULE: Extent = Extent::Nobodys;

const BANDWIDTH: &[Attr] = &[
    attr("max_kbps", Kind::Int(0, rules::MAX)).required().put().by(Filter::Number("max_kbps")),
    attr("max_burst_kbps", Kind::Int(0, rules::MAX)).both().by(Filter::Number("max_burst_kbps")),
    attr("direction", Kind::OneOf(&["egress", "ingress"])).both().by(Filter::Text("direction")),
];
const DSCP: &[Attr] = &[attr("dscp_mark", Kind::Any).required().put().by(Filter::Number("dscp_mark"))];
const MINIMUM: &[Attr] = &[
    attr("min_kbps", Kind::Int(0, rules::MAX)).required().put().by(Filter::Number("min_kbps")),
    attr("direction", Kind::OneOf(&["egress", "ingress"])).both().by(Filter::Text("direction")),
];
const PACKETS: &[Attr] = &[
    attr("max_kpps", Kind::Int(0, rules::MAX)).required().put().by(Filter::Number("max_kpps")),
    attr("max_burst_kpps", Kind::Int(0, rules::MAX)).both().by(Filter::Number("max_burst_kpps")),
    attr("direction", Kind::OneOf(&["egress", "ingress"])).both().by(Filter::Text("direction")),
];
const LEAST_PACKETS: &[Attr] = &[
    attr("min_kpps", Kind::Int(0, rules::MAX)).required().put().by(Filter::Number("min_kpps")),
    attr("direction", Kind::OneOf(&["egress", "ingress", "any"])).both().by(Filter::Text("direction")),
];

const fn spec(at: usize, attrs: &'static [Attr]) -> Spec {
    Spec {
        member: KINDS[at].1,
        collection: KINDS[at].2,
        table: "qos_rule",
        attrs,
        bulk: false,
        extent: RULE,
        not_found: rules::rule_not_found,
    }
}

/// In the order of [`KINDS`].
pub static RULE_SPECS: [Spec; 5] =
    [spec(0, BANDWIDTH), spec(1, DSCP), spec(2, MINIMUM), spec(3, PACKETS), spec(4, LEAST_PACKETS)];
