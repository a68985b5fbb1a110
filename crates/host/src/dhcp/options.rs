//! Options that a port's owner gave: names as dnsmasq has them, or numbers, and values as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::answer::encode_routes;
use crate::dhcpv6::encode_name;
use crate::plan::DhcpOptionPlan;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Addresses,
    Text,
    /// So many bytes.
    Number(usize),
    /// Of domains, as DNS writes them.
    Names,
    /// Destination, next hop and so on.
    Routes,
    /// No type is known: the value's looks decide, as in dnsmasq.
    Any,
}

use Kind::{Addresses, Names, Number, Routes, Text};

const V4: &[(&str, u8, Kind)] = &[
    ("netmask", 1, Addresses),
    ("time-offset", 2, Number(4)),
    ("router", 3, Addresses),
    ("dns-server", 6, Addresses),
    ("log-server", 7, Addresses),
    ("lpr-server", 9, Addresses),
    ("hostname", 12, Text),
    ("boot-file-size", 13, Number(2)),
    ("domain-name", 15, Text),
    ("swap-server", 16, Addresses),
    ("root-path", 17, Text),
    ("extension-path", 18, Text),
    ("ip-forward-enable", 19, Number(1)),
    ("non-local-source-routing", 20, Number(1)),
    ("policy-filter", 21, Addresses),
    ("max-datagram-reassembly", 22, Number(2)),
    ("default-ttl", 23, Number(1)),
    ("mtu", 26, Number(2)),
    ("all-subnets-local", 27, Number(1)),
    ("broadcast", 28, Addresses),
    ("router-discovery", 31, Number(1)),
    ("router-solicitation", 32, Addresses),
    ("static-route", 33, Addresses),
    ("trailer-encapsulation", 34, Number(1)),
    ("arp-timeout", 35, Number(4)),
    ("ethernet-encap", 36, Number(1)),
    ("tcp-ttl", 37, Number(1)),
    ("tcp-keepalive", 38, Number(4)),
    ("nis-domain", 40, Text),
    ("nis-server", 41, Addresses),
    ("ntp-server", 42, Addresses),
    ("netbios-ns", 44, Addresses),
    ("netbios-dd", 45, Addresses),
    ("netbios-nodetype", 46, Number(1)),
    ("netbios-scope", 47, Kind::Any),
    ("x-windows-fs", 48, Addresses),
    ("x-windows-dm", 49, Addresses),
    ("lease-time", 51, Number(4)),
    ("T1", 58, Number(4)),
    ("T2", 59, Number(4)),
    ("vendor-class", 60, Text),
    ("nis+-domain", 64, Text),
    ("nis+-server", 65, Addresses),
    ("tftp-server", 66, Text),
    ("bootfile-name", 67, Text),
    ("mobile-ip-home", 68, Addresses),
    ("smtp-server", 69, Addresses),
    ("pop3-server", 70, Addresses),
    ("nntp-server", 71, Addresses),
    ("irc-server", 74, Addresses),
    ("user-class", 77, Text),
    ("domain-search", 119, Names),
    ("classless-static-route", 121, Routes),
    ("tftp-server-address", 150, Addresses),
    ("ms-classless-static-route", 249, Routes),
];

const V6: &[(&str, u16, Kind)] = &[
    ("sip-server-domain", 21, Names),
    ("sip-server", 22, Addresses),
    ("dns-server", 23, Addresses),
    ("domain-search", 24, Names),
    ("nis-server", 27, Addresses),
    ("nis+-server", 28, Addresses),
    ("nis-domain", 29, Names),
    ("nis+-domain", 30, Names),
    ("sntp-server", 31, Addresses),
    ("information-refresh-time", 32, Number(4)),
    ("bootfile-url", 59, Text),
    ("bootfile-param", 60, Text),
];

/// Codes that are the protocol's own: whose address it is, who answers, how.
const RESERVED: [u8; 9] = [0, 50, 52, 53, 54, 55, 57, 61, 255];

/// What the options of one port come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// In place of an option of ours with the same code.
    pub options: Vec<(u8, Vec<u8>)>,
    /// From which machine the next stage of booting comes: a field of the message, not an option.
    pub next_server: Option<Ipv4Addr>,
}

impl Extra {
    /// Those for IPv4. What makes no sense is left out, and said.
    pub fn v4(plans: &[DhcpOptionPlan]) -> Self {
        let mut extra = Self::default();
        for plan in plans.iter().filter(|plan| !plan.ipv6) {
            let name = plain(&plan.name);
            if name == "server-ip-address" {
                match plan.value.trim().parse() {
                    Ok(address) => extra.next_server = Some(address),
                    Err(_) => refuse(plan),
                }
                continue;
            }
            let known = V4.iter().find(|(known, _, _)| *known == name);
            let (code, kind) = match (known, name.parse::<u8>()) {
                (Some((_, code, kind)), _) => (*code, *kind),
                (None, Ok(code)) => {
                    (code, V4.iter().find(|(_, known, _)| *known == code).map_or(Kind::Any, |known| known.2))
                }
                (None, Err(_)) => {
                    refuse(plan);
                    continue;
                }
            };
            match encode(kind, &plan.value, false).filter(|value| value.len() < 256) {
                Some(value) if !RESERVED.contains(&code) => extra.options.push((code, value)),
                _ => refuse(plan),
            }
        }
        extra
    }

    pub fn of(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().rev().find(|(known, _)| *known == code).map(|(_, value)| value.as_slice())
    }
}

/// Those for IPv6: codes and values.
#[must_use]
pub fn v6(plans: &[DhcpOptionPlan]) -> Vec<(u16, Vec<u8>)> {
    // Identities, addresses and the protocol's own.
    const RESERVED: std::ops::RangeInclusive<u16> = 0..=20;
    let mut options = Vec::new();
    for plan in plans.iter().filter(|plan| plan.ipv6) {
        let name = plain(&plan.name);
        let known = V6.iter().find(|(known, code, _)| *known == name || code.to_string() == name);
        let found = match (known, name.parse::<u16>()) {
            (Some((_, code, kind)), _) => Some((*code, *kind)),
            (None, Ok(code)) if !RESERVED.contains(&code) => Some((code, Kind::Any)),
            _ => None,
        };
        match found.and_then(|(code, kind)| Some((code, encode(kind, &plan.value, true)?))) {
            Some(option) => options.push(option),
            None => refuse(plan),
        }
    }
    options
}

fn plain(name: &str) -> &str {
    name.trim().trim_start_matches("option6:").trim_start_matches("option:")
}

fn refuse(plan: &DhcpOptionPlan) {
    tracing::warn!(name = plan.name, value = plan.value, "a DHCP option that nobody understands is left out");
}

fn encode(kind: Kind, value: &str, ipv6: bool) -> Option<Vec<u8>> {
    let value = value.trim();
    match kind {
        Text => (!value.is_empty()).then(|| value.as_bytes().to_vec()),
        Addresses => addresses(value, ipv6),
        Number(size) => {
            let number: i64 = value.parse().ok()?;
            let bytes = number.to_be_bytes();
            let (lost, kept) = bytes.split_at(bytes.len() - size);
            // Offsets may be negative.
            let fits = lost.iter().all(|byte| *byte == 0) || (number < 0 && lost.iter().all(|b| *b == 0xff));
            fits.then(|| kept.to_vec())
        }
        Names => {
            let names = value.split(',').map(|name| encode_name(name.trim()));
            names.collect::<Option<Vec<_>>>().map(|names| names.concat())
        }
        Routes => routes(value),
        Kind::Any => guess(value, ipv6),
    }
}

fn addresses(value: &str, ipv6: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in value.split([',', ' ']).filter(|part| !part.is_empty()) {
        match (part.trim_matches(['[', ']']).parse().ok()?, ipv6) {
            (IpAddr::V4(address), false) => bytes.extend(address.octets()),
            (IpAddr::V6(address), true) => bytes.extend(Ipv6Addr::octets(&address)),
            _ => return None,
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

fn routes(value: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let route = |pair: &[&str]| match pair {
        [destination, next_hop] => Some((destination.parse().ok()?, next_hop.parse().ok()?)),
        _ => None,
    };
    parts.chunks(2).map(route).collect::<Option<Vec<_>>>().map(|routes| encode_routes(&routes))
}

fn guess(value: &str, ipv6: bool) -> Option<Vec<u8>> {
    let hex = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
    if let Some(bytes) = value.split(':').map(hex).collect::<Option<Vec<u8>>>()
        && bytes.len() > 1
    {
        return Some(bytes);
    }
    if let Some(bytes) = addresses(value, ipv6) {
        return Some(bytes);
    }
    if let Ok(number) = value.parse::<u32>() {
        let bytes = number.to_be_bytes();
        let size = match number {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 4,
        };
        return Some(bytes[4 - size..].to_vec());
    }
    encode(Text, value, ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ipv6: bool, name: &str, value: &str) -> DhcpOptionPlan {
        DhcpOptionPlan { ipv6, name: name.into(), value: value.into() }
    }

    #[test]
    fn names_and_numbers_become_what_is_sent() {
        let one = |name: &str, value: &str| Extra::v4(&[plan(false, name, value)]).options;
        assert_eq!(one("bootfile-name", "pxelinux.0"), [(67, b"pxelinux.0".to_vec())]);
        assert_eq!(one("option:mtu", "1400"), [(26, vec![0x05, 0x78])]);
        assert_eq!(one("time-offset", "-3600"), [(2, (-3600_i32).to_be_bytes().to_vec())]);
        assert_eq!(one("ntp-server", "10.0.0.1,10.0.0.2"), [(42, vec![10, 0, 0, 1, 10, 0, 0, 2])]);
        assert_eq!(one("26", "1400"), [(26, vec![0x05, 0x78])], "a number that has a name");
        assert_eq!(one("domain-search", "a.b"), [(119, vec![1, b'a', 1, b'b', 0])]);
        assert_eq!(one("121", "10.8.0.0/16,10.0.0.1"), [(121, vec![16, 10, 8, 10, 0, 0, 1])]);
        assert_eq!(one("224", "ab:cd"), [(224, vec![0xab, 0xcd])]);
        assert_eq!(one("224", "10.0.0.1"), [(224, vec![10, 0, 0, 1])]);
        assert_eq!(one("224", "300"), [(224, vec![1, 44])]);
        assert_eq!(one("224", "some words"), [(224, b"some words".to_vec())]);
        for (name, value) in [("mtu", "70000"), ("router", "x"), ("nonsense", "1"), ("53", "5"), ("51", "x")]
        {
            assert_eq!(one(name, value), [], "{name} {value}");
        }
        let server = Extra::v4(&[plan(false, "server-ip-address", "10.0.0.9"), plan(true, "23", "::1")]);
        assert_eq!(server, Extra { options: vec![], next_server: Some([10, 0, 0, 9].into()) });
    }

    #[test]
    fn ipv6_has_codes_of_its_own() {
        let one = |name: &str, value: &str| v6(&[plan(true, name, value)]);
        assert_eq!(one("bootfile-url", "http://[2001:db8::1]/x")[0].0, 59);
        assert_eq!(
            one("sntp-server", "[2001:db8::1]"),
            [(31, "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets().to_vec())]
        );
        assert_eq!(one("1", "ab:cd"), []);
        assert_eq!(v6(&[plan(false, "mtu", "1400")]), []);
    }
}
