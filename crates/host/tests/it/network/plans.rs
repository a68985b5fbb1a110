//! Plans, as short as tests can say them.

use std::net::{IpAddr, Ipv4Addr};

use host::plan::*;

pub fn uuid(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let digits = format!("{digits:0<32}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32])
}

/// A tenant's network with a subnet 10.0.0.0/24 whose DHCP server is at .2 and gateway at .1.
pub fn tenant(name: &str, ports: Vec<PortPlan>) -> NetworkPlan {
    NetworkPlan {
        id: uuid(name),
        mtu: 1450,
        subnets: vec![subnet([10, 0, 0, 0], true)],
        ports,
        ..NetworkPlan::default()
    }
}

/// 198.51.100.0/24, with the host at .1.
pub fn external(ports: Vec<PortPlan>) -> NetworkPlan {
    NetworkPlan {
        id: uuid("ext"),
        mtu: 1500,
        subnets: vec![subnet([198, 51, 100, 0], false)],
        ports,
        host_link: Some(HostLinkPlan { addresses: vec!["198.51.100.1/24".parse().unwrap()] }),
        ..NetworkPlan::default()
    }
}

fn subnet(network: [u8; 4], dhcp: bool) -> SubnetPlan {
    let at = |last| IpAddr::V4(Ipv4Addr::new(network[0], network[1], network[2], last));
    SubnetPlan {
        id: format!("subnet-{}", network[0]),
        cidr: ipnet::IpNet::new(at(0), 24).unwrap(),
        gateway: Some(at(1)),
        dns_nameservers: vec!["192.0.2.53".parse().unwrap()],
        host_routes: vec![("192.168.9.0/24".parse().unwrap(), at(99))],
        dhcp_address: dhcp.then(|| at(2)),
        lease_time: 3600,
        dns_domain: "cloud.example".into(),
        ..SubnetPlan::default()
    }
}

/// A machine's port at 10.0.0.`last`; its MAC ends with the same number.
pub fn port(name: &str, last: u8) -> PortPlan {
    PortPlan {
        id: uuid(name),
        mac: format!("fa:16:3e:00:00:{last:02x}"),
        fixed_ips: vec![("subnet-10".into(), IpAddr::from([10, 0, 0, last]))],
        hostname: format!("machine-{last}"),
        kind: PortKind::Vm,
        admin_up: true,
        port_security: true,
        rules: [any(Direction::Egress), RulePlan { ipv6: true, ..any(Direction::Egress) }].into(),
        ..PortPlan::default()
    }
}

pub fn with_rules(mut port: PortPlan, rules: impl IntoIterator<Item = RulePlan>) -> PortPlan {
    port.rules = port.rules.iter().cloned().chain(rules).collect();
    port
}

pub fn any(direction: Direction) -> RulePlan {
    RulePlan { direction, ipv6: false, protocol: None, ports: None, icmp: None, remote: Remote::Any }
}

/// From the members of a group, whose addresses [`with_group`] gives.
pub fn from_group() -> RulePlan {
    RulePlan { remote: Remote::Group("group".into()), ..any(Direction::Ingress) }
}

pub fn with_group(mut plan: NetworkPlan, members: &[String]) -> NetworkPlan {
    let members = members.iter().map(|member| member.parse().unwrap()).collect();
    plan.groups.insert("group".into(), members);
    plan
}

pub fn ingress(protocol: Protocol, port: u16) -> RulePlan {
    RulePlan { protocol: Some(protocol), ports: Some((port, port)), ..any(Direction::Ingress) }
}

pub fn ping() -> RulePlan {
    RulePlan { protocol: Some(Protocol::ICMP), ..any(Direction::Ingress) }
}

/// A router between a tenant's network (10.0.0.1) and the external one (198.51.100.`last`).
pub fn router(name: &str, network: &NetworkPlan, last: u8, floating: &[(u8, u8)]) -> RouterPlan {
    let port = |what: &str, network_id: &str, mtu, address: String| RouterPort {
        port_id: uuid(&format!("{what}{name}")),
        network_id: network_id.to_owned(),
        mac: format!("fa:16:3e:00:{:02x}:{last:02x}", what.as_bytes()[0]),
        mtu,
        addresses: vec![address.parse().unwrap()],
        prefixes: vec![],
    };
    RouterPlan {
        id: uuid(name),
        admin_up: true,
        interfaces: vec![port("i", &network.id, 1450, "10.0.0.1/24".into())],
        gateway: Some(RouterGateway {
            port: port("g", &uuid("ext"), 1500, format!("198.51.100.{last}/24")),
            next_hops: vec!["198.51.100.1".parse().unwrap()],
            enable_snat: true,
            qos: QosPlan::default(),
        }),
        floating_ips: floating
            .iter()
            .map(|(floating, fixed)| FloatingIpPlan {
                id: uuid(&format!("f{floating}")),
                floating: Ipv4Addr::new(198, 51, 100, *floating),
                fixed: Ipv4Addr::new(10, 0, 0, *fixed),
                qos: QosPlan::default(),
            })
            .collect(),
        ..RouterPlan::default()
    }
}
