//! The advertisement as bytes. Pure.

use std::time::Duration;

use crate::link::plan::{Mac, parse_mac};
use crate::plan::{PrefixPlan, RaMode, RouterPort};

/// Time between two unasked ones.
pub const INTERVAL: Duration = Duration::from_secs(60);

const ROUTER_ADVERTISEMENT: u8 = 134;
const HOP_LIMIT: u8 = 64;
/// Seconds; several intervals, so that lost ones do no harm.
const ROUTER_LIFETIME: u16 = 300;
const VALID: u32 = 86_400;
const PREFERRED: u32 = 14_400;
const DNS_LIFETIME: u32 = 300;

const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

/// `None` for an interface that advertises nothing. The checksum is the kernel's to fill in.
pub fn message(port: &RouterPort) -> Option<Vec<u8>> {
    if port.prefixes.is_empty() {
        return None;
    }
    let flags = port.prefixes.iter().fold(0, |flags, prefix| {
        flags
            | match prefix.mode {
                RaMode::Slaac => 0,
                RaMode::Stateless => OTHER,
                RaMode::Stateful => MANAGED | OTHER,
            }
    });
    let mut bytes = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, HOP_LIMIT, flags];
    bytes.extend(ROUTER_LIFETIME.to_be_bytes());
    // Reachable time and retransmission timer: no opinion.
    bytes.extend([0; 8]);
    if let Some(mac) = parse_mac(&port.mac) {
        source_link(&mut bytes, mac);
    }
    bytes.extend([5, 1, 0, 0]);
    bytes.extend(port.mtu.to_be_bytes());
    for prefix in &port.prefixes {
        prefix_information(&mut bytes, prefix);
        name_servers(&mut bytes, prefix);
    }
    Some(bytes)
}

fn source_link(bytes: &mut Vec<u8>, mac: Mac) {
    bytes.extend([1, 1]);
    bytes.extend(mac);
}

fn prefix_information(bytes: &mut Vec<u8>, prefix: &PrefixPlan) {
    // Only prefixes of 64 bits leave room for what a machine makes up itself.
    let autonomous = prefix.mode != RaMode::Stateful && prefix.prefix.prefix_len() == 64;
    let flags = ON_LINK | if autonomous { AUTONOMOUS } else { 0 };
    bytes.extend([3, 4, prefix.prefix.prefix_len(), flags]);
    bytes.extend(VALID.to_be_bytes());
    bytes.extend(PREFERRED.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(prefix.prefix.network().octets());
}

/// RFC 8106, 5.1.
fn name_servers(bytes: &mut Vec<u8>, prefix: &PrefixPlan) {
    if prefix.dns.is_empty() {
        return;
    }
    let length = 1 + 2 * prefix.dns.len();
    bytes.extend([25, u8::try_from(length).unwrap_or(u8::MAX), 0, 0]);
    bytes.extend(DNS_LIFETIME.to_be_bytes());
    for server in prefix.dns.iter().take(127) {
        bytes.extend(server.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_flags() {
        let of = |modes: &[RaMode]| {
            let prefixes = modes.iter().map(|mode| PrefixPlan {
                prefix: "2001:db8:1::/64".parse().unwrap(),
                mode: *mode,
                dns: vec!["2001:db8::53".parse().unwrap()],
            });
            let mac = "fa:16:3e:00:00:01".into();
            message(&RouterPort { mac, mtu: 1450, prefixes: prefixes.collect(), ..RouterPort::default() })
        };
        assert_eq!(of(&[]), None);
        // Flags of the router, and of the prefix.
        for (mode, router, prefix) in
            [(RaMode::Slaac, 0, 0xc0), (RaMode::Stateless, 0x40, 0xc0), (RaMode::Stateful, 0xc0, 0x80)]
        {
            let bytes = of(&[mode]).unwrap();
            assert_eq!((bytes[5], bytes[16 + 8 + 8 + 3]), (router, prefix), "{mode:?}");
            assert_eq!(bytes.len(), 16 + 8 + 8 + 32 + 24);
            assert_eq!(bytes[16..24], [1, 1, 0xfa, 0x16, 0x3e, 0, 0, 1]);
            assert_eq!(bytes[24..32], [5, 1, 0, 0, 0, 0, 0x05, 0xaa]);
            assert_eq!(bytes[64..72], [25, 3, 0, 0, 0, 0, 1, 44]);
        }
        assert_eq!(of(&[RaMode::Slaac, RaMode::Stateful]).unwrap()[5], 0xc0);
    }
}
