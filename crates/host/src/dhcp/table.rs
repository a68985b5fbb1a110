//! Who gets what: the plan as DHCP sees it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::options::Extra;
use crate::link::plan::{Mac, parse_mac};
use crate::plan::{NetworkPlan, PortKind, PortPlan, SubnetPlan};

pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Leases by MAC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(pub HashMap<Mac, Lease>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub subnet: Ipv4Net,
    /// The network's own address on this subnet.
    pub server: Ipv4Addr,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub domain: String,
    pub hostname: String,
    pub mtu: u16,
    /// Seconds.
    pub time: u32,
    /// (destination, next hop); the next hop 0.0.0.0 means on the link.
    pub routes: Vec<(Ipv4Net, Ipv4Addr)>,
    /// The port's own options.
    pub extra: Extra,
}

impl Table {
    #[must_use]
    pub fn new(plan: &NetworkPlan) -> Self {
        let subnets: Vec<(&SubnetPlan, Option<Lease>)> =
            plan.subnets.iter().map(|subnet| (subnet, template(plan, subnet))).collect();
        let machines = plan.ports.iter().filter(|port| port.kind == PortKind::Vm && port.admin_up);
        Self(machines.filter_map(|port| Some((parse_mac(&port.mac)?, lease(&subnets, port)?))).collect())
    }
}

/// The port's first address on a subnet that has DHCP.
fn lease(subnets: &[(&SubnetPlan, Option<Lease>)], port: &PortPlan) -> Option<Lease> {
    port.fixed_ips.iter().find_map(|(subnet_id, address)| {
        let (_, template) = subnets.iter().find(|(subnet, _)| subnet.id == *subnet_id)?;
        let mut lease = template.clone()?;
        if !port.dns_domain.is_empty() {
            lease.domain.clone_from(&port.dns_domain);
        }
        let extra = Extra::v4(&port.dhcp_options);
        Some(Lease { address: v4(*address)?, hostname: port.hostname.clone(), extra, ..lease })
    })
}

/// What all leases of a subnet have in common.
fn template(plan: &NetworkPlan, subnet: &SubnetPlan) -> Option<Lease> {
    let (IpNet::V4(cidr), Some(IpAddr::V4(server))) = (subnet.cidr, subnet.dhcp_address) else {
        return None;
    };
    Some(Lease {
        address: Ipv4Addr::UNSPECIFIED,
        subnet: cidr.trunc(),
        server,
        gateway: subnet.gateway.and_then(v4),
        // Without servers of its own, a subnet is served by the DHCP address (see `crate::dns`).
        dns: match subnet.dns_nameservers.as_slice() {
            [] => vec![server],
            own => own.iter().copied().filter_map(v4).collect(),
        },
        domain: subnet.dns_domain.clone(),
        hostname: String::new(),
        mtu: u16::try_from(plan.mtu).unwrap_or(u16::MAX),
        time: subnet.lease_time,
        routes: routes(plan, subnet, server),
        extra: Extra::default(),
    })
}

fn routes(plan: &NetworkPlan, subnet: &SubnetPlan, server: Ipv4Addr) -> Vec<(Ipv4Net, Ipv4Addr)> {
    let mut routes = Vec::new();
    for (destination, next_hop) in &subnet.host_routes {
        if let (IpNet::V4(destination), IpAddr::V4(next_hop)) = (destination, next_hop) {
            routes.push((destination.trunc(), *next_hop));
        }
    }
    let gateway = subnet.gateway.and_then(v4);
    // A gateway address alone routes nothing; with a router behind it, metadata goes where all else goes.
    let routed = plan.ports.iter().any(|port| {
        port.kind == PortKind::Router
            && port.fixed_ips.iter().any(|(_, address)| Some(*address) == subnet.gateway)
    });
    let metadata = if routed { gateway.unwrap_or(server) } else { server };
    routes.push((Ipv4Net::from(METADATA), metadata));
    for other in plan.subnets.iter().filter(|other| other.id != subnet.id) {
        if let IpNet::V4(cidr) = other.cidr {
            routes.push((cidr.trunc(), Ipv4Addr::UNSPECIFIED));
        }
    }
    // Who takes these routes ignores the router option (RFC 3442), so the default route is among them.
    if let Some(gateway) = gateway {
        routes.push((Ipv4Net::default(), gateway));
    }
    routes
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
