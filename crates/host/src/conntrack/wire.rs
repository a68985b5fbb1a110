//! One connection as netlink writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::nfnetlink::{attributes, push_attribute};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub original: Tuple,
    pub reply: Tuple,
    /// The attributes that name this very connection when it is to be deleted.
    pub key: Vec<u8>,
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    /// (type, code)
    pub icmp: Option<(u8, u8)>,
}

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

impl Entry {
    /// `None` for what we do not understand; it is left alone.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut original = None;
        let mut reply = None;
        let mut key = Vec::new();
        for (kind, value) in attributes(bytes) {
            match kind {
                TUPLE_ORIGINAL => {
                    original = Tuple::parse(value);
                    push_attribute(&mut key, kind, true, value);
                }
                TUPLE_REPLY => reply = Tuple::parse(value),
                ID | ZONE => push_attribute(&mut key, kind, false, value),
                _ => {}
            }
        }
        Some(Self { original: original?, reply: reply?, key })
    }

    #[must_use]
    pub fn family(&self) -> u8 {
        (if self.original.source.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
    }
}

impl Tuple {
    fn parse(bytes: &[u8]) -> Option<Self> {
        const IP: u16 = 1;
        const PROTOCOL: u16 = 2;
        let (mut source, mut destination, mut protocol) = (None, None, None);
        let (mut source_port, mut destination_port) = (0, 0);
        let (mut icmp_type, mut icmp_code) = (None, None);
        for (kind, value) in attributes(bytes) {
            for (inner, value) in attributes(value) {
                match (kind, inner) {
                    (IP, 1 | 3) => source = address(value),
                    (IP, 2 | 4) => destination = address(value),
                    (PROTOCOL, 1) => protocol = value.first().copied(),
                    (PROTOCOL, 2) => source_port = port(value)?,
                    (PROTOCOL, 3) => destination_port = port(value)?,
                    (PROTOCOL, 5 | 8) => icmp_type = value.first().copied(),
                    (PROTOCOL, 6 | 9) => icmp_code = value.first().copied(),
                    _ => {}
                }
            }
        }
        Some(Self {
            source: source?,
            destination: destination?,
            protocol: protocol?,
            source_port,
            destination_port,
            icmp: icmp_type.zip(icmp_code),
        })
    }
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes))),
        16 => value.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes))),
        _ => None,
    }
}

fn port(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut ip = Vec::new();
        push_attribute(&mut ip, 1, false, &source);
        push_attribute(&mut ip, 2, false, &destination);
        let mut protocol = Vec::new();
        push_attribute(&mut protocol, 1, false, &[6]);
        push_attribute(&mut protocol, 2, false, &40000u16.to_be_bytes());
        push_attribute(&mut protocol, 3, false, &22u16.to_be_bytes());
        let mut tuple = Vec::new();
        push_attribute(&mut tuple, 1, true, &ip);
        push_attribute(&mut tuple, 2, true, &protocol);
        tuple
    }

    #[test]
    fn a_connection_is_read_and_named() {
        let mut bytes = Vec::new();
        push_attribute(&mut bytes, TUPLE_ORIGINAL, true, &tuple([10, 0, 0, 1], [10, 0, 0, 2]));
        push_attribute(&mut bytes, TUPLE_REPLY, true, &tuple([10, 0, 0, 2], [10, 0, 0, 1]));
        push_attribute(&mut bytes, 3, false, &[0; 4]);
        push_attribute(&mut bytes, ID, false, &[1, 2, 3, 4]);
        let entry = Entry::parse(&bytes).unwrap();
        assert_eq!(entry.original.source, IpAddr::from([10, 0, 0, 1]));
        assert_eq!(entry.original.destination_port, 22);
        assert_eq!(entry.reply.source, IpAddr::from([10, 0, 0, 2]));
        let kinds: Vec<u16> = attributes(&entry.key).map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [TUPLE_ORIGINAL, ID]);
        assert_eq!(Entry::parse(&bytes[..40]), None);
    }
}
