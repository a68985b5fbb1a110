//! One element of a set or map, as nft's text and as the kernel's bytes.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::link::plan::Mac;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Bridge,
    Inet,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Inet => "inet",
        }
    }

    /// `NFPROTO_*`
    pub fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Bridge => 7,
        }
    }
}

/// A set or map of the cloud's table in that family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    pub family: Family,
    pub name: Cow<'static, str>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    pub set: Set,
    pub key: Vec<Part>,
    pub value: Option<Value>,
}

/// One of the fields that a key is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Mark(u32),
    Link(String),
    Mac(Mac),
    Address(IpAddr),
    Network(IpNet),
    /// Sixteen bytes of a packet.
    Raw(u128),
    RawRange(u128, u128),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Mark(u32),
    Goto(String),
    /// And back.
    Jump(String),
}

impl Element {
    pub fn new(family: Family, set: impl Into<Cow<'static, str>>, key: Vec<Part>) -> Self {
        Self { set: Set { family, name: set.into() }, key, value: None }
    }

    pub fn to(self, value: Value) -> Self {
        Self { value: Some(value), ..self }
    }

    /// Whether [`key_bytes`](Self::key_bytes) and [`value_bytes`](Self::value_bytes) say all of it. Ranges are nft's.
    pub fn is_plain(&self) -> bool {
        !self.key.iter().any(|part| matches!(part, Part::Network(_) | Part::RawRange(..)))
    }

    pub fn key_text(&self) -> String {
        let parts: Vec<String> = self.key.iter().map(Part::text).collect();
        parts.join(" . ")
    }

    pub fn text(&self) -> String {
        let key = self.key_text();
        match &self.value {
            None => key,
            Some(Value::Mark(mark)) => format!("{key} : {mark:#x}"),
            Some(Value::Goto(chain)) => format!("{key} : goto {chain}"),
            Some(Value::Jump(chain)) => format!("{key} : jump {chain}"),
        }
    }

    /// As in the kernel's registers: each field of several begins at a multiple of four bytes.
    pub fn key_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        for part in &self.key {
            part.write(&mut bytes);
            if self.key.len() > 1 {
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
        }
        bytes
    }
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Mark(mark) => format!("{mark:#x}"),
            Self::Link(name) => format!("\"{name}\""),
            Self::Mac(mac) => mac.map(|byte| format!("{byte:02x}")).join(":"),
            Self::Address(address) => address.to_string(),
            Self::Network(network) => network.to_string(),
            Self::Raw(bytes) => format!("{bytes:#034x}"),
            Self::RawRange(first, last) => format!("{first:#034x}-{last:#034x}"),
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Mark(mark) => bytes.extend(mark.to_ne_bytes()),
            Self::Link(name) => {
                let begin = bytes.len();
                bytes.extend_from_slice(name.as_bytes());
                bytes.resize(begin + libc::IFNAMSIZ, 0);
            }
            Self::Mac(mac) => bytes.extend(mac),
            Self::Address(IpAddr::V4(address)) => bytes.extend(address.octets()),
            Self::Address(IpAddr::V6(address)) => bytes.extend(address.octets()),
            Self::Raw(raw) | Self::RawRange(raw, _) => bytes.extend(raw.to_be_bytes()),
            Self::Network(network) => Self::Address(network.network()).write(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_the_kernel_reads_them() {
        let mac = [0xfa, 0x16, 0x3e, 0, 0, 0x0a];
        let one = Element::new(Family::Bridge, "ports", vec![Part::Link("tap0".into())]).to(Value::Mark(1));
        assert_eq!(one.key_bytes(), *b"tap0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(one.text(), "\"tap0\" : 0x1");
        let address = Part::Address([10, 0, 0, 9].into());
        let three =
            Element::new(Family::Bridge, "sources4", vec![Part::Mark(7), Part::Mac(mac), address.clone()]);
        let mut expected = 7u32.to_ne_bytes().to_vec();
        expected.extend([0xfa, 0x16, 0x3e, 0, 0, 0x0a, 0, 0, 10, 0, 0, 9]);
        assert_eq!(three.key_bytes(), expected);
        assert_eq!(three.text(), "0x7 . fa:16:3e:00:00:0a . 10.0.0.9");
        assert!(three.is_plain());
        let range =
            Element::new(Family::Inet, "ranges4", vec![Part::Network("10.9.0.0/16".parse().unwrap())]);
        assert!(!range.is_plain());
    }
}
