//! The rules that new security groups begin with: the operator's to say.

pub mod api;
pub mod store;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use db::{AnyConnection, FromRow, Row};
use serde_json::{Value, json};

use crate::Neutron;
use crate::request::{Attr, Extent, Filter, Kind, Resource, Spec, View, attr};
use crate::rows::{Columns, Where};

/// Stands for the new group itself.
pub const PARENT: &str = "PARENT";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRule {
    pub id: String,
    pub description: String,
    pub direction: String,
    pub ethertype: String,
    /// '' for any.
    pub protocol: String,
    pub port_min: Option<i64>,
    pub port_max: Option<i64>,
    pub remote_prefix: String,
    pub remote_group: String,
    pub remote_address_group: String,
    pub in_default: bool,
    pub in_others: bool,
    pub created_at: i64,
}

impl FromRow for DefaultRule {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(DefaultRule {
            id: row.text("id")?,
            description: row.text("description")?,
            direction: row.text("direction")?,
            ethertype: row.text("ethertype")?,
            protocol: row.text("protocol")?,
            port_min: row.opt_int("port_range_min")?,
            port_max: row.opt_int("port_range_max")?,
            remote_prefix: row.text("remote_ip_prefix")?,
            remote_group: row.text("remote_group_id")?,
            remote_address_group: row.text("remote_address_group_id")?,
            in_default: row.bool("used_in_default_sg")?,
            in_others: row.bool("used_in_non_default_sg")?,
            created_at: row.int("created_at")?,
        })
    }
}

impl DefaultRule {
    fn columns(&self) -> Columns {
        vec![
            ("description", (&self.description).into()),
            ("direction", (&self.direction).into()),
            ("ethertype", (&self.ethertype).into()),
            ("protocol", (&self.protocol).into()),
            ("port_range_min", self.port_min.into()),
            ("port_range_max", self.port_max.into()),
            ("remote_ip_prefix", (&self.remote_prefix).into()),
            ("remote_group_id", (&self.remote_group).into()),
            ("remote_address_group_id", (&self.remote_address_group).into()),
            ("used_in_default_sg", self.in_default.into()),
            ("used_in_non_default_sg", self.in_others.into()),
            ("created_at", self.created_at.into()),
            ("updated_at", self.created_at.into()),
            ("revision", 0.into()),
        ]
    }
}

const ATTRS: &[Attr] = &[
    attr("direction", Kind::OneOf(&["ingress", "egress"])).required().by(Filter::Text("direction")),
    attr("ethertype", Kind::Any).post().by(Filter::Text("ethertype")),
    attr("protocol", Kind::Any).post().by(Filter::View),
    attr("port_range_min", Kind::Any).post().by(Filter::View),
    attr("port_range_max", Kind::Any).post().by(Filter::View),
    attr("remote_group_id", Kind::Any).post().by(Filter::View),
    attr("remote_address_group_id", Kind::UuidOrNull).post().by(Filter::View),
    attr("remote_ip_prefix", Kind::Any).post().by(Filter::View),
    attr("used_in_default_sg", Kind::Flag).post().by(Filter::Flag("used_in_default_sg")),
    attr("used_in_non_default_sg", Kind::Flag).post().by(Filter::Flag("used_in_non_default_sg")),
    attr("description", Kind::Text(255)).post().by(Filter::Text("description")),
];

pub const SPEC: Spec = Spec {
    member: "default_security_group_rule",
    collection: "default_security_group_rules",
    table: "default_security_group_rule",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Nobodys,
    not_found,
};

fn not_found(id: &str) -> Error {
    Error::not_found(format!("Default Security Group rule {id} does not exist"))
        .code("DefaultSecurityGroupRuleNotFound")
}

/// Everybody may read them; they are nobody's.
#[async_trait]
impl Resource for DefaultRule {
    const SPEC: &'static Spec = &SPEC;

    fn scope(_: &Ctx, _: &mut Where) {}

    async fn views(_: &Neutron, _: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        Ok(rows.iter().map(view).collect())
    }
}

fn view(rule: &DefaultRule) -> View {
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
    let pairs: [(&str, Value); 12] = [
        ("id", json!(rule.id)),
        ("direction", json!(rule.direction)),
        ("ethertype", json!(rule.ethertype)),
        ("protocol", text(&rule.protocol)),
        ("port_range_min", json!(rule.port_min)),
        ("port_range_max", json!(rule.port_max)),
        ("remote_ip_prefix", text(&rule.remote_prefix)),
        ("remote_group_id", text(&rule.remote_group)),
        ("remote_address_group_id", text(&rule.remote_address_group)),
        ("used_in_default_sg", json!(rule.in_default)),
        ("used_in_non_default_sg", json!(rule.in_others)),
        ("description", json!(rule.description)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
