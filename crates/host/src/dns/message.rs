//! As little of RFC 1035's messages as answering one question takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;
pub const ANY: u16 = 255;

const HEADER: usize = 12;
const INTERNET: u16 = 1;
/// Seconds. Machines come and go.
const TIME_TO_LIVE: u32 = 30;
const NO_SUCH_NAME: u8 = 3;

/// The one question of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In lower case, without trailing dot.
    pub name: String,
    pub kind: u16,
    /// Where the question ends.
    end: usize,
}

impl Question {
    /// `None` for anything but a standard query with one question of the Internet class.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let is_query = header[2] & 0xf8 == 0;
        if !is_query || header[4..6] != [0, 1] {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            match length {
                0 => break,
                // No question needs to be compressed.
                1..64 => labels.push(std::str::from_utf8(bytes.get(at..at + length)?).ok()?),
                _ => return None,
            }
            at += length;
        }
        let number = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (kind, class) = (number(at)?, number(at + 2)?);
        let name = labels.join(".").to_ascii_lowercase();
        (class == INTERNET).then_some(Self { name, kind, end: at + 4 })
    }

    /// The whole message; `exists` is about the name.
    pub fn answer(&self, query: &[u8], answers: &[Rest], exists: bool) -> Vec<u8> {
        let mut bytes = query[..self.end].to_vec();
        // A response, authoritative; recursion as desired, and available.
        bytes[2] = 0x84 | (query[2] & 1);
        bytes[3] = 0x80 | if exists { 0 } else { NO_SUCH_NAME };
        bytes[6..8].copy_from_slice(&(answers.len() as u16).to_be_bytes());
        bytes[8..12].fill(0);
        for Rest { kind, data } in answers {
            // The name is where the question has it.
            bytes.extend([0xc0, HEADER as u8]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend(INTERNET.to_be_bytes());
            bytes.extend(TIME_TO_LIVE.to_be_bytes());
            bytes.extend((data.len() as u16).to_be_bytes());
            bytes.extend_from_slice(data);
        }
        bytes
    }
}

/// A resource record but for its name.
pub struct Rest {
    kind: u16,
    data: Vec<u8>,
}

impl Rest {
    pub fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self { kind: A, data: address.octets().to_vec() },
            IpAddr::V6(address) => Self { kind: AAAA, data: address.octets().to_vec() },
        }
    }

    pub fn name(name: &str) -> Self {
        let mut data = Vec::new();
        for label in name.split('.') {
            let label = label.get(..label.len().min(63)).unwrap_or_default();
            data.push(label.len() as u8);
            data.extend_from_slice(label.as_bytes());
        }
        data.push(0);
        Self { kind: PTR, data }
    }
}

/// The address that a name of the reverse zones is about.
pub fn reverse(name: &str) -> Option<IpAddr> {
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let parts: Vec<u8> = octets.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [d, c, b, a]: [u8; 4] = parts.try_into().ok()?;
        return Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    }
    let digits: Vec<u8> = name
        .strip_suffix(".ip6.arpa")?
        .split('.')
        .map(|digit| if digit.len() == 1 { u8::from_str_radix(digit, 16).ok() } else { None })
        .collect::<Option<_>>()?;
    let digits: [u8; 32] = digits.try_into().ok()?;
    let number = digits.iter().rev().fold(0u128, |number, digit| number << 4 | u128::from(*digit));
    Some(IpAddr::V6(Ipv6Addr::from(number)))
}
