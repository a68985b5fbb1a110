//! Rules of security groups: what may pass; everything else may not.

pub mod api;
pub mod protocol;
pub mod rules;
pub mod store;
pub mod view;

use db::{FromRow, Row};

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{Bind, Columns};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub project_id: String,
    pub description: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
    pub security_group_id: String,
    /// `ingress` or `egress`
    pub direction: String,
    /// `IPv4` or `IPv6`
    pub ethertype: String,
    /// A name or a number, as it was given; '' for any.
    pub protocol: String,
    pub port_min: Option<i64>,
    pub port_max: Option<i64>,
    pub remote_group: Option<String>,
    /// '' for none.
    pub remote_prefix: String,
    pub remote_address_group: Option<String>,
}

impl FromRow for Rule {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Rule {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            description: row.text("description")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
            revision: row.int("revision")?,
            security_group_id: row.text("security_group_id")?,
            direction: row.text("direction")?,
            ethertype: row.text("ethertype")?,
            protocol: row.text("protocol")?,
            port_min: row.opt_int("port_range_min")?,
            port_max: row.opt_int("port_range_max")?,
            remote_group: row.opt_text("remote_group_id")?,
            remote_prefix: row.text("remote_ip_prefix")?,
            remote_address_group: row.opt_text("remote_address_group_id")?,
        })
    }
}

impl Rule {
    pub fn columns(&self) -> Columns {
        vec![
            ("project_id", (&self.project_id).into()),
            ("description", (&self.description).into()),
            ("created_at", self.created_at.into()),
            ("updated_at", self.updated_at.into()),
            ("revision", self.revision.into()),
            ("security_group_id", (&self.security_group_id).into()),
            ("direction", (&self.direction).into()),
            ("ethertype", (&self.ethertype).into()),
            ("protocol", (&self.protocol).into()),
            ("port_range_min", self.port_min.into()),
            ("port_range_max", self.port_max.into()),
            ("remote_group_id", Bind::OptText(self.remote_group.clone())),
            ("remote_ip_prefix", (&self.remote_prefix).into()),
            ("remote_address_group_id", Bind::OptText(self.remote_address_group.clone())),
            ("fingerprint", rules::fingerprint(self).into()),
        ]
    }
}

const ATTRS: &[Attr] = &[
    attr("security_group_id", Kind::Uuid).required().by(Filter::Text("security_group_id")),
    attr("direction", Kind::OneOf(&["ingress", "egress"])).required().by(Filter::Text("direction")),
    attr("ethertype", Kind::Any).post().by(Filter::Text("ethertype")),
    attr("protocol", Kind::Any).post().by(Filter::View),
    attr("port_range_min", Kind::Any).post().by(Filter::View),
    attr("port_range_max", Kind::Any).post().by(Filter::View),
    attr("remote_group_id", Kind::TextOrNull(255)).post().by(Filter::View),
    attr("remote_ip_prefix", Kind::Any).post().by(Filter::View),
    attr("normalized_cidr", Kind::Any).filter(Filter::View),
    attr("remote_address_group_id", Kind::UuidOrNull).post().by(Filter::View),
    attr("belongs_to_default_sg", Kind::Flag).filter(Filter::View),
];

pub const SPEC: Spec = Spec {
    member: "security_group_rule",
    collection: "security_group_rules",
    table: "security_group_rule",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Unnamed,
    not_found: fault::security_group_rule_not_found,
};

#[cfg(test)]
mod tests;
