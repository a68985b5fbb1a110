//! Subnets: a range of addresses on a network.
//!
//! With `enable_dhcp` the network's one DHCP port has an address on each such subnet; it comes with the first of
//! them and goes with the last.

pub mod api;
pub mod dhcp;
pub mod rules;
pub mod store;
pub mod view;

use std::net::IpAddr;

use db::{FromRow, Row};
use ipnet::IpNet;

use crate::fault;
use crate::ipam::{Pool, Route};
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subnet {
    pub standard: Standard,
    pub network_id: String,
    pub cidr: IpNet,
    pub gateway: Option<IpAddr>,
    pub enable_dhcp: bool,
    pub pools: Vec<Pool>,
    pub nameservers: Vec<IpAddr>,
    pub host_routes: Vec<Route>,
    /// '' or one of [`MODES`]; IPv6 only.
    pub ra_mode: String,
    pub address_mode: String,
    /// The address given out last.
    pub next_address: Option<IpAddr>,
    /// '' for none.
    pub subnetpool_id: String,
    /// Beginnings of the device owners that may have addresses here; none: all.
    pub service_types: Vec<String>,
    pub dns_publish_fixed_ip: bool,
}

pub const MODES: &[&str] = &["dhcpv6-stateful", "dhcpv6-stateless", "slaac"];

impl Subnet {
    pub fn ip_version(&self) -> i64 {
        if self.cidr.network().is_ipv4() { 4 } else { 6 }
    }

    /// Hosts make their addresses themselves.
    pub fn is_auto_address(&self) -> bool {
        matches!(self.address_mode.as_str(), "slaac" | "dhcpv6-stateless")
            || matches!(self.ra_mode.as_str(), "slaac" | "dhcpv6-stateless")
    }
}

fn optional<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

impl FromRow for Subnet {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let cidr: String = row.text("cidr")?;
        Ok(Subnet {
            standard: Standard::read(row)?,
            network_id: row.text("network_id")?,
            // Only parsed CIDRs are written.
            cidr: cidr.parse().unwrap_or_default(),
            gateway: optional(&row.text("gateway_ip")?),
            enable_dhcp: row.bool("enable_dhcp")?,
            pools: row.json("allocation_pools")?,
            nameservers: row.json("dns_nameservers")?,
            host_routes: row.json("host_routes")?,
            ra_mode: row.text("ipv6_ra_mode")?,
            address_mode: row.text("ipv6_address_mode")?,
            next_address: optional(&row.text("next_address")?),
            subnetpool_id: row.text("subnetpool_id")?,
            service_types: row.json("service_types")?,
            dns_publish_fixed_ip: row.bool("dns_publish_fixed_ip")?,
        })
    }
}

impl Subnet {
    pub fn columns(&self) -> Columns {
        let text = |a: Option<IpAddr>| a.map_or_else(String::new, |a| a.to_string());
        let mut columns = self.standard.columns();
        columns.extend([
            ("network_id", (&self.network_id).into()),
            ("ip_version", self.ip_version().into()),
            ("cidr", self.cidr.to_string().into()),
            ("gateway_ip", text(self.gateway).into()),
            ("enable_dhcp", self.enable_dhcp.into()),
            ("allocation_pools", rows::json(&self.pools)),
            ("dns_nameservers", rows::json(&self.nameservers)),
            ("host_routes", rows::json(&self.host_routes)),
            ("ipv6_ra_mode", (&self.ra_mode).into()),
            ("ipv6_address_mode", (&self.address_mode).into()),
            ("next_address", text(self.next_address).into()),
            ("subnetpool_id", (&self.subnetpool_id).into()),
            ("service_types", rows::json(&self.service_types)),
            ("dns_publish_fixed_ip", self.dns_publish_fixed_ip.into()),
        ]);
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("network_id", Kind::Uuid).required().by(Filter::Text("network_id")),
    attr("ip_version", Kind::IpVersion).post().by(Filter::Number("ip_version")),
    attr("cidr", Kind::CidrOrNull).post().by(Filter::Text("cidr")),
    attr("gateway_ip", Kind::AddressOrNull).both().by(Filter::Text("gateway_ip")),
    attr("enable_dhcp", Kind::Flag).both().by(Filter::Flag("enable_dhcp")),
    attr("allocation_pools", Kind::Pools).both(),
    attr("dns_nameservers", Kind::Nameservers).both(),
    attr("host_routes", Kind::Routes).both(),
    attr("ipv6_ra_mode", Kind::OneOfOrNull(MODES)).post().by(Filter::Text("ipv6_ra_mode")),
    attr("ipv6_address_mode", Kind::OneOfOrNull(MODES)).post().by(Filter::Text("ipv6_address_mode")),
    attr("subnetpool_id", Kind::Any).post().by(Filter::Text("subnetpool_id")),
    attr("use_default_subnetpool", Kind::Flag).post(),
    attr("prefixlen", Kind::Int(0, 128)).post(),
    attr("service_types", Kind::TextList).both(),
    attr("dns_publish_fixed_ip", Kind::Flag).both().by(Filter::Flag("dns_publish_fixed_ip")),
    attr("router:external", Kind::Flag).filter(Filter::Room),
    attr("shared", Kind::Flag).filter(Filter::Room),
];

pub const SPEC: Spec = Spec {
    member: "subnet",
    collection: "subnets",
    table: "subnet",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::subnet_not_found,
};
