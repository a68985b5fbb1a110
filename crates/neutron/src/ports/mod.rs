//! Ports: a MAC address on a network, its addresses and its security groups.
//!
//! ```text
//!             nova: its machine runs            applied by the reconciler
//!   DOWN ◄──────────────────────────► ACTIVE ◄─────────────────────────── DHCP, router and gateway ports
//!   N/A        a floating IP's reservation
//! ```

pub mod addresses;
pub mod api;
mod filters;
pub mod macs;
pub mod rules;
pub mod store;
pub mod view;

use std::net::IpAddr;

use db::{FromRow, Row};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault;
use crate::request::{Attr, Extent, Filter, Kind, Spec, attr};
use crate::rows::{self, Columns};
use crate::standard::Standard;

pub const DHCP: &str = "network:dhcp";
pub const ROUTER_INTERFACE: &str = "network:router_interface";
pub const ROUTER_GATEWAY: &str = "network:router_gateway";
pub const FLOATING_IP: &str = "network:floatingip";
/// What ports of load balancers say; whose they are says [`Port::balancer_id`].
pub const LOAD_BALANCER: &str = "Octavia";

/// What the port's kind of interface is; only ordinary ones exist on one machine without special hardware.
pub const VNIC_TYPES: &[&str] = &[
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
];

#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub standard: Standard,
    pub network_id: String,
    pub mac: String,
    pub admin_state_up: bool,
    pub status: String,
    pub device_id: String,
    pub device_owner: String,
    pub port_security: bool,
    pub pairs: Vec<AddressPair>,
    /// '' while it is not bound.
    pub binding_host: String,
    pub binding_profile: Value,
    pub vnic_type: String,
    pub hostname: String,
    pub created_by_nova: bool,
    pub attached_at: i64,
    /// '' for none of its own.
    pub qos_policy_id: String,
    pub dns_name: String,
    pub dns_domain: String,
    pub dhcp_options: Vec<DhcpOption>,
    pub propagate_uplink_status: bool,
    /// The load balancer that has it; ''. Owners may write what they like into `device_owner`, but not this.
    pub balancer_id: String,
}

/// An option of `extra_dhcp_opts`: a name as dnsmasq has it, or a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOption {
    pub opt_name: String,
    pub opt_value: String,
    pub ip_version: i64,
}

/// `ip_address` is an address or a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    pub mac_address: String,
    pub ip_address: String,
}

impl AddressPair {
    pub fn net(&self) -> Option<IpNet> {
        self.ip_address.parse().ok().or_else(|| self.ip_address.parse::<IpAddr>().ok().map(IpNet::from))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedIp {
    pub subnet_id: String,
    pub address: IpAddr,
}

/// A port with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct FullPort {
    pub port: Port,
    pub fixed_ips: Vec<FixedIp>,
    /// Ids of its security groups.
    pub groups: Vec<String>,
}

impl FromRow for Port {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Port {
            standard: Standard::read(row)?,
            network_id: row.text("network_id")?,
            mac: row.text("mac_address")?,
            admin_state_up: row.bool("admin_state_up")?,
            status: row.text("status")?,
            device_id: row.text("device_id")?,
            device_owner: row.text("device_owner")?,
            port_security: row.bool("port_security")?,
            pairs: row.json("allowed_address_pairs")?,
            binding_host: row.text("binding_host")?,
            binding_profile: row.json("binding_profile")?,
            vnic_type: row.text("vnic_type")?,
            hostname: row.text("hostname")?,
            created_by_nova: row.bool("created_by_nova")?,
            attached_at: row.int("attached_at")?,
            qos_policy_id: row.text("qos_policy_id")?,
            dns_name: row.text("dns_name")?,
            dns_domain: row.text("dns_domain")?,
            dhcp_options: row.json("extra_dhcp_opts")?,
            propagate_uplink_status: row.bool("uplink_status")?,
            balancer_id: row.text("balancer_id")?,
        })
    }
}

impl Port {
    /// A port that the cloud makes for itself; it belongs to nobody unless `project_id` says.
    pub fn internal(
        project_id: &str,
        network_id: &str,
        device_owner: &str,
        device_id: &str,
        mac: String,
    ) -> Self {
        Port {
            standard: Standard::new(project_id, "", ""),
            network_id: network_id.into(),
            mac,
            admin_state_up: true,
            status: "DOWN".into(),
            device_id: device_id.into(),
            device_owner: device_owner.into(),
            port_security: false,
            pairs: Vec::new(),
            binding_host: String::new(),
            binding_profile: Value::Object(serde_json::Map::new()),
            vnic_type: "normal".into(),
            hostname: String::new(),
            created_by_nova: false,
            attached_at: base::time::now(),
            qos_policy_id: String::new(),
            dns_name: String::new(),
            dns_domain: String::new(),
            dhcp_options: Vec::new(),
            propagate_uplink_status: true,
            balancer_id: String::new(),
        }
    }

    pub fn columns(&self) -> Columns {
        let mut columns = self.standard.columns();
        columns.extend([
            ("network_id", (&self.network_id).into()),
            ("mac_address", (&self.mac).into()),
            ("admin_state_up", self.admin_state_up.into()),
            ("status", (&self.status).into()),
            ("device_id", (&self.device_id).into()),
            ("device_owner", (&self.device_owner).into()),
            ("port_security", self.port_security.into()),
            ("allowed_address_pairs", rows::json(&self.pairs)),
            ("binding_host", (&self.binding_host).into()),
            ("binding_profile", rows::json(&self.binding_profile)),
            ("vnic_type", (&self.vnic_type).into()),
            ("hostname", (&self.hostname).into()),
            ("created_by_nova", self.created_by_nova.into()),
            ("attached_at", self.attached_at.into()),
            ("qos_policy_id", (&self.qos_policy_id).into()),
            ("dns_name", (&self.dns_name).into()),
            ("dns_domain", (&self.dns_domain).into()),
            ("extra_dhcp_opts", rows::json(&self.dhcp_options)),
            ("uplink_status", self.propagate_uplink_status.into()),
            ("balancer_id", (&self.balancer_id).into()),
        ]);
        columns
    }

    /// Ports of the cloud itself: no security groups, no anti-spoofing.
    pub fn is_trusted(&self) -> bool {
        self.device_owner.starts_with("network:")
    }

    pub fn is_router_port(&self) -> bool {
        self.device_owner == ROUTER_INTERFACE || self.device_owner == ROUTER_GATEWAY
    }
}

const ATTRS: &[Attr] = &[
    attr("network_id", Kind::Uuid).required().by(Filter::Text("network_id")),
    attr("mac_address", Kind::MacOrNull).both().by(Filter::Text("mac_address")),
    attr("admin_state_up", Kind::Flag).both().by(Filter::Flag("admin_state_up")),
    attr("status", Kind::Text(16)).by(Filter::Text("status")),
    attr("fixed_ips", Kind::FixedIps).both().filter(Filter::Room),
    attr("device_id", Kind::TextOrNull(255)).both().by(Filter::Text("device_id")),
    attr("device_owner", Kind::TextOrNull(255)).both().by(Filter::Text("device_owner")),
    attr("security_groups", Kind::UuidList).both().filter(Filter::Room),
    attr("port_security_enabled", Kind::Flag).both().filter(Filter::Flag("port_security")),
    attr("allowed_address_pairs", Kind::AddressPairs).both(),
    attr("binding:host_id", Kind::TextOrNull(255)).both().admin().by(Filter::Text("binding_host")),
    attr("binding:profile", Kind::ObjectOrNull).both().admin(),
    attr("binding:vnic_type", Kind::OneOf(VNIC_TYPES)).both().by(Filter::Text("vnic_type")),
    attr("binding:vif_type", Kind::Text(64)).filter(Filter::View),
    attr("qos_policy_id", Kind::UuidOrNull).both().by(Filter::Text("qos_policy_id")),
    attr("qos_network_policy_id", Kind::UuidOrNull).filter(Filter::View),
    attr("dns_name", Kind::DnsName).both().by(Filter::Text("dns_name")),
    attr("dns_domain", Kind::DnsDomain).both().by(Filter::Text("dns_domain")),
    attr("extra_dhcp_opts", Kind::DhcpOptions).both(),
    attr("propagate_uplink_status", Kind::Flag).both(),
    attr("ip_allocation", Kind::Text(16)).filter(Filter::View),
];

pub const SPEC: Spec = Spec {
    member: "port",
    collection: "ports",
    table: "port",
    attrs: ATTRS,
    bulk: true,
    extent: Extent::Full,
    not_found: fault::port_not_found,
};
