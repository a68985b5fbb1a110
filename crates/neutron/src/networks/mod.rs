//! Networks: a broadcast domain each, ACTIVE from the start (its bridge is made when something is plugged in, and
//! what waits for it waits by itself).
//!
//! ```text
//! POST ─► ACTIVE ─► DELETE ─► gone          refused while ports of others than DHCP are on it
//! ```

pub mod api;
pub mod provider;
pub mod rules;
pub mod store;
pub mod view;

use db::{FromRow, Row};

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    pub standard: Standard,
    pub admin_state_up: bool,
    pub shared: bool,
    pub external: bool,
    pub is_default: bool,
    pub mtu: i64,
    pub port_security: bool,
    /// `local`; `flat` and `vlan` with a physical network; `vxlan` and `geneve`. Whatever an admin calls it, it is a bridge on
    /// this machine; only `flat` leads out of it.
    pub network_type: String,
    /// '' for none.
    pub physical_network: String,
    /// Of a VLAN or tunnel.
    pub segmentation_id: Option<i64>,
    pub availability_zone_hints: Vec<String>,
    /// With its trailing dot; '' for none.
    pub dns_domain: String,
    /// '' for none.
    pub qos_policy_id: String,
}

impl FromRow for Network {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Network {
            standard: Standard::read(row)?,
            admin_state_up: row.bool("admin_state_up")?,
            shared: row.bool("shared")?,
            external: row.bool("external")?,
            is_default: row.bool("is_default")?,
            mtu: row.int("mtu")?,
            port_security: row.bool("port_security")?,
            network_type: row.text("network_type")?,
            physical_network: row.text("physical_network")?,
            segmentation_id: row.opt_int("segmentation_id")?,
            availability_zone_hints: row.json("availability_zone_hints")?,
            dns_domain: row.text("dns_domain")?,
            qos_policy_id: row.text("qos_policy_id")?,
        })
    }
}

impl Network {
    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("admin_state_up", self.admin_state_up.into()),
            ("shared", self.shared.into()),
            ("external", self.external.into()),
            ("is_default", self.is_default.into()),
            ("mtu", self.mtu.into()),
            ("port_security", self.port_security.into()),
            ("network_type", (&self.network_type).into()),
            ("physical_network", (&self.physical_network).into()),
            ("segmentation_id", self.segmentation_id.into()),
            ("availability_zone_hints", rows::json(&self.availability_zone_hints)),
            ("dns_domain", (&self.dns_domain).into()),
            ("qos_policy_id", (&self.qos_policy_id).into()),
        ]);
        columns
    }
}

const ATTRS: &[Attr] = &[
    attr("admin_state_up", Kind::Flag).both().by(Filter::Flag("admin_state_up")),
    attr("status", Kind::Text(16)).by(Filter::View),
    attr("subnets", Kind::UuidList),
    attr("ipv4_address_scope", Kind::UuidOrNull),
    attr("ipv6_address_scope", Kind::UuidOrNull),
    attr("shared", Kind::Flag).both().admin().by(Filter::View),
    attr("router:external", Kind::Flag).both().admin().by(Filter::Flag("external")),
    attr("is_default", Kind::Flag).both().admin().filter(Filter::Flag("is_default")),
    attr("mtu", Kind::Int(0, 65_535)).both().by(Filter::Number("mtu")),
    attr("port_security_enabled", Kind::Flag).both().by(Filter::Flag("port_security")),
    attr("provider:network_type", Kind::Text(255)).both().admin().by(Filter::Text("network_type")),
    attr("provider:physical_network", Kind::TextOrNull(128))
        .both()
        .admin()
        .by(Filter::Text("physical_network")),
    attr("provider:segmentation_id", Kind::IntOrNull(0, 16_777_215))
        .both()
        .admin()
        .by(Filter::Number("segmentation_id")),
    attr("availability_zone_hints", Kind::TextList).post().filter(Filter::View),
    attr("availability_zones", Kind::TextList).filter(Filter::View),
    attr("dns_domain", Kind::DnsDomain).both().by(Filter::Text("dns_domain")),
    attr("qos_policy_id", Kind::UuidOrNull).both().by(Filter::Text("qos_policy_id")),
];

pub const SPEC: Spec = Spec {
    member: "network",
    collection: "networks",
    table: "network",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::network_not_found,
};
