//! Plans from rows by hand.

use std::collections::{BTreeMap, HashMap};

use host::plan::{Dhcpv6, Direction, PortKind, RaMode, Remote};
use ipnet::IpNet;

use super::extras::{NetworkExtras, RouterExtras};
use super::plan;
use super::ports::PlanPort;
use super::store::{NetworkRows, RouterRows};
use crate::floating_ips::{FloatingIp, Target};
use crate::ipam::Route;
use crate::networks::Network;
use crate::ports::{AddressPair, DHCP, FixedIp, FullPort, Port, ROUTER_GATEWAY, ROUTER_INTERFACE};
use crate::routers::{FullRouter, Router};
use crate::security_group_rules::{Rule, rules};
use crate::standard::Standard;
use crate::subnets::Subnet;

fn standard(id: &str) -> Standard {
    Standard { id: id.into(), ..Standard::new("p", id, "") }
}

fn network(id: &str, external: bool) -> Network {
    Network {
        standard: standard(id),
        admin_state_up: true,
        shared: false,
        external,
        is_default: false,
        mtu: 1400,
        port_security: true,
        network_type: "local".into(),
        physical_network: String::new(),
        ..Network::default()
    }
}

fn subnet(id: &str, network: &str, cidr: &str, gateway: &str) -> Subnet {
    Subnet {
        standard: standard(id),
        network_id: network.into(),
        cidr: cidr.parse().unwrap(),
        gateway: gateway.parse().ok(),
        enable_dhcp: true,
        pools: Vec::new(),
        nameservers: vec!["9.9.9.9".parse().unwrap()],
        host_routes: Vec::new(),
        ra_mode: String::new(),
        address_mode: String::new(),
        ..Subnet::default()
    }
}

fn port(id: &str, network: &str, owner: &str, ips: &[(&str, &str)]) -> FullPort {
    let mut port = Port::internal("p", network, owner, "device", format!("fa:16:3e:00:00:{:02x}", id.len()));
    port.standard = standard(id);
    port.port_security = true;
    let fixed_ips = ips
        .iter()
        .map(|(subnet, ip)| FixedIp { subnet_id: (*subnet).into(), address: ip.parse().unwrap() })
        .collect();
    FullPort { port, fixed_ips, groups: Vec::new() }
}

fn rule(group: &str, protocol: &str, ports: Option<(i64, i64)>, prefix: &str, remote: Option<&str>) -> Rule {
    let mut rule = rules::rule("p", group, "ingress", "IPv4");
    rule.protocol = protocol.into();
    (rule.port_min, rule.port_max) = (ports.map(|p| p.0), ports.map(|p| p.1));
    rule.remote_prefix = prefix.into();
    rule.remote_group = remote.map(Into::into);
    rule
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// As it is read for a plan.
fn seen(id: &str, owner: &str, ips: &[(&str, &str)]) -> PlanPort {
    PlanPort {
        id: id.into(),
        mac: format!("fa:16:3e:00:00:{:02x}", id.len()),
        admin_state_up: true,
        device_owner: owner.into(),
        has_device: true,
        port_security: true,
        fixed_ips: ips.iter().map(|(subnet, ip)| ((*subnet).into(), ip.parse().unwrap())).collect(),
        ..PlanPort::default()
    }
}

fn rows(ports: Vec<PlanPort>) -> NetworkRows {
    NetworkRows {
        network: network("n", false),
        subnets: vec![subnet("s", "n", "10.0.0.0/24", "10.0.0.1")],
        ports,
        rules: HashMap::new(),
        members: HashMap::new(),
        extras: NetworkExtras::default(),
        host_joins: false,
    }
}

fn router(id: &str) -> Router {
    Router {
        standard: standard(id),
        admin_state_up: true,
        status: "DOWN".into(),
        enable_snat: true,
        routes: Vec::new(),
        availability_zone_hints: Vec::new(),
        ..Router::default()
    }
}

#[test]
fn a_trunks_parent_knows_its_subports_and_those_are_machines_once_it_has_a_place() {
    use host::plan::SubportPlan;
    let subport = SubportPlan { port_id: "child".into(), network_id: "n2".into(), vlan: 7, mtu: 1400 };
    let trunk = super::extras::Trunk { id: "trunk".into(), subports: vec![subport.clone()] };
    let mut rows = rows(Vec::new());
    let mut child = seen("child", crate::trunks::SUBPORT, &[]);
    rows.ports = vec![seen("parent", "compute:nova", &[]), child.clone()];
    rows.extras.trunks.insert("parent".into(), trunk);
    let plan = |rows: &NetworkRows| plan::network(rows, "", true).ports;
    let of = |ports: &[host::plan::PortPlan], id: &str| ports.iter().find(|p| p.id == id).unwrap().clone();
    assert_eq!(of(&plan(&rows), "parent").subports, [subport]);
    assert_eq!(of(&plan(&rows), "child").kind, PortKind::None);
    child.is_bound = true;
    rows.ports[1] = child;
    assert_eq!(of(&plan(&rows), "child").kind, PortKind::Vm);
}

#[test]
fn a_port_with_a_stateless_group_is_stateless_and_its_options_are_dhcps() {
    let mut rows = rows(Vec::new());
    let mut one = seen("one", "compute:nova", &[]);
    one.groups = vec!["g".into()];
    one.dhcp_options = vec![crate::ports::DhcpOption {
        opt_name: "bootfile-url".into(),
        opt_value: "x".into(),
        ip_version: 6,
    }];
    rows.ports = vec![one];
    assert!(!plan::network(&rows, "", true).ports[0].stateless);
    rows.extras.stateless_groups.insert("g".into());
    let made = plan::network(&rows, "", true).ports.remove(0);
    assert!(made.stateless && made.dhcp_options[0].ipv6 && made.dhcp_options[0].name == "bootfile-url");
}

#[test]
fn ports_are_what_their_owners_say() {
    let mut unbound = seen("unbound", "compute:nova", &[]);
    unbound.has_device = false;
    let plan = plan::network(
        &rows(vec![
            seen("vm", "compute:nova", &[("s", "10.0.0.9")]),
            seen("dhcp", DHCP, &[("s", "10.0.0.2")]),
            seen("interface", ROUTER_INTERFACE, &[("s", "10.0.0.1")]),
            unbound,
        ]),
        "cloud",
        true,
    );
    let kinds: Vec<_> = plan.ports.iter().map(|p| (p.id.as_str(), p.kind, p.port_security)).collect();
    assert_eq!(
        kinds,
        [
            ("dhcp", PortKind::Dhcp, false),
            ("interface", PortKind::Router, false),
            ("unbound", PortKind::None, true),
            ("vm", PortKind::Vm, true),
        ]
    );
    assert_eq!(plan.ports[3].hostname, "host-10-0-0-9");
    assert_eq!(plan.subnets[0].dhcp_address.unwrap().to_string(), "10.0.0.2");
    assert_eq!(plan.host_link, None);
    assert_eq!(plan.mtu, 1400);
}

#[test]
fn a_network_that_is_down_has_no_port_up() {
    let mut rows = rows(vec![seen("vm", "compute:nova", &[])]);
    assert!(plan::network(&rows, "", false).ports[0].admin_up);
    rows.network.admin_state_up = false;
    assert!(!plan::network(&rows, "", false).ports[0].admin_up);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut a = seen("a", "compute:nova", &[("s", "10.0.0.9")]);
    a.groups = vec!["g".into(), "h".into()];
    let b = seen("b", "compute:nova", &[("s", "10.0.0.8")]);
    let mut one = rows(vec![a.clone(), b.clone()]);
    one.rules
        .insert("g".into(), vec![rule("g", "tcp", Some((1, 2)), "", None), rule("g", "udp", None, "", None)]);
    one.rules.insert("h".into(), vec![rule("h", "6", Some((1, 2)), "0.0.0.0/0", None)]);
    let mut two = one.clone();
    two.ports.reverse();
    two.rules.get_mut("g").unwrap().reverse();
    let plan = plan::network(&one, "", false);
    assert_eq!(plan, plan::network(&two, "", false));
    // The same rule of two groups is there once.
    assert_eq!(plan.ports[0].rules.len(), 2);
}

#[test]
fn rules_are_resolved() {
    let mut vm = seen("vm", "compute:nova", &[("s", "10.0.0.9")]);
    vm.groups = vec!["g".into()];
    let mut rows = rows(vec![vm]);
    let mut icmp6 = rule("g", "icmp", None, "", None);
    icmp6.ethertype = "IPv6".into();
    let mut egress = rule("g", "", None, "192.168.0.7/16", None);
    egress.direction = "egress".into();
    rows.rules.insert(
        "g".into(),
        vec![
            rule("g", "tcp", Some((80, 90)), "", Some("h")),
            rule("g", "tcp", Some((1, 1)), "", Some("nobody")),
            rule("g", "icmp", Some((8, 0)), "", None),
            rule("g", "vrrp", None, "10.0.0.0/8", None),
            icmp6,
            egress,
        ],
    );
    let members = vec![net("10.0.0.5/32"), net("10.9.0.0/16"), net("fd00::5/128")];
    rows.members.insert("h".into(), members);
    let plan = plan::network(&rows, "", false);
    let find = |number: Option<u8>, ports: Option<(u16, u16)>, ipv6: bool| {
        plan.ports[0]
            .rules
            .iter()
            .find(|r| r.protocol.map(|p| p.0) == number && r.ports == ports && r.ipv6 == ipv6)
            .unwrap()
    };
    let web = find(Some(6), Some((80, 90)), false);
    assert_eq!(web.remote, Remote::Group("h".into()));
    assert_eq!(plan.groups["h"], [net("10.0.0.5/32"), net("10.9.0.0/16"), net("fd00::5/128")]);
    assert_eq!(find(Some(6), Some((1, 1)), false).remote, Remote::Group("nobody".into()));
    assert!(plan.groups["nobody"].is_empty());
    let ping = find(Some(1), None, false);
    assert_eq!((ping.icmp, &ping.remote), (Some((8, Some(0))), &Remote::Any));
    assert_eq!(find(Some(112), None, false).remote, Remote::Network(net("10.0.0.0/8")));
    assert_eq!(find(Some(58), None, true).icmp, None);
    let out = find(None, None, false);
    assert_eq!((out.direction, &out.remote), (Direction::Egress, &Remote::Network(net("192.168.0.0/16"))));
}

#[test]
fn a_port_without_security_has_no_rules_and_pairs_are_networks() {
    let mut vm = seen("vm", "compute:nova", &[]);
    vm.groups = vec!["g".into()];
    let pair = |ip: &str| AddressPair { mac_address: "fa:16:3e:00:00:01".into(), ip_address: ip.into() };
    vm.pairs = vec![pair("10.2.0.0/16"), pair("10.0.0.9")];
    let mut rows = rows(vec![vm]);
    rows.rules.insert("g".into(), vec![rule("g", "", None, "", None)]);
    let with = plan::network(&rows, "", false);
    let pairs: Vec<IpNet> = with.ports[0].allowed_address_pairs.iter().map(|p| p.1).collect();
    assert_eq!(pairs, [net("10.0.0.9/32"), net("10.2.0.0/16")]);
    assert_eq!(with.ports[0].rules.len(), 1);
    rows.ports[0].port_security = false;
    assert!(plan::network(&rows, "", false).ports[0].rules.is_empty());
}

#[test]
fn the_host_is_the_outer_gateway_unless_a_port_is() {
    let mut rows = rows(vec![]);
    rows.host_joins = true;
    let link =
        |rows: &NetworkRows, hosts: bool| plan::network(rows, "", hosts).host_link.map(|l| l.addresses);
    assert_eq!(link(&rows, true), Some(vec![net("10.0.0.1/24")]));
    assert_eq!(link(&rows, false), None);
    rows.ports = vec![seen("interface", ROUTER_INTERFACE, &[("s", "10.0.0.1")])];
    assert_eq!(link(&rows, true), Some(vec![]));
}

#[test]
fn a_router_has_its_interfaces_gateway_and_floating_ips() {
    let router = Router {
        routes: vec![Route { destination: net("10.9.0.0/16"), nexthop: "10.0.0.9".parse().unwrap() }],
        ..router("r")
    };
    let mut down = port("zdown", "n", ROUTER_INTERFACE, &[]);
    down.port.admin_state_up = false;
    let floating = |id: &str, target: Option<Target>| FloatingIp {
        standard: standard(id),
        floating_network_id: "ext".into(),
        floating_port_id: "fp".into(),
        floating_address: "172.24.4.9".parse().unwrap(),
        target,
        status: "DOWN".into(),
        carried_by: "r".into(),
        forwarded_by: String::new(),
        qos_policy_id: String::new(),
        dns_name: String::new(),
        dns_domain: String::new(),
    };
    let target = Target { port_id: "vm".into(), fixed: "10.0.0.7".parse().unwrap(), router_id: "r".into() };
    let rows = RouterRows {
        router: FullRouter {
            router,
            gateway: Some(port("gw", "ext", ROUTER_GATEWAY, &[("es", "172.24.4.2")])),
        },
        interfaces: vec![port("in", "n", ROUTER_INTERFACE, &[("s", "10.0.0.1")]), down],
        subnets: BTreeMap::from([
            ("s".to_owned(), subnet("s", "n", "10.0.0.0/24", "10.0.0.1")),
            ("es".to_owned(), subnet("es", "ext", "172.24.4.0/24", "172.24.4.1")),
        ]),
        networks: BTreeMap::from([
            ("n".to_owned(), network("n", false)),
            ("ext".to_owned(), network("ext", true)),
        ]),
        floating_ips: vec![floating("free", None), floating("led", Some(target))],
        extras: RouterExtras::default(),
        unhosted: false,
    };
    let plan = plan::router(&rows);
    assert_eq!(plan.interfaces.len(), 1);
    assert_eq!(
        (plan.interfaces[0].mtu, plan.interfaces[0].addresses.as_slice()),
        (1400, [net("10.0.0.1/24")].as_slice())
    );
    let gateway = plan.gateway.unwrap();
    assert_eq!(gateway.port.addresses, [net("172.24.4.2/24")]);
    assert_eq!(gateway.next_hops, ["172.24.4.1".parse::<std::net::IpAddr>().unwrap()]);
    let ids: Vec<_> = plan.floating_ips.iter().map(|f| (f.id.as_str(), f.fixed.to_string())).collect();
    assert_eq!(ids, [("led", "10.0.0.7".to_owned())]);
    assert_eq!(plan.routes.len(), 1);
}

#[test]
fn ipv6_modes_become_advertisements_and_dhcpv6() {
    let mode = |ra: &str, address: &str| {
        let mut six = subnet("six", "n", "2001:db8::/64", "2001:db8::1");
        six.ra_mode = ra.into();
        six.address_mode = address.into();
        six.nameservers = vec!["2001:db8::53".parse().unwrap(), "192.0.2.53".parse().unwrap()];
        let mut network_rows = rows(vec![seen("dhcp", DHCP, &[("six", "2001:db8::2")])]);
        network_rows.subnets = vec![six.clone()];
        let dhcp = plan::network(&network_rows, "", false).subnets[0].dhcpv6;
        let rows = RouterRows {
            router: FullRouter { router: router("r"), gateway: None },
            interfaces: vec![port("in", "n", ROUTER_INTERFACE, &[("six", "2001:db8::1")])],
            subnets: BTreeMap::from([("six".to_owned(), six)]),
            networks: BTreeMap::from([("n".to_owned(), network("n", false))]),
            floating_ips: vec![],
            extras: RouterExtras::default(),
            unhosted: false,
        };
        let prefixes = plan::router(&rows).interfaces[0].prefixes.clone();
        assert!(prefixes.iter().all(|p| p.dns == ["2001:db8::53".parse::<std::net::Ipv6Addr>().unwrap()]));
        (prefixes.first().map(|p| p.mode), dhcp)
    };
    assert_eq!(mode("slaac", "slaac"), (Some(RaMode::Slaac), Dhcpv6::Off));
    assert_eq!(mode("dhcpv6-stateless", "dhcpv6-stateless"), (Some(RaMode::Stateless), Dhcpv6::Stateless));
    assert_eq!(mode("dhcpv6-stateful", "dhcpv6-stateful"), (Some(RaMode::Stateful), Dhcpv6::Stateful));
    assert_eq!(mode("slaac", ""), (Some(RaMode::Slaac), Dhcpv6::Off));
    assert_eq!(mode("", "slaac"), (None, Dhcpv6::Off));
    assert_eq!(mode("", ""), (None, Dhcpv6::Stateful));
}
