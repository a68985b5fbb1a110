use std::net::{IpAddr, Ipv6Addr};

use dhcproto::v6::{DhcpOption, DhcpOptions, IAAddr, IANA, Message, MessageType, OptionCode, Status};
use dhcproto::{Decodable, Decoder, Encodable};

use super::answer::{answer, server_id};
use super::table::{Lease, Table};
use crate::plan::*;

const SERVER: [u8; 6] = [0xfa, 0x16, 0x3e, 0, 0, 2];
const MACHINE: [u8; 6] = [0xfa, 0x16, 0x3e, 0, 0, 0x0b];

fn at(network: u16, last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, last)
}

fn subnet(id: &str, network: u16, dhcpv6: Dhcpv6) -> SubnetPlan {
    SubnetPlan {
        id: id.into(),
        cidr: ipnet::IpNet::new(IpAddr::V6(at(network, 0)), 64).unwrap(),
        dns_nameservers: vec![IpAddr::V6(at(network, 53)), [192, 0, 2, 53].into()],
        lease_time: 8000,
        dns_domain: "cloud.example".into(),
        dhcpv6,
        ..SubnetPlan::default()
    }
}

fn table(subnets: Vec<SubnetPlan>) -> Table {
    let fixed_ips = subnets.iter().enumerate().map(|(number, subnet)| {
        let address = at(number as u16, 11);
        (subnet.id.clone(), IpAddr::V6(address))
    });
    let port = PortPlan {
        mac: "fa:16:3e:00:00:0b".into(),
        fixed_ips: fixed_ips.collect(),
        kind: PortKind::Vm,
        admin_up: true,
        ..PortPlan::default()
    };
    Table::new(&NetworkPlan { subnets, ports: vec![port], ..NetworkPlan::default() })
}

fn lease(mode: Dhcpv6) -> Lease {
    table(vec![subnet("a", 0, mode)]).0.remove(&MACHINE).unwrap()
}

fn request(kind: MessageType, to_us: bool, wanted: Option<&[Ipv6Addr]>) -> Message {
    let mut message = Message::new_with_id(kind, [1, 2, 3]);
    let options = message.opts_mut();
    options.insert(DhcpOption::ClientId(b"client".to_vec()));
    if to_us {
        options.insert(DhcpOption::ServerId(server_id(SERVER)));
    }
    if let Some(wanted) = wanted {
        let mut inner = DhcpOptions::new();
        for addr in wanted {
            let opts = DhcpOptions::new();
            inner.insert(DhcpOption::IAAddr(IAAddr { addr: *addr, preferred_life: 9, valid_life: 9, opts }));
        }
        options.insert(DhcpOption::IANA(IANA { id: 7, t1: 0, t2: 0, opts: inner }));
    }
    message
}

/// Through its bytes, as a client would read it.
fn ask(lease: &Lease, request: &Message) -> Option<Message> {
    let answer = answer(lease, SERVER, request)?;
    Some(Message::decode(&mut Decoder::new(&answer.to_vec().unwrap())).unwrap())
}

/// (address, valid lifetime), and the association's status.
fn given(message: &Message) -> (Vec<(Ipv6Addr, u32)>, Option<Status>) {
    let Some(DhcpOption::IANA(identity)) = message.opts().get(OptionCode::IANA) else {
        return (Vec::new(), None);
    };
    assert_eq!(identity.id, 7);
    let addresses = identity.opts.iter().filter_map(|option| match option {
        DhcpOption::IAAddr(address) => Some((address.addr, address.valid_life)),
        _ => None,
    });
    let status = identity.opts.iter().find_map(|option| match option {
        DhcpOption::StatusCode(code) => Some(code.status),
        _ => None,
    });
    (addresses.collect(), status)
}

#[test]
fn a_machine_gets_its_own_address() {
    let lease = lease(Dhcpv6::Stateful);
    let own = at(0, 11);
    let offer = ask(&lease, &request(MessageType::Solicit, false, Some(&[]))).unwrap();
    assert_eq!((offer.msg_type(), offer.xid()), (MessageType::Advertise, [1, 2, 3]));
    assert_eq!(given(&offer), (vec![(own, 8000)], None));
    assert_eq!(offer.opts().get(OptionCode::ClientId), Some(&DhcpOption::ClientId(b"client".to_vec())));
    assert_eq!(
        offer.opts().get(OptionCode::DomainNameServers),
        Some(&DhcpOption::DomainNameServers(vec![at(0, 53)]))
    );
    let search = offer.opts().get(OptionCode::DomainSearchList).unwrap();
    assert!(format!("{search:?}").contains("cloud"), "{search:?}");
    for kind in [MessageType::Request, MessageType::Renew] {
        let reply = ask(&lease, &request(kind, true, Some(&[own]))).unwrap();
        assert_eq!((reply.msg_type(), given(&reply)), (MessageType::Reply, (vec![(own, 8000)], None)));
        assert!(ask(&lease, &request(kind, false, Some(&[own]))).is_none(), "it names no server");
    }
    let mut rapid = request(MessageType::Solicit, false, Some(&[]));
    rapid.opts_mut().insert(DhcpOption::RapidCommit);
    assert_eq!(ask(&lease, &rapid).unwrap().msg_type(), MessageType::Reply);
}

#[test]
fn anothers_address_is_given_up() {
    let lease = lease(Dhcpv6::Stateful);
    let (own, other) = (at(0, 11), at(0, 99));
    let reply = ask(&lease, &request(MessageType::Rebind, false, Some(&[other]))).unwrap();
    let (mut addresses, _) = given(&reply);
    addresses.sort();
    assert_eq!(addresses, [(own, 8000), (other, 0)]);
    let told = |wanted: &[Ipv6Addr]| {
        let reply = ask(&lease, &request(MessageType::Confirm, false, Some(wanted))).unwrap();
        match reply.opts().get(OptionCode::StatusCode) {
            Some(DhcpOption::StatusCode(code)) => code.status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((told(&[own]), told(&[own, other])), (Status::Success, Status::NotOnLink));
}

#[test]
fn stateless_subnets_tell_names_only() {
    let lease = lease(Dhcpv6::Stateless);
    let reply = ask(&lease, &request(MessageType::InformationRequest, false, None)).unwrap();
    assert!(reply.opts().get(OptionCode::DomainNameServers).is_some());
    let offer = ask(&lease, &request(MessageType::Solicit, false, Some(&[]))).unwrap();
    assert_eq!(given(&offer), (vec![], Some(Status::NoAddrsAvail)));
}

#[test]
fn silence_for_strangers_and_other_servers() {
    assert_eq!(table(vec![subnet("a", 0, Dhcpv6::Off)]), Table::default());
    let lease = lease(Dhcpv6::Stateful);
    let mut other = request(MessageType::Request, false, Some(&[]));
    other.opts_mut().insert(DhcpOption::ServerId(server_id(MACHINE)));
    assert!(ask(&lease, &other).is_none());
    assert!(ask(&lease, &request(MessageType::Solicit, true, Some(&[]))).is_none());
    assert!(ask(&lease, &request(MessageType::Reply, true, Some(&[]))).is_none());
}

#[test]
fn addresses_of_all_subnets_come_together() {
    let all = table(vec![
        subnet("a", 0, Dhcpv6::Stateful),
        subnet("b", 1, Dhcpv6::Stateless),
        subnet("c", 2, Dhcpv6::Stateful),
    ]);
    assert_eq!(all.0[&MACHINE].addresses, [at(0, 11), at(2, 11)]);
    assert_eq!(all.0[&MACHINE].dns.len(), 3);
}
