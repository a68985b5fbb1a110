//! Rows of one network or router as the host's plan. Pure: the same rows give the same plan, whatever their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use host::plan::{
    DhcpOptionPlan, Dhcpv6, Direction, FloatingIpPlan, HostLinkPlan, NetworkPlan, PortKind, PortPlan,
    PrefixPlan, Protocol, RaMode, Remote, RouterGateway, RouterPlan, RouterPort, RulePlan, SubnetPlan,
};
use ipnet::IpNet;

use super::extras;
use super::ports::PlanPort;
use super::store::{NetworkRows, RouterRows};
use crate::networks::Network;
use crate::ports::{DHCP, DhcpOption, FullPort};
use crate::security_group_rules::{Rule, protocol};
use crate::subnets::Subnet;
use crate::trunks::SUBPORT;

/// A day, as Neutron's `dhcp_lease_duration`.
const LEASE_TIME: u32 = 86_400;

pub fn network(rows: &NetworkRows, dns_domain: &str, external_gateway_hosts: bool) -> NetworkPlan {
    let dhcp = rows.ports.iter().find(|p| p.device_owner == DHCP);
    let domain = if rows.extras.dns_domain.is_empty() { dns_domain } else { &rows.extras.dns_domain };
    let mut subnets: Vec<SubnetPlan> = rows.subnets.iter().map(|s| subnet(s, dhcp, domain)).collect();
    subnets.sort_by(|a, b| a.id.cmp(&b.id));
    let mut unions = HashMap::new();
    let mut ports: Vec<PortPlan> = rows
        .ports
        .iter()
        .map(|p| {
            // Most ports have the same groups as many others.
            let rules: &Arc<[RulePlan]> = unions.entry(&p.groups).or_insert_with(|| rules(&p.groups, rows));
            port(p, rules, rows)
        })
        .collect();
    ports.sort_by(|a, b| a.id.cmp(&b.id));
    NetworkPlan {
        id: rows.network.standard.id.clone(),
        mtu: mtu(&rows.network),
        subnets,
        ports,
        groups: groups(rows),
        host_link: (rows.host_joins && external_gateway_hosts).then(|| host_link(rows)),
    }
}

fn mtu(network: &Network) -> u32 {
    u32::try_from(network.mtu).unwrap_or(1500)
}

/// The host is the external subnets' gateway, unless a port has that address.
fn host_link(rows: &NetworkRows) -> HostLinkPlan {
    let taken =
        |address: IpAddr| rows.ports.iter().any(|p| p.fixed_ips.iter().any(|(_, fixed)| *fixed == address));
    let mut addresses: Vec<IpNet> = rows
        .subnets
        .iter()
        .filter_map(|s| Some((s.gateway.filter(|g| s.cidr.contains(g))?, s.cidr.prefix_len())))
        .filter(|(gateway, _)| !taken(*gateway))
        .filter_map(|(gateway, prefix)| IpNet::new(gateway, prefix).ok())
        .collect();
    addresses.sort();
    HostLinkPlan { addresses }
}

fn subnet(subnet: &Subnet, dhcp: Option<&PlanPort>, dns_domain: &str) -> SubnetPlan {
    let id = &subnet.standard.id;
    let dhcp_address = dhcp
        .filter(|_| subnet.enable_dhcp)
        .and_then(|p| p.fixed_ips.iter().find(|(subnet, _)| subnet == id))
        .map(|(_, address)| *address);
    SubnetPlan {
        id: id.clone(),
        cidr: subnet.cidr,
        gateway: subnet.gateway,
        dns_nameservers: subnet.nameservers.clone(),
        host_routes: subnet.host_routes.iter().map(|r| (r.destination, r.nexthop)).collect(),
        dhcp_address,
        lease_time: LEASE_TIME,
        dns_domain: dns_domain.into(),
        // Without its port, DHCP is somebody else's.
        dhcpv6: dhcp.map_or(Dhcpv6::Off, |_| dhcpv6(subnet)),
    }
}

/// As Neutron's agent does it: an IPv6 subnet with DHCP and without modes is a stateful one whose router is another's.
fn dhcpv6(subnet: &Subnet) -> Dhcpv6 {
    match subnet.address_mode.as_str() {
        _ if !subnet.enable_dhcp || subnet.cidr.addr().is_ipv4() => Dhcpv6::Off,
        "dhcpv6-stateful" => Dhcpv6::Stateful,
        "dhcpv6-stateless" => Dhcpv6::Stateless,
        "" if subnet.ra_mode.is_empty() => Dhcpv6::Stateful,
        _ => Dhcpv6::Off,
    }
}

/// `None` for a subnet that its router keeps silent about.
fn advertised(subnet: &Subnet) -> Option<PrefixPlan> {
    let IpNet::V6(prefix) = subnet.cidr else { return None };
    let mode = match subnet.ra_mode.as_str() {
        "slaac" => RaMode::Slaac,
        "dhcpv6-stateless" => RaMode::Stateless,
        "dhcpv6-stateful" => RaMode::Stateful,
        _ => return None,
    };
    let dns = subnet.nameservers.iter().filter_map(|server| match server {
        IpAddr::V6(server) => Some(*server),
        IpAddr::V4(_) => None,
    });
    Some(PrefixPlan { prefix: prefix.trunc(), mode, dns: dns.collect() })
}

/// The name that DHCP gives to a port that has none: Neutron's `host-10-0-0-5`.
pub fn default_hostname(address: IpAddr) -> String {
    format!("host-{}", address.to_string().replace(['.', ':'], "-"))
}

fn port(port: &PlanPort, rules: &Arc<[RulePlan]>, rows: &NetworkRows) -> PortPlan {
    let kind = match port.device_owner.as_str() {
        // Its link is made by the load balancer's driver and judged in its own namespace.
        _ if port.is_balancers && port.is_bound => PortKind::Vm,
        _ if port.is_balancers => PortKind::None,
        DHCP => PortKind::Dhcp,
        _ if port.is_router_port() => PortKind::Router,
        owner if owner.starts_with("compute:") && port.has_device => PortKind::Vm,
        // It has a link as soon as its trunk's parent has a place.
        SUBPORT if port.is_bound => PortKind::Vm,
        _ => PortKind::None,
    };
    let hostname = match port.fixed_ips.first() {
        _ if !port.dns_name.is_empty() => port.dns_name.clone(),
        _ if !port.hostname.is_empty() => port.hostname.clone(),
        Some((_, address)) => default_hostname(*address),
        None => String::new(),
    };
    let mut pairs: Vec<(String, IpNet)> =
        port.pairs.iter().filter_map(|p| Some((p.mac_address.clone(), p.net()?))).collect();
    pairs.sort();
    let extras = &rows.extras;
    PortPlan {
        id: port.id.clone(),
        mac: port.mac.clone(),
        fixed_ips: port.fixed_ips.clone(),
        hostname,
        kind,
        // A network that is down carries nothing.
        admin_up: port.admin_state_up && rows.network.admin_state_up,
        port_security: port.port_security && !port.is_trusted() && !port.is_balancers,
        allowed_address_pairs: pairs,
        rules: if port.port_security { Arc::clone(rules) } else { Arc::default() },
        dns_domain: extras::plain(&port.dns_domain),
        stateless: port.groups.iter().any(|group| extras.stateless_groups.contains(group)),
        dhcp_options: port.dhcp_options.iter().map(dhcp_option).collect(),
        subports: extras.trunks.get(&port.id).map_or_else(Vec::new, |t| t.subports.clone()),
        qos: extras.qos.get(&port.id).copied().unwrap_or_default(),
    }
}

fn dhcp_option(option: &DhcpOption) -> DhcpOptionPlan {
    DhcpOptionPlan {
        ipv6: option.ip_version == 6,
        name: option.opt_name.clone(),
        value: option.opt_value.clone(),
    }
}

/// The union of the rules of these groups, each once, in an order of their own.
fn rules(groups: &[String], rows: &NetworkRows) -> Arc<[RulePlan]> {
    let union: BTreeSet<RulePlan> =
        groups.iter().filter_map(|g| rows.rules.get(g)).flatten().map(|r| resolve(r, rows)).collect();
    union.into_iter().collect()
}

/// Each group that a rule refers to, also those without members.
fn groups(rows: &NetworkRows) -> BTreeMap<String, Vec<IpNet>> {
    let mut groups = BTreeMap::new();
    for group in rows.rules.values().flatten().filter_map(|r| r.remote_group.as_ref()) {
        groups.insert(group.clone(), rows.members.get(group).cloned().unwrap_or_default());
    }
    for (group, addresses) in &rows.extras.address_groups {
        groups.insert(group.clone(), addresses.iter().copied().collect());
    }
    groups
}

fn resolve(rule: &Rule, rows: &NetworkRows) -> RulePlan {
    let ipv6 = rule.ethertype == "IPv6";
    let number = protocol::effective(&rule.protocol, ipv6);
    let is_icmp = matches!(number, Some(1 | 58));
    let byte = |n: Option<i64>| n.and_then(|n| u8::try_from(n).ok());
    let port = |n: Option<i64>| n.and_then(|n| u16::try_from(n).ok());
    let group = rule.remote_group.as_ref().or_else(|| rows.extras.rule_groups.get(&rule.id));
    let remote = match (group, rule.remote_prefix.parse::<IpNet>()) {
        (Some(group), _) => Remote::Group(group.clone()),
        // "From anywhere" is no condition at all.
        (None, Ok(network)) if network.prefix_len() > 0 => Remote::Network(network.trunc()),
        (None, _) => Remote::Any,
    };
    RulePlan {
        direction: if rule.direction == "egress" { Direction::Egress } else { Direction::Ingress },
        ipv6,
        protocol: number.map(Protocol),
        ports: if is_icmp { None } else { port(rule.port_min).zip(port(rule.port_max)) },
        icmp: if is_icmp { byte(rule.port_min).map(|kind| (kind, byte(rule.port_max))) } else { None },
        remote,
    }
}

pub fn router(rows: &RouterRows) -> RouterPlan {
    let router = &rows.router.router;
    let mut interfaces: Vec<RouterPort> =
        rows.interfaces.iter().filter(|p| p.port.admin_state_up).map(|p| router_port(p, rows)).collect();
    interfaces.sort_by(|a, b| a.port_id.cmp(&b.port_id));
    let gateway = rows.router.gateway.as_ref().map(|gateway| {
        let on = gateway.fixed_ips.iter().filter_map(|ip| rows.subnets.get(&ip.subnet_id));
        let mut next_hops: Vec<IpAddr> = on.filter_map(|s| s.gateway).collect();
        next_hops.sort();
        next_hops.dedup();
        RouterGateway {
            port: router_port(gateway, rows),
            next_hops,
            enable_snat: router.enable_snat,
            qos: rows.extras.gateway_qos,
        }
    });
    let mut floating_ips: Vec<FloatingIpPlan> = rows
        .floating_ips
        .iter()
        .filter_map(|f| {
            let target = f.target.as_ref()?;
            Some(FloatingIpPlan {
                id: f.standard.id.clone(),
                floating: f.floating_address,
                fixed: target.fixed,
                qos: rows.extras.qos.get(&f.standard.id).copied().unwrap_or_default(),
            })
        })
        .collect();
    floating_ips.sort_by(|a, b| a.id.cmp(&b.id));
    let mut routes: Vec<(IpNet, IpAddr)> = router.routes.iter().map(|r| (r.destination, r.nexthop)).collect();
    routes.sort();
    RouterPlan {
        id: router.standard.id.clone(),
        admin_up: router.admin_state_up && !rows.unhosted,
        interfaces,
        gateway,
        floating_ips,
        forwardings: rows.extras.forwardings.clone(),
        routes,
    }
}

fn router_port(full: &FullPort, rows: &RouterRows) -> RouterPort {
    let prefix = |subnet: &str| rows.subnets.get(subnet).map(|s| s.cidr.prefix_len());
    RouterPort {
        port_id: full.port.standard.id.clone(),
        network_id: full.port.network_id.clone(),
        mac: full.port.mac.clone(),
        mtu: rows.networks.get(&full.port.network_id).map_or(1500, mtu),
        addresses: full
            .fixed_ips
            .iter()
            .filter_map(|ip| IpNet::new(ip.address, prefix(&ip.subnet_id)?).ok())
            .collect(),
        prefixes: full
            .fixed_ips
            .iter()
            .filter_map(|ip| advertised(rows.subnets.get(&ip.subnet_id)?))
            .collect(),
    }
}
