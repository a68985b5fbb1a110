//! Floating IPs: an address of an external network that leads to a port.
//!
//! ```text
//!          port given, applied on its router
//!   DOWN ─────────────────────────────────► ACTIVE
//!        ◄─────────────────────────────────
//!          port taken away, gone from the router that carried it
//! ```

pub mod api;
pub mod pools;
pub mod rules;
pub mod store;
pub mod view;

use std::net::{IpAddr, Ipv4Addr};

use db::{FromRow, Row};

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::Columns;
use crate::standard::Standard;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingIp {
    pub standard: Standard,
    pub floating_network_id: String,
    pub floating_port_id: String,
    pub floating_address: Ipv4Addr,
    pub target: Option<Target>,
    /// DOWN, ACTIVE
    pub status: String,
    /// The router that may still carry it; '' for none.
    pub carried_by: String,
    /// The router that carries its port forwardings; '' without any, and while it leads to a port.
    pub forwarded_by: String,
    /// '' for none.
    pub qos_policy_id: String,
    pub dns_name: String,
    pub dns_domain: String,
}

/// Where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub port_id: String,
    pub fixed: Ipv4Addr,
    pub router_id: String,
}

impl FromRow for FloatingIp {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        // Only parsed addresses are written.
        let address = |column| -> db::Result<Ipv4Addr> {
            Ok(row.text(column)?.parse().unwrap_or(Ipv4Addr::UNSPECIFIED))
        };
        let (port_id, router_id) = (row.text("port_id")?, row.text("router_id")?);
        let (target, forwarded_by) = if port_id.is_empty() {
            (None, router_id)
        } else {
            (Some(Target { port_id, fixed: address("fixed_ip_address")?, router_id }), String::new())
        };
        Ok(FloatingIp {
            standard: Standard::read(row)?,
            floating_network_id: row.text("floating_network_id")?,
            floating_port_id: row.text("floating_port_id")?,
            floating_address: address("floating_ip_address")?,
            target,
            status: row.text("status")?,
            carried_by: row.text("carried_by")?,
            forwarded_by,
            qos_policy_id: row.text("qos_policy_id")?,
            dns_name: row.text("dns_name")?,
            dns_domain: row.text("dns_domain")?,
        })
    }
}

impl FloatingIp {
    pub fn columns(&self) -> Columns {
        let target = self.target.as_ref();
        let mut columns = self.standard.columns();
        columns.extend([
            ("floating_network_id", (&self.floating_network_id).into()),
            ("floating_port_id", (&self.floating_port_id).into()),
            ("floating_ip_address", self.floating_address.to_string().into()),
            ("port_id", target.map_or("", |t| t.port_id.as_str()).into()),
            ("fixed_ip_address", target.map_or_else(String::new, |t| t.fixed.to_string()).into()),
            ("router_id", target.map_or(self.forwarded_by.as_str(), |t| t.router_id.as_str()).into()),
            ("status", (&self.status).into()),
            ("carried_by", (&self.carried_by).into()),
            ("qos_policy_id", (&self.qos_policy_id).into()),
            ("dns_name", (&self.dns_name).into()),
            ("dns_domain", (&self.dns_domain).into()),
        ]);
        columns
    }
}

/// Only IPv4 is translated.
pub fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

const ATTRS: &[Attr] = &[
    attr("floating_network_id", Kind::Uuid).required().by(Filter::Text("floating_network_id")),
    attr("floating_ip_address", Kind::AddressOrNull).post().manager().by(Filter::Text("floating_ip_address")),
    attr("subnet_id", Kind::UuidOrNull).post(),
    attr("port_id", Kind::UuidOrNull).both().by(Filter::Text("port_id")),
    attr("fixed_ip_address", Kind::AddressOrNull).both().by(Filter::Text("fixed_ip_address")),
    attr("router_id", Kind::Uuid).by(Filter::Text("router_id")),
    attr("status", Kind::Text(16)).by(Filter::Text("status")),
    attr("port_details", Kind::Object),
    attr("port_forwardings", Kind::Any),
    attr("qos_policy_id", Kind::UuidOrNull).both().by(Filter::Text("qos_policy_id")),
    attr("qos_network_policy_id", Kind::UuidOrNull).filter(Filter::View),
    attr("dns_name", Kind::DnsName).post().by(Filter::Text("dns_name")),
    attr("dns_domain", Kind::DnsDomain).post().by(Filter::Text("dns_domain")),
];

pub const SPEC: Spec = Spec {
    member: "floatingip",
    collection: "floatingips",
    table: "floating_ip",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::floating_ip_not_found,
};
