//! From a request to its answer (RFC 2131). Pure.

use std::net::Ipv4Addr;

use dhcproto::v4::{
    DhcpOption, DhcpOptions, Flags, HType, Message, MessageType, Opcode, OptionCode, UnknownOption,
};
use ipnet::Ipv4Net;

use super::table::{Lease, Table};
use crate::link::packet::BROADCAST;
use crate::link::plan::Mac;

/// Microsoft's number for classless static routes, from before the standard's 121.
const MICROSOFT_ROUTES: u8 = 249;

const BOOT_FILE: u8 = 67;

#[derive(Debug)]
pub struct Answer {
    pub message: Message,
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    /// A machine without an address cannot be asked for its MAC, so the frame is addressed by us.
    pub to_mac: Mac,
}

/// `None`: silence, for strangers and for what is meant for another server.
pub fn answer(table: &Table, request: &Message) -> Option<Answer> {
    let from_ethernet = request.opcode() == Opcode::BootRequest
        && request.htype() == HType::Eth
        // Relay agents are outside of every network here.
        && request.giaddr().is_unspecified();
    let mac: Mac = request.chaddr().try_into().ok().filter(|_| from_ethernet)?;
    let lease = table.0.get(&mac)?;
    let options = request.opts();
    let named_server = match options.get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) => Some(*server),
        _ => None,
    };
    if named_server.is_some_and(|server| server != lease.server) {
        return None;
    }
    let kind = match options.msg_type()? {
        MessageType::Discover => MessageType::Offer,
        MessageType::Request if wants(request) == Some(lease.address) => MessageType::Ack,
        MessageType::Request => MessageType::Nak,
        MessageType::Inform => MessageType::Ack,
        // Addresses are the plan's: neither released nor declined ones go to anybody else.
        _ => return None,
    };
    let informs = options.msg_type() == Some(MessageType::Inform);
    let next_server = lease.extra.next_server.filter(|_| kind != MessageType::Nak);

    let mut message = Message::new_with_id(
        request.xid(),
        if kind == MessageType::Ack { request.ciaddr() } else { Ipv4Addr::UNSPECIFIED },
        if kind == MessageType::Nak || informs { Ipv4Addr::UNSPECIFIED } else { lease.address },
        next_server.unwrap_or(Ipv4Addr::UNSPECIFIED),
        Ipv4Addr::UNSPECIFIED,
        request.chaddr(),
    );
    message.set_opcode(Opcode::BootReply);
    let broadcast = request.flags().broadcast() || kind == MessageType::Nak;
    message.set_flags(if broadcast { Flags::default().set_broadcast() } else { Flags::default() });
    message.set_opts(reply_options(kind, lease, options, informs));
    // Firmware of old looks for the file's name in a field of the message.
    if let Some(file) = lease.extra.of(BOOT_FILE).filter(|file| file.len() < 128 && kind != MessageType::Nak)
    {
        message.set_fname(file);
    }

    let (to, to_mac) = match (kind, request.ciaddr().is_unspecified()) {
        (MessageType::Nak, _) => (Ipv4Addr::BROADCAST, BROADCAST),
        (_, false) => (request.ciaddr(), mac),
        (_, true) if broadcast => (Ipv4Addr::BROADCAST, BROADCAST),
        (_, true) => (lease.address, mac),
    };
    Some(Answer { message, from: lease.server, to, to_mac })
}

/// The address that a request is for: named in an option, or in use already.
fn wants(request: &Message) -> Option<Ipv4Addr> {
    match request.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => Some(*address),
        _ => Some(request.ciaddr()).filter(|address| !address.is_unspecified()),
    }
}

fn reply_options(kind: MessageType, lease: &Lease, asked: &DhcpOptions, informs: bool) -> DhcpOptions {
    let mut options = DhcpOptions::new();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ServerIdentifier(lease.server));
    if let Some(client) = asked.get(OptionCode::ClientIdentifier) {
        // RFC 6842: it is given back.
        options.insert(client.clone());
    }
    if kind == MessageType::Nak {
        return options;
    }
    if !informs {
        options.insert(DhcpOption::AddressLeaseTime(lease.time));
        // The usual points in time (RFC 2131, 4.4.5); an endless lease is never renewed.
        if lease.time != u32::MAX {
            options.insert(DhcpOption::Renewal(lease.time / 2));
            options.insert(DhcpOption::Rebinding(lease.time / 8 * 7));
        }
    }
    options.insert(DhcpOption::SubnetMask(lease.subnet.netmask()));
    options.insert(DhcpOption::BroadcastAddr(lease.subnet.broadcast()));
    if let Some(gateway) = lease.gateway {
        options.insert(DhcpOption::Router(vec![gateway]));
    }
    if !lease.dns.is_empty() {
        options.insert(DhcpOption::DomainNameServer(lease.dns.clone()));
    }
    if !lease.domain.is_empty() {
        options.insert(DhcpOption::DomainName(lease.domain.clone()));
    }
    if !lease.hostname.is_empty() {
        options.insert(DhcpOption::Hostname(lease.hostname.clone()));
    }
    options.insert(DhcpOption::InterfaceMtu(lease.mtu));
    options.insert(DhcpOption::ClasslessStaticRoute(lease.routes.clone()));
    let microsoft = OptionCode::from(MICROSOFT_ROUTES);
    let asks = match asked.get(OptionCode::ParameterRequestList) {
        Some(DhcpOption::ParameterRequestList(codes)) => codes.contains(&microsoft),
        _ => false,
    };
    if asks {
        options.insert(DhcpOption::Unknown(UnknownOption::new(microsoft, encode_routes(&lease.routes))));
    }
    for (code, value) in &lease.extra.options {
        options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(*code), value.clone())));
    }
    options
}

/// RFC 3442: length, as many bytes of the destination as matter, next hop.
pub(super) fn encode_routes(routes: &[(Ipv4Net, Ipv4Addr)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (destination, next_hop) in routes {
        let significant = usize::from(destination.prefix_len()).div_ceil(8);
        bytes.push(destination.prefix_len());
        bytes.extend_from_slice(&destination.network().octets()[..significant]);
        bytes.extend(next_hop.octets());
    }
    bytes
}
