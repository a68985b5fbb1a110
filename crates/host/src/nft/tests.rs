use std::net::IpAddr;

use super::*;
use crate::plan::*;

fn port(id: char, kind: PortKind) -> PortPlan {
    let digit = id.to_digit(16).unwrap();
    PortPlan {
        id: format!("{}-5717-4562-b3fc-2c963f66afa6", id.to_string().repeat(8)),
        mac: format!("fa:16:3e:00:00:{digit:02x}"),
        fixed_ips: vec![("subnet".into(), IpAddr::from([10, 0, 0, digit as u8]))],
        hostname: format!("host-{id}"),
        kind,
        admin_up: true,
        port_security: true,
        ..PortPlan::default()
    }
}

fn rule(direction: Direction, ipv6: bool) -> RulePlan {
    RulePlan { direction, ipv6, protocol: None, ports: None, icmp: None, remote: Remote::Any }
}

fn rules() -> Vec<RulePlan> {
    let net = |text: &str| text.parse().unwrap();
    let ingress = || rule(Direction::Ingress, false);
    vec![
        rule(Direction::Egress, false),
        rule(Direction::Egress, true),
        RulePlan { protocol: Some(Protocol::TCP), ports: Some((22, 22)), ..ingress() },
        RulePlan {
            protocol: Some(Protocol::UDP),
            ports: Some((5000, 5100)),
            remote: Remote::Network(net("10.0.0.7/24")),
            ..ingress()
        },
        RulePlan { protocol: Some(Protocol::ICMP), icmp: Some((8, Some(0))), ..ingress() },
        RulePlan { protocol: Some(Protocol::ICMP), icmp: Some((128, None)), ipv6: true, ..ingress() },
        RulePlan { protocol: Some(Protocol(112)), remote: Remote::Network(net("10.0.0.10/32")), ..ingress() },
        RulePlan { remote: Remote::Group("g-1".into()), ..ingress() },
        RulePlan {
            remote: Remote::Group("g-1".into()),
            protocol: Some(Protocol::TCP),
            ipv6: true,
            ..ingress()
        },
        // Of the other family: it can match nobody.
        RulePlan { remote: Remote::Network(net("2001:db8::/64")), ..ingress() },
    ]
}

fn network(ports: Vec<PortPlan>) -> NetworkPlan {
    let members = ["10.0.0.10/32", "10.9.0.0/16", "10.9.7.0/24", "2001:db8::1/128"];
    let members = members.map(|member| member.parse().unwrap()).to_vec();
    NetworkPlan {
        id: "net".into(),
        ports,
        groups: [("g-1".into(), members)].into(),
        ..NetworkPlan::default()
    }
}

fn router() -> RouterPlan {
    RouterPlan {
        id: "router".into(),
        admin_up: true,
        interfaces: vec![],
        gateway: Some(RouterGateway {
            port: RouterPort {
                port_id: "99999999-5717-4562-b3fc-2c963f66afa6".into(),
                network_id: "ext".into(),
                mac: "fa:16:3e:00:00:99".into(),
                mtu: 1500,
                addresses: vec!["198.51.100.5/24".parse().unwrap()],
                prefixes: vec![],
            },
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
        ..RouterPlan::default()
    }
}

#[test]
fn a_network_of_all_kinds_of_ports() {
    let ports = vec![
        PortPlan {
            rules: rules().into(),
            allowed_address_pairs: vec![
                ("fa:16:3e:00:00:0b".into(), "10.0.0.200/32".parse().unwrap()),
                ("fa:16:3e:00:00:0b".into(), "10.9.0.0/16".parse().unwrap()),
                ("fa:16:3e:00:00:0b".into(), "10.9.7.0/24".parse().unwrap()),
                ("fa:16:3e:00:00:55".into(), "2001:db8::/64".parse().unwrap()),
                ("fa:16:3e:00:00:0B".into(), "2001:db8::1/128".parse().unwrap()),
            ],
            ..port('b', PortKind::Vm)
        },
        PortPlan { rules: rules().into(), ..port('a', PortKind::Vm) },
        port('c', PortKind::Vm),
        PortPlan { port_security: false, ..port('d', PortKind::Vm) },
        PortPlan { admin_up: false, ..port('e', PortKind::Vm) },
        port('1', PortKind::Router),
        port('2', PortKind::Dhcp),
        port('3', PortKind::None),
    ];
    insta::assert_snapshot!(network::render(&network(ports)));
}

#[test]
fn an_empty_network() {
    insta::assert_snapshot!(network::render(&network(vec![])));
}

#[test]
fn one_port_more_is_a_few_elements() {
    let before = network(vec![PortPlan { rules: rules().into(), ..port('a', PortKind::Vm) }]);
    let mut after = network(vec![
        PortPlan { rules: rules().into(), ..port('a', PortKind::Vm) },
        PortPlan { rules: rules().into(), ..port('b', PortKind::Vm) },
    ]);
    after.groups.get_mut("g-1").unwrap().push("10.0.0.11/32".parse().unwrap());
    insta::assert_snapshot!(network::render_changes(&before, &after));
    assert_eq!(network::render_changes(&after, &after), "");
    // Back again: whatever came goes.
    let back = network::render_changes(&after, &before);
    assert_eq!(back.lines().count(), network::render_changes(&before, &after).lines().count());
    assert!(back.lines().all(|line| line.starts_with("delete element ")), "{back}");
}

#[test]
fn other_rules_and_other_groups() {
    let before = network(vec![PortPlan { rules: rules().into(), ..port('a', PortKind::Vm) }]);
    let mut after = network(vec![PortPlan { port_security: false, ..port('b', PortKind::Vm) }]);
    after.ports.push(port('a', PortKind::Vm));
    after.groups = [("h".into(), vec!["10.0.0.0/8".parse().unwrap()])].into();
    insta::assert_snapshot!(network::render_changes(&before, &after));
}

#[test]
fn limits_of_packets_have_chains_of_their_own() {
    let limited = |id, egress, ingress: Option<(u64, u64)>| {
        let rate = |(per_second, burst)| PacketRate { per_second, burst };
        let qos = QosPlan {
            egress_packets: Some(rate((egress, 0))),
            ingress_packets: ingress.map(rate),
            ..QosPlan::default()
        };
        PortPlan { qos, ..port(id, PortKind::Vm) }
    };
    let free = |id| PortPlan { port_security: false, ..limited(id, 0, None) };
    let before = network(vec![limited('a', 1000, Some((2000, 500))), free('b')]);
    insta::assert_snapshot!(network::render(&before));
    // Networks without any are not slower for it.
    let none = network(vec![port('a', PortKind::Vm)]);
    assert!(!network::render(&none).contains("limit_packets"));
    assert!(network::render_changes(&none, &before).contains("chain limit_packets_ingress"));
    // Another rate is another chain; where nothing is limited any more, none is left.
    let after = network(vec![
        limited('a', 1000, Some((3000, 500))),
        PortPlan { port_security: false, ..port('b', PortKind::Vm) },
    ]);
    insta::assert_snapshot!(network::render_changes(&before, &after));
    // Who comes in the place of another with the same limit takes over its chain.
    let other = network(vec![
        limited('c', 1000, Some((3000, 500))),
        PortPlan { port_security: false, ..port('b', PortKind::Vm) },
    ]);
    let changes = network::render_changes(&after, &other);
    assert!(!changes.contains("packets_") && changes.contains("tapcccccccc-57"), "{changes}");
}

#[test]
fn the_order_of_a_plan_does_not_matter() {
    let mut ports = vec![
        PortPlan { rules: rules().into(), ..port('a', PortKind::Vm) },
        PortPlan { rules: rules().into(), ..port('b', PortKind::Vm) },
    ];
    let text = network::render(&network(ports.clone()));
    ports.reverse();
    ports[0].rules = ports[0].rules.iter().rev().cloned().collect();
    assert_eq!(text, network::render(&network(ports)));
}

#[test]
fn a_router_with_gateway_and_floating_address() {
    insta::assert_snapshot!(router::render(&router()));
}

#[test]
fn a_router_without_source_nat() {
    let mut plan = router();
    plan.gateway.as_mut().unwrap().enable_snat = false;
    insta::assert_snapshot!(router::render(&plan));
}

#[test]
fn a_router_with_forwarded_ports_and_limits() {
    let mut plan = router();
    let forward = |protocol, external_ports, internal_ports| ForwardingPlan {
        id: String::new(),
        floating: [198, 51, 100, 8].into(),
        protocol,
        external_ports,
        internal: [10, 0, 0, 11].into(),
        internal_ports,
    };
    plan.forwardings = vec![
        forward(Protocol::TCP, (2222, 2222), (22, 22)),
        forward(Protocol::UDP, (5000, 5100), (5000, 5100)),
        forward(Protocol::TCP, (80, 82), (8080, 8082)),
        forward(Protocol::TCP, (90, 99), (9000, 9000)),
        forward(Protocol::ICMP, (0, 0), (0, 0)),
    ];
    plan.floating_ips[0].qos = QosPlan {
        ingress: Some(Rate { kilobits: 8000, burst_kilobits: 0 }),
        egress: Some(Rate { kilobits: 100, burst_kilobits: 4000 }),
        ..QosPlan::default()
    };
    plan.gateway.as_mut().unwrap().qos.egress = Some(Rate { kilobits: 1, burst_kilobits: 0 });
    insta::assert_snapshot!(router::render(&plan));
}

#[test]
fn a_router_that_is_down_translates_nothing() {
    insta::assert_snapshot!(router::render(&RouterPlan { admin_up: false, ..router() }));
}

#[test]
fn the_hosts_table() {
    let table = host::table("my-cloud", "3fa85f64-5717-4562-b3fc-2c963f66afa6");
    assert_eq!(table, "my_cloud_3fa85f64");
    insta::assert_snapshot!(host::render(
        &table,
        "cml-3fa85f64",
        &["198.51.100.1/25".parse().unwrap(), "2001:db8::1/64".parse().unwrap()]
    ));
}
