//! What Nova sees of networks and ports.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkBrief {
    pub id: String,
    pub name: String,
    pub mtu: u32,
    pub shared: bool,
    pub external: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedIp {
    pub subnet_id: String,
    pub address: IpAddr,
    /// Prefix length of the subnet.
    pub prefix: u8,
    pub gateway: Option<IpAddr>,
    pub dns: Vec<IpAddr>,
    /// Host routes: (destination, next hop).
    pub routes: Vec<(IpNet, IpAddr)>,
    /// The floating IP that leads to this address.
    pub floating: Option<Ipv4Addr>,
    /// The subnet's `enable_dhcp`: network_data.json says `ipv4_dhcp` then.
    pub dhcp: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortView {
    pub id: String,
    pub name: String,
    pub project_id: String,
    pub network_id: String,
    pub network_name: String,
    pub mtu: u32,
    pub mac: String,
    pub fixed_ips: Vec<FixedIp>,
    pub device_id: String,
    pub device_owner: String,
    /// (id, name)
    pub security_groups: Vec<(String, String)>,
    pub port_security: bool,
    /// ACTIVE, DOWN
    pub status: String,
    pub vnic_type: String,
    pub tags: Vec<String>,
    /// Made by [`crate::Neutron::allocate_port`]: it goes with its server.
    pub created_by_nova: bool,
}

/// Whose ports are asked for: a server and its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfServer<'a> {
    pub id: &'a str,
    pub project_id: &'a str,
}

/// A port that Nova makes for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocatePort {
    pub network_id: String,
    /// None: any free address.
    pub fixed_ip: Option<IpAddr>,
    /// Ids; empty: the project's default group.
    pub security_groups: Vec<String>,
    pub server_id: String,
    /// The server's host name, handed out by DHCP.
    pub hostname: String,
    pub availability_zone: String,
}
