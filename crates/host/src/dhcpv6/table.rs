//! Who gets what: the plan as DHCPv6 sees it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::dhcp::options;
use crate::link::plan::{Mac, parse_mac};
use crate::plan::{Dhcpv6, NetworkPlan, PortKind, PortPlan, SubnetPlan};

/// Leases by MAC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(pub HashMap<Mac, Lease>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// Of subnets whose addresses come by DHCPv6.
    pub addresses: Vec<Ipv6Addr>,
    pub dns: Vec<Ipv6Addr>,
    pub domain: String,
    /// Seconds.
    pub time: u32,
    /// The port's own options.
    pub extra: Vec<(u16, Vec<u8>)>,
}

impl Table {
    #[must_use]
    pub fn new(plan: &NetworkPlan) -> Self {
        let served: HashMap<&str, &SubnetPlan> = plan
            .subnets
            .iter()
            .filter(|subnet| subnet.dhcpv6 != Dhcpv6::Off)
            .map(|subnet| (subnet.id.as_str(), subnet))
            .collect();
        if served.is_empty() {
            return Self::default();
        }
        let machines = plan.ports.iter().filter(|port| port.kind == PortKind::Vm && port.admin_up);
        Self(machines.filter_map(|port| Some((parse_mac(&port.mac)?, lease(&served, port)?))).collect())
    }
}

/// `None` for a port without an address on such a subnet.
fn lease(served: &HashMap<&str, &SubnetPlan>, port: &PortPlan) -> Option<Lease> {
    let mut lease: Option<Lease> = None;
    for (subnet_id, address) in &port.fixed_ips {
        let (Some(subnet), IpAddr::V6(address)) = (served.get(subnet_id.as_str()), address) else { continue };
        let lease = lease.get_or_insert_with(|| Lease {
            domain: subnet.dns_domain.clone(),
            time: subnet.lease_time,
            extra: options::v6(&port.dhcp_options),
            ..Lease::default()
        });
        if subnet.dhcpv6 == Dhcpv6::Stateful {
            lease.addresses.push(*address);
        }
        for server in &subnet.dns_nameservers {
            if let IpAddr::V6(server) = server
                && !lease.dns.contains(server)
            {
                lease.dns.push(*server);
            }
        }
    }
    lease
}
