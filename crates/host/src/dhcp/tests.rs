use std::net::{IpAddr, Ipv4Addr};

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};

use super::answer::{Answer, answer};
use super::table::Table;
use crate::plan::*;

/// UDP payloads of what real clients sent, from fa:16:3e:00:00:0b.
const UDHCPC: &[u8] = include_bytes!("recorded/udhcpc-discover.bin");
const DHCLIENT: &[u8] = include_bytes!("recorded/dhclient-discover.bin");

fn subnet(id: &str, third: u8, dhcp: bool) -> SubnetPlan {
    let at = |last| IpAddr::V4(Ipv4Addr::new(10, 0, third, last));
    SubnetPlan {
        id: id.into(),
        cidr: ipnet::IpNet::new(at(0), 24).unwrap(),
        gateway: Some(at(1)),
        dns_nameservers: vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
        host_routes: vec![("192.168.0.0/17".parse().unwrap(), at(99))],
        dhcp_address: dhcp.then(|| at(2)),
        lease_time: 86400,
        dns_domain: "cloud.example".into(),
        ..SubnetPlan::default()
    }
}

fn port(last: u8, kind: PortKind, fixed_ips: Vec<(String, IpAddr)>) -> PortPlan {
    PortPlan {
        id: last.to_string(),
        mac: format!("fa:16:3e:00:00:{last:02x}"),
        fixed_ips,
        hostname: format!("machine-{last}"),
        kind,
        admin_up: true,
        port_security: true,
        ..PortPlan::default()
    }
}

fn plan() -> NetworkPlan {
    let fixed = |subnet: &str, address: [u8; 4]| (subnet.to_owned(), IpAddr::from(address));
    NetworkPlan {
        id: "net".into(),
        mtu: 1450,
        subnets: vec![subnet("a", 0, true), subnet("b", 1, false)],
        ports: vec![
            // Its first address is on a subnet without DHCP.
            port(11, PortKind::Vm, vec![fixed("b", [10, 0, 1, 11]), fixed("a", [10, 0, 0, 11])]),
            port(12, PortKind::Vm, vec![fixed("b", [10, 0, 1, 12])]),
            port(13, PortKind::None, vec![fixed("a", [10, 0, 0, 13])]),
        ],
        ..NetworkPlan::default()
    }
}

fn decode(bytes: &[u8]) -> Message {
    Message::decode(&mut Decoder::new(bytes)).unwrap()
}

fn ask(message: &Message) -> Option<Answer> {
    answer(&Table::new(&plan()), message)
}

/// The recorded discovery turned into another message.
fn request(kind: MessageType, options: Vec<DhcpOption>) -> Message {
    let mut message = decode(UDHCPC);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    for option in options {
        message.opts_mut().insert(option);
    }
    message
}

fn kind(answer: &Answer) -> MessageType {
    answer.message.opts().msg_type().unwrap()
}

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 11);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MAC: [u8; 6] = [0xfa, 0x16, 0x3e, 0, 0, 0x0b];

#[test]
fn a_discovery_of_udhcpc_is_offered_an_address() {
    let answer = ask(&decode(UDHCPC)).unwrap();
    assert_eq!((answer.from, answer.to, answer.to_mac), (SERVER, OWN, MAC));
    // What goes out is what can be read back.
    let bytes = answer.message.to_vec().unwrap();
    insta::assert_debug_snapshot!(decode(&bytes));
}

#[test]
fn a_discovery_of_dhclient_is_offered_an_address() {
    let answer = ask(&decode(DHCLIENT)).unwrap();
    assert_eq!(kind(&answer), MessageType::Offer);
    assert_eq!(answer.message.yiaddr(), OWN);
    assert_eq!(answer.message.xid(), 0x47f7_8e2f);
    assert!(answer.message.opts().get(OptionCode::ClientIdentifier).is_none());
}

#[test]
fn the_offered_address_is_acknowledged_and_no_other() {
    let select = |address: Ipv4Addr| {
        let options = vec![DhcpOption::RequestedIpAddress(address), DhcpOption::ServerIdentifier(SERVER)];
        ask(&request(MessageType::Request, options)).unwrap()
    };
    assert_eq!(kind(&select(OWN)), MessageType::Ack);
    let refused = select(Ipv4Addr::new(10, 0, 0, 77));
    assert_eq!(kind(&refused), MessageType::Nak);
    assert_eq!(refused.message.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert_eq!((refused.to, refused.to_mac), (Ipv4Addr::BROADCAST, [0xff; 6]));

    let after_reboot = request(MessageType::Request, vec![DhcpOption::RequestedIpAddress(OWN)]);
    assert_eq!(kind(&ask(&after_reboot).unwrap()), MessageType::Ack);
    let of_nothing = request(MessageType::Request, vec![]);
    assert_eq!(kind(&ask(&of_nothing).unwrap()), MessageType::Nak);
}

#[test]
fn a_lease_is_renewed_to_the_address_in_use() {
    let mut message = request(MessageType::Request, vec![]);
    message.set_ciaddr(OWN);
    let renewed = ask(&message).unwrap();
    assert_eq!(kind(&renewed), MessageType::Ack);
    assert_eq!((renewed.to, renewed.to_mac), (OWN, MAC));
    message.set_ciaddr([10, 0, 0, 12]);
    assert_eq!(kind(&ask(&message).unwrap()), MessageType::Nak);
}

#[test]
fn who_cannot_take_unicast_gets_a_broadcast() {
    let mut message = decode(UDHCPC);
    message.set_flags(Flags::default().set_broadcast());
    let offered = ask(&message).unwrap();
    assert_eq!((offered.to, offered.to_mac), (Ipv4Addr::BROADCAST, [0xff; 6]));
    assert!(offered.message.flags().broadcast());
}

#[test]
fn who_has_an_address_is_told_the_rest_without_a_lease() {
    let mut message = request(MessageType::Inform, vec![]);
    message.set_ciaddr(OWN);
    let told = ask(&message).unwrap();
    assert_eq!(kind(&told), MessageType::Ack);
    assert_eq!(told.message.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert!(told.message.opts().get(OptionCode::AddressLeaseTime).is_none());
    assert!(told.message.opts().get(OptionCode::DomainNameServer).is_some());
}

#[test]
fn silence_for_strangers_and_for_other_servers_clients() {
    let from = |last| {
        let mut message = decode(UDHCPC);
        message.set_chaddr(&[0xfa, 0x16, 0x3e, 0, 0, last]);
        message
    };
    assert!(ask(&from(0x63)).is_none(), "nobody's MAC");
    assert!(ask(&from(12)).is_none(), "no address on a subnet with DHCP");
    assert!(ask(&from(13)).is_none(), "only a reservation");
    let elsewhere = DhcpOption::ServerIdentifier([10, 0, 0, 250].into());
    assert!(ask(&request(MessageType::Request, vec![elsewhere])).is_none());
    for kind in [MessageType::Release, MessageType::Decline, MessageType::Offer, MessageType::Ack] {
        assert!(ask(&request(kind, vec![])).is_none(), "{kind:?}");
    }
    let mut relayed = decode(UDHCPC);
    relayed.set_giaddr([10, 9, 9, 9]);
    assert!(ask(&relayed).is_none());
}

#[test]
fn old_clients_get_their_own_number_for_routes() {
    let microsoft = OptionCode::from(249);
    let message = request(
        MessageType::Discover,
        vec![DhcpOption::ParameterRequestList(vec![OptionCode::SubnetMask, microsoft])],
    );
    let offered = ask(&message).unwrap();
    let Some(DhcpOption::Unknown(routes)) = offered.message.opts().get(microsoft) else {
        panic!("{:?}", offered.message)
    };
    #[rustfmt::skip]
    assert_eq!(routes.data(), [
        17, 192, 168, 0, 10, 0, 0, 99,
        32, 169, 254, 169, 254, 10, 0, 0, 2,
        24, 10, 0, 1, 0, 0, 0, 0,
        0, 10, 0, 0, 1,
    ]);
}

#[test]
fn metadata_is_behind_the_router_if_there_is_one() {
    let mut plan = plan();
    let metadata = |plan: &NetworkPlan| {
        let table = Table::new(plan);
        let routes = &table.0[&MAC].routes;
        routes.iter().find(|(to, _)| to.addr() == super::METADATA).map(|(_, via)| *via)
    };
    assert_eq!(metadata(&plan), Some(SERVER));
    let gateway = IpAddr::from([10, 0, 0, 1]);
    plan.ports.push(port(1, PortKind::Router, vec![("a".into(), gateway)]));
    assert_eq!(metadata(&plan), Some(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn without_gateway_and_domain_nothing_is_made_up() {
    let mut plan = plan();
    plan.subnets[0].gateway = None;
    plan.subnets[0].dns_nameservers.clear();
    plan.subnets[0].dns_domain.clear();
    let offered = answer(&Table::new(&plan), &decode(UDHCPC)).unwrap();
    let options = offered.message.opts();
    for absent in [OptionCode::Router, OptionCode::DomainName] {
        assert!(options.get(absent).is_none(), "{absent:?}");
    }
}

#[test]
fn a_subnet_without_name_servers_is_served_by_the_dhcp_address() {
    let mut plan = plan();
    plan.subnets[0].dns_nameservers.clear();
    let offered = answer(&Table::new(&plan), &decode(UDHCPC)).unwrap();
    let servers = offered.message.opts().get(OptionCode::DomainNameServer).cloned();
    assert_eq!(servers, Some(DhcpOption::DomainNameServer(vec![SERVER])));
}

#[test]
fn a_ports_own_options_go_before_those_of_all() {
    let mut plan = plan();
    let option =
        |name: &str, value: &str| DhcpOptionPlan { ipv6: false, name: name.into(), value: value.into() };
    plan.ports[0].dhcp_options = vec![
        option("mtu", "1300"),
        option("bootfile-name", "boot.ipxe"),
        option("server-ip-address", "10.0.0.99"),
        option("router", "10.0.0.7"),
    ];
    let answer = answer(&Table::new(&plan), &decode(UDHCPC)).unwrap();
    let message = decode(&answer.message.to_vec().unwrap());
    let options = message.opts();
    assert_eq!(options.get(OptionCode::InterfaceMtu), Some(&DhcpOption::InterfaceMtu(1300)));
    assert_eq!(options.get(OptionCode::Router), Some(&DhcpOption::Router(vec![[10, 0, 0, 7].into()])));
    assert_eq!(options.get(OptionCode::BootfileName), Some(&DhcpOption::BootfileName(b"boot.ipxe".to_vec())));
    assert_eq!(message.siaddr(), Ipv4Addr::new(10, 0, 0, 99));
    assert!(message.fname().is_some_and(|file| file.starts_with(b"boot.ipxe")));
}
