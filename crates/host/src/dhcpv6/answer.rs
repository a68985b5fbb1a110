//! From a request to its answer (RFC 8415). Pure.

use std::net::Ipv6Addr;

use dhcproto::v6::{
    DhcpOption, DhcpOptions, IAAddr, IANA, Message, MessageType, OptionCode, Status, StatusCode,
    UnknownOption,
};

use super::table::Lease;
use crate::link::plan::Mac;

/// Of the machine's lease. `None`: silence, for what is malformed or meant for another server.
pub fn answer(lease: &Lease, server: Mac, request: &Message) -> Option<Message> {
    let asked = request.opts();
    let own_id = server_id(server);
    let named = match asked.get(OptionCode::ServerId) {
        Some(DhcpOption::ServerId(id)) => Some(id),
        _ => None,
    };
    let client = asked.get(OptionCode::ClientId);
    if named.is_some_and(|id| *id != own_id) {
        return None;
    }
    let kind = request.msg_type();
    // Sections 16.2 to 16.12: who must name whom.
    let proper = match kind {
        MessageType::Solicit | MessageType::Confirm | MessageType::Rebind => {
            client.is_some() && named.is_none()
        }
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            client.is_some() && named.is_some()
        }
        MessageType::InformationRequest => asked.get(OptionCode::IANA).is_none(),
        _ => false,
    };
    if !proper {
        return None;
    }
    let rapid = kind == MessageType::Solicit && asked.get(OptionCode::RapidCommit).is_some();
    let answer_kind = match kind {
        MessageType::Solicit if !rapid => MessageType::Advertise,
        _ => MessageType::Reply,
    };
    let mut message = Message::new_with_id(answer_kind, request.xid());
    let options = message.opts_mut();
    if let Some(client) = client {
        options.insert(client.clone());
    }
    options.insert(DhcpOption::ServerId(own_id));
    if rapid {
        options.insert(DhcpOption::RapidCommit);
    }
    match kind {
        MessageType::Confirm => {
            let all_ours =
                identities(asked).flat_map(addresses).all(|asked| lease.addresses.contains(&asked));
            options.insert(status(if all_ours { Status::Success } else { Status::NotOnLink }));
            return Some(message);
        }
        // Addresses are the plan's: neither released nor declined ones go to anybody else.
        MessageType::Release | MessageType::Decline => {
            options.insert(status(Status::Success));
            return Some(message);
        }
        MessageType::InformationRequest => {}
        _ => {
            for (number, identity) in identities(asked).enumerate() {
                // All its addresses are in the first; there are no more for further ones.
                let own: &[Ipv6Addr] = if number == 0 { &lease.addresses } else { &[] };
                options.insert(DhcpOption::IANA(association(own, identity, lease.time)));
            }
        }
    }
    if !lease.dns.is_empty() {
        options.insert(DhcpOption::DomainNameServers(lease.dns.clone()));
    }
    if let Some(name) = encode_name(&lease.domain) {
        options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::DomainSearchList, name)));
    }
    for (code, value) in &lease.extra {
        let code = OptionCode::from(*code);
        // Instead of ours; the map would keep both.
        options.remove_all(code);
        options.insert(DhcpOption::Unknown(UnknownOption::new(code, value.clone())));
    }
    Some(message)
}

/// DUID-LL (RFC 8415, 11.4).
pub fn server_id(mac: Mac) -> Vec<u8> {
    [&[0, 3, 0, 1][..], &mac].concat()
}

fn identities(options: &DhcpOptions) -> impl Iterator<Item = &IANA> {
    options.iter().filter_map(|option| match option {
        DhcpOption::IANA(identity) => Some(identity),
        _ => None,
    })
}

fn addresses(identity: &IANA) -> impl Iterator<Item = Ipv6Addr> {
    identity.opts.iter().filter_map(|option| match option {
        DhcpOption::IAAddr(address) => Some(address.addr),
        _ => None,
    })
}

fn association(own: &[Ipv6Addr], asked: &IANA, time: u32) -> IANA {
    let mut options = DhcpOptions::new();
    let mut add = |addr: Ipv6Addr, preferred_life: u32, valid_life: u32| {
        options.insert(DhcpOption::IAAddr(IAAddr {
            addr,
            preferred_life,
            valid_life,
            opts: DhcpOptions::new(),
        }));
    };
    for address in own {
        add(*address, time, time);
    }
    // What is another's by now is given up at once.
    for address in addresses(asked).filter(|address| !own.contains(address)) {
        add(address, 0, 0);
    }
    if own.is_empty() {
        options.insert(status(Status::NoAddrsAvail));
    }
    // An endless lease is never renewed.
    let part = |of: u32| if time == u32::MAX { u32::MAX } else { time / 8 * of };
    IANA { id: asked.id, t1: part(4), t2: part(7), opts: options }
}

fn status(status: Status) -> DhcpOption {
    DhcpOption::StatusCode(StatusCode { status, msg: String::new() })
}

/// RFC 1035, 3.1.
pub(crate) fn encode_name(domain: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for label in domain.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).ok().filter(|length| *length < 64)?);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    (bytes.len() > 1).then_some(bytes)
}
