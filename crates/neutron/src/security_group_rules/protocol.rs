//! IP protocols by name, as Neutron knows them (neutron-lib's IP_PROTOCOL_MAP and its aliases).

const NAMES: &[(&str, u8)] = &[
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("icmpv6", 58),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// Names for which a port range makes sense.
pub const WITH_PORTS: &[u8] = &[33, 132, 6, 17, 136];

pub fn is_known(name: &str) -> bool {
    NAMES.iter().any(|(n, _)| *n == name)
}

/// The number of a name or of a number's text. None: any protocol.
pub fn number(protocol: &str) -> Option<u8> {
    NAMES.iter().find(|(n, _)| *n == protocol).map(|(_, p)| *p).or_else(|| protocol.parse().ok())
}

/// The number that counts on the wire for that IP version: ICMP's legacy spellings mean ICMPv6 on IPv6.
pub fn effective(protocol: &str, ipv6: bool) -> Option<u8> {
    match number(protocol) {
        Some(1) if ipv6 => Some(58),
        other => other,
    }
}

pub fn names() -> String {
    let mut all: Vec<String> = ["None", "-1", "0", "'any'"].map(Into::into).to_vec();
    all.extend(NAMES.iter().map(|(n, _)| format!("'{n}'")));
    format!("[{}]", all.join(", "))
}

/// Protocols of IPv6 only.
pub fn is_ipv6_only(protocol: &str) -> bool {
    matches!(number(protocol), Some(41 | 43 | 44 | 58 | 59 | 60)) && protocol != "ip"
}
