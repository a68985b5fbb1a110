//! Port forwardings: ports of a floating IP that lead to ports of machines behind one router.
//!
//! ```text
//! first forwarding ─► the floating IP belongs to the router of its target ─► last one gone ─► to none again
//! ```

pub mod api;
pub mod rules;
pub mod store;

use std::net::Ipv4Addr;

use base::Error;
use db::{FromRow, Row};
use serde_json::json;

use crate::request::{Attr, Extent, Filter, Kind, Spec, View, attr};
use crate::rows::Columns;

/// Both ends inclusive.
pub type PortRange = (i64, i64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortForwarding {
    pub id: String,
    pub floating_ip_id: String,
    pub project_id: String,
    pub description: String,
    pub protocol: String,
    pub internal_port_id: String,
    pub internal_address: Ipv4Addr,
    /// One port, or as many as `external`.
    pub internal: PortRange,
    pub external: PortRange,
    pub created_at: i64,
    pub updated_at: i64,
    pub revision: i64,
}

impl FromRow for PortForwarding {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(PortForwarding {
            id: row.text("id")?,
            floating_ip_id: row.text("floating_ip_id")?,
            project_id: row.text("project_id")?,
            description: row.text("description")?,
            protocol: row.text("protocol")?,
            internal_port_id: row.text("internal_port_id")?,
            // Only parsed addresses are written.
            internal_address: row.text("internal_ip_address")?.parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
            internal: (row.int("internal_first")?, row.int("internal_last")?),
            external: (row.int("external_first")?, row.int("external_last")?),
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
            revision: row.int("revision")?,
        })
    }
}

impl PortForwarding {
    pub fn columns(&self) -> Columns {
        vec![
            ("floating_ip_id", (&self.floating_ip_id).into()),
            ("project_id", (&self.project_id).into()),
            ("description", (&self.description).into()),
            ("protocol", (&self.protocol).into()),
            ("internal_port_id", (&self.internal_port_id).into()),
            ("internal_ip_address", self.internal_address.to_string().into()),
            ("internal_first", self.internal.0.into()),
            ("internal_last", self.internal.1.into()),
            ("external_first", self.external.0.into()),
            ("external_last", self.external.1.into()),
            ("created_at", self.created_at.into()),
            ("updated_at", self.updated_at.into()),
            ("revision", self.revision.into()),
        ]
    }

    pub fn view(&self) -> View {
        let mut view = View::new();
        view.insert("id".into(), json!(self.id));
        view.insert("internal_port_id".into(), json!(self.internal_port_id));
        self.ends(&mut view);
        view.insert("description".into(), json!(self.description));
        view
    }

    /// As its floating IP shows it: of a single port there is no range.
    pub fn in_floating_ip(&self) -> View {
        let mut view = self.view();
        view.shift_remove("description");
        for name in ["internal_port", "external_port"] {
            if view.contains_key(name) {
                view.shift_remove(&format!("{name}_range"));
            }
        }
        view
    }

    fn ends(&self, view: &mut View) {
        view.insert("protocol".into(), json!(self.protocol));
        view.insert("internal_ip_address".into(), json!(self.internal_address));
        for (name, (first, last)) in [("internal_port", self.internal), ("external_port", self.external)] {
            if first == last {
                view.insert(name.into(), json!(first));
            }
            view.insert(format!("{name}_range"), json!(format!("{first}:{last}")));
        }
    }
}

const PROTOCOLS: &[&str] = &["tcp", "udp", "icmp", "icmp6", "sctp", "dccp"];

const ATTRS: &[Attr] = &[
    attr("internal_port_id", Kind::Uuid).required().put().by(Filter::Text("internal_port_id")),
    attr("internal_ip_address", Kind::Address).required().put().by(Filter::Text("internal_ip_address")),
    attr("protocol", Kind::OneOf(PROTOCOLS)).required().put().by(Filter::Text("protocol")),
    attr("internal_port", Kind::IntOrNull(1, 65_535)).both().by(Filter::View),
    attr("external_port", Kind::IntOrNull(1, 65_535)).both().by(Filter::View),
    attr("internal_port_range", Kind::Any).both().by(Filter::View),
    attr("external_port_range", Kind::Any).both().by(Filter::View),
    attr("description", Kind::Text(255)).both().by(Filter::Text("description")),
];

pub const SPEC: Spec = Spec {
    member: "port_forwarding",
    collection: "port_forwardings",
    table: "port_forwarding",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Bare,
    not_found,
};

pub fn not_found(id: &str) -> Error {
    Error::not_found(format!("Port Forwarding {id} could not be found.")).code("PortForwardingNotFound")
}
