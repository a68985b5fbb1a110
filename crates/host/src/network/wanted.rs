//! From plans to links, addresses and routes. Pure.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::dhcp::METADATA;
use crate::link::plan::{Mac, Wanted, WantedKind, WantedLink, parse_mac};
use crate::names;
use crate::plan::{NetworkPlan, PortKind, RouterPlan, RouterPort, SubportPlan};

/// A network's namespace.
pub fn network(plan: &NetworkPlan) -> Wanted {
    let mut addresses: Vec<IpNet> = plan
        .subnets
        .iter()
        // IPv6 is off on the bridge: nothing of ours answers there.
        .filter_map(|subnet| match subnet.dhcp_address {
            Some(address @ IpAddr::V4(_)) => IpNet::new(address, subnet.cidr.prefix_len()).ok(),
            _ => None,
        })
        .collect();
    addresses.push(metadata());
    let mut links = vec![WantedLink {
        name: names::BRIDGE.to_owned(),
        kind: WantedKind::Bridge,
        mac: Some(bridge_mac(plan)),
        mtu: Some(plan.mtu),
        bridge: None,
        addresses: Some(addresses),
    }];
    if plan.host_link.is_some() {
        links.push(WantedLink {
            name: names::HOST_LINK_PEER.to_owned(),
            kind: WantedKind::Veth { peer: names::host_link(&plan.id) },
            mac: None,
            mtu: Some(plan.mtu),
            bridge: Some(names::BRIDGE),
            addresses: None,
        });
    }
    Wanted {
        links,
        routes: None,
        port_mtu: Some(plan.mtu),
        ports: Some((names::BRIDGE, &["tap", "rtr"])),
        ours: &[names::HOST_LINK_PEER],
    }
}

/// The host's end of an external network's link. Nothing else of the host's is ours.
pub fn host(plan: &NetworkPlan) -> Option<Wanted> {
    let host_link = plan.host_link.as_ref()?;
    let link = WantedLink {
        name: names::host_link(&plan.id),
        kind: WantedKind::Present,
        mac: None,
        mtu: Some(plan.mtu),
        bridge: None,
        addresses: Some(host_link.addresses.clone()),
    };
    Some(Wanted { links: vec![link], routes: None, port_mtu: None, ports: None, ours: &[] })
}

/// A router's namespace, and the routes that cannot be because no link leads to their next hop.
pub fn router(plan: &RouterPlan) -> (Wanted, Vec<(IpNet, IpAddr)>) {
    let mut links = vec![WantedLink {
        name: "lo".to_owned(),
        kind: WantedKind::Present,
        mac: None,
        mtu: None,
        bridge: None,
        addresses: Some(vec![metadata()]),
    }];
    let mut routes = Vec::new();
    if plan.admin_up {
        for port in &plan.interfaces {
            links.push(router_link(names::router_link(&port.port_id), port, &[]));
        }
        if let Some(gateway) = &plan.gateway {
            let floating = plan.floating_ips.iter().map(|pair| pair.floating);
            let forwarded = plan.forwardings.iter().map(|one| one.floating);
            let mut floating: Vec<IpNet> =
                floating.chain(forwarded).map(|address| IpNet::V4(Ipv4Net::from(address))).collect();
            floating.sort();
            floating.dedup();
            links.push(router_link(names::gateway_link(&gateway.port.port_id), &gateway.port, &floating));
            routes.extend(gateway.next_hops.iter().map(|next_hop| (everywhere(*next_hop), *next_hop)));
        }
        routes.extend(plan.routes.iter().copied());
    }
    let reachable = |next_hop: &IpAddr| {
        links
            .iter()
            .flat_map(|link| link.addresses.iter().flatten())
            .any(|network| network.contains(next_hop))
    };
    let (routes, unreachable) = routes.into_iter().partition(|(_, next_hop)| reachable(next_hop));
    (Wanted { links, routes: Some(routes), port_mtu: None, ports: None, ours: &["qr-", "qg-"] }, unreachable)
}

/// The end of a router's link that is on a network's bridge.
pub fn router_peer(port: &RouterPort) -> Wanted {
    let link = WantedLink {
        name: names::router_peer(&port.port_id),
        kind: WantedKind::Present,
        mac: None,
        mtu: Some(port.mtu),
        bridge: Some(names::BRIDGE),
        addresses: None,
    };
    Wanted { links: vec![link], routes: None, port_mtu: None, ports: None, ours: &[] }
}

/// The end of a subport's link that is on its own network's bridge.
pub fn subport(subport: &SubportPlan) -> Wanted {
    let link = WantedLink {
        name: names::tap(&subport.port_id),
        kind: WantedKind::Present,
        mac: None,
        mtu: Some(subport.mtu),
        bridge: Some(names::BRIDGE),
        addresses: None,
    };
    Wanted { links: vec![link], routes: None, port_mtu: None, ports: None, ours: &[] }
}

fn router_link(name: String, port: &RouterPort, more: &[IpNet]) -> WantedLink {
    let mut addresses = port.addresses.clone();
    addresses.extend(more.iter().filter(|address| !port.addresses.contains(address)));
    WantedLink {
        name,
        kind: WantedKind::Veth { peer: names::router_peer(&port.port_id) },
        mac: parse_mac(&port.mac),
        mtu: Some(port.mtu),
        bridge: None,
        addresses: Some(addresses),
    }
}

fn metadata() -> IpNet {
    IpNet::V4(Ipv4Net::from(METADATA))
}

fn everywhere(next_hop: IpAddr) -> IpNet {
    match next_hop {
        IpAddr::V4(_) => IpNet::V4(Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

/// The DHCP port's, or one made of the network's id. Left to itself a bridge takes the lowest of its ports', so it
/// would change as machines come and go.
pub fn bridge_mac(plan: &NetworkPlan) -> Mac {
    let dhcp = plan.ports.iter().find(|port| port.kind == PortKind::Dhcp);
    dhcp.and_then(|port| parse_mac(&port.mac)).unwrap_or_else(|| {
        let digits: Vec<u8> = plan.id.bytes().filter(u8::is_ascii_hexdigit).collect();
        let mut mac = [0x02, 0, 0, 0, 0, 0];
        for (byte, pair) in mac[1..].iter_mut().zip(digits.chunks(2)) {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(text, 16).unwrap_or_default();
        }
        mac
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FloatingIpPlan, HostLinkPlan, PortPlan, QosPlan, RouterGateway, SubnetPlan};

    fn port(id: &str, addresses: &[&str]) -> RouterPort {
        RouterPort {
            port_id: id.into(),
            network_id: "net".into(),
            mac: "fa:16:3e:00:00:99".into(),
            mtu: 1450,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            prefixes: vec![],
        }
    }

    #[test]
    fn an_external_network() {
        let plan = NetworkPlan {
            id: "3fa85f64-5717-4562-b3fc-2c963f66afa6".into(),
            mtu: 1500,
            subnets: vec![
                SubnetPlan {
                    id: "v4".into(),
                    cidr: "198.51.100.0/24".parse().unwrap(),
                    gateway: Some("198.51.100.1".parse().unwrap()),
                    dns_nameservers: vec![],
                    host_routes: vec![],
                    dhcp_address: Some("198.51.100.2".parse().unwrap()),
                    lease_time: 86400,
                    dns_domain: String::new(),
                    ..SubnetPlan::default()
                },
                SubnetPlan {
                    id: "v6".into(),
                    cidr: "2001:db8::/64".parse().unwrap(),
                    gateway: None,
                    dns_nameservers: vec![],
                    host_routes: vec![],
                    dhcp_address: Some("2001:db8::2".parse().unwrap()),
                    lease_time: 86400,
                    dns_domain: String::new(),
                    ..SubnetPlan::default()
                },
            ],
            ports: vec![],
            groups: Default::default(),
            host_link: Some(HostLinkPlan { addresses: vec!["198.51.100.1/24".parse().unwrap()] }),
        };
        insta::assert_debug_snapshot!((network(&plan), host(&plan)));
        let dhcp = PortPlan {
            id: "dhcp".into(),
            mac: "fa:16:3e:00:00:02".into(),
            fixed_ips: vec![],
            hostname: String::new(),
            kind: PortKind::Dhcp,
            admin_up: true,
            port_security: false,
            allowed_address_pairs: vec![],
            ..PortPlan::default()
        };
        assert_eq!(bridge_mac(&NetworkPlan { ports: vec![dhcp], ..plan }), [0xfa, 0x16, 0x3e, 0, 0, 2]);
    }

    #[test]
    fn a_router() {
        let plan = RouterPlan {
            id: "router".into(),
            admin_up: true,
            interfaces: vec![port("3fa85f64-5717-aaaa", &["10.0.0.1/24", "2001:db8:1::1/64"])],
            gateway: Some(RouterGateway {
                port: port("4fa85f64-5717-aaaa", &["198.51.100.5/24"]),
                next_hops: vec!["198.51.100.1".parse().unwrap()],
                enable_snat: true,
                qos: QosPlan::default(),
            }),
            floating_ips: vec![FloatingIpPlan {
                id: "fip".into(),
                floating: [198, 51, 100, 7].into(),
                fixed: [10, 0, 0, 10].into(),
                qos: QosPlan::default(),
            }],
            routes: vec![
                ("10.7.0.0/16".parse().unwrap(), "10.0.0.77".parse().unwrap()),
                ("10.8.0.0/16".parse().unwrap(), "10.99.0.1".parse().unwrap()),
            ],
            forwardings: vec![],
        };
        let (wanted, unreachable) = router(&plan);
        insta::assert_debug_snapshot!(wanted);
        assert_eq!(unreachable, [plan.routes[1]]);
        let (down, _) = router(&RouterPlan { admin_up: false, ..plan });
        assert_eq!(down.links.len(), 1);
    }
}
