//! Who may say to be whom: the bridge family's table.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::Text;
use super::element::{Element, Family, Part, Value};
use super::ruleset::FREE;
use crate::link::plan::{Mac, parse_mac};
use crate::metadata::METADATA6;
use crate::names;
use crate::plan::PortPlan;

/// The sets of the table with their types.
pub(super) const SETS: [(&str, &str); 10] = [
    ("map ports", "type ifname : mark"),
    ("map macs", "type ifname . ether_addr : mark"),
    // Fixed addresses only: whose metadata it is.
    ("set own4", "type mark . ipv4_addr"),
    // By IPv6 it is asked for on the link only.
    ("set own6", "type mark . ipv6_addr"),
    ("map sources4", "type ifname . ether_addr . ipv4_addr : mark"),
    ("set ranges4", "type mark . ether_addr . ipv4_addr; flags interval"),
    ("map sources6", "type ifname . ether_addr . ipv6_addr : mark"),
    ("set ranges6", "type mark . ether_addr . ipv6_addr; flags interval"),
    ("set targets6", "typeof meta mark . @th,64,128"),
    ("set target_ranges6", "typeof meta mark . @th,64,128; flags interval"),
];

pub(super) fn chains(text: &mut Text) {
    text.block("chain prerouting", |text| {
        text.line("type filter hook prerouting priority -300; policy accept;");
        text.line("iifname != \"tap*\" meta mark set 0 accept");
        // What nearly every packet is comes first, and is found in one look. `ether type` sees VLAN tags, `meta protocol`
        // would not.
        text.line("ether type ip meta mark set iifname . ether saddr . ip saddr map @sources4 goto known");
        text.line(
            "ether type ip6 meta l4proto != icmpv6 meta mark set iifname . ether saddr . ip6 saddr map @sources6 goto known6",
        );
        text.line("meta mark set 0");
        text.line("meta mark set iifname map @ports");
        text.line("meta mark 0 drop");
        text.line(format!("meta mark & {FREE:#x} == {FREE:#x} goto free"));
        text.line("meta mark set iifname . ether saddr map @macs goto protected");
        text.line("drop");
    });
    // Everything else goes, VLAN tags too: their contents would pass the security groups unseen.
    text.block("chain protected", |text| {
        text.line("ether type vmap { arp : goto from_arp, ip : goto from_ip4, ip6 : goto from_ip6 }");
        text.line("drop");
    });
    // Metadata is told by address, so not even an allowed address pair, nor a port without port security, may ask for it
    // with another's. The second tag of a packet that is tagged for VLAN 0 would be looked behind by the kernel only.
    text.block("chain free", |text| {
        text.line("ether type { 8021q, 8021ad } @ll,116,12 0 drop");
        text.line("ether type ip6 goto known6");
        text.line("goto known");
    });
    text.block("chain known", |text| {
        text.line("ip daddr 169.254.169.254 meta mark . ip saddr != @own4 drop");
        text.line("accept");
    });
    text.block("chain known6", |text| {
        text.line(format!("ip6 daddr {METADATA6} meta mark . ip6 saddr != @own6 drop"));
        text.line("accept");
    });
    text.block("chain from_arp", |text| {
        text.line("meta mark set iifname . arp saddr ether . arp saddr ip map @sources4 accept");
        text.line("meta mark . arp saddr ether . arp saddr ip @ranges4 accept");
        // The probe of a machine that is about to use an address.
        text.line("arp saddr ip 0.0.0.0 meta mark set iifname . arp saddr ether map @macs accept");
        text.line("drop");
    });
    text.block("chain from_ip4", |text| {
        text.line("ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept");
        text.line("meta mark . ether saddr . ip saddr @ranges4 goto known");
        text.line("drop");
    });
    text.block("chain from_ip6", |text| {
        text.line("icmpv6 type { nd-router-advert, nd-redirect } drop");
        // The target (bytes 8 to 23 of ICMPv6) is what ARP's source address is in IPv4. To ask whether somebody has an
        // address is to say that one is about to have it.
        text.line("icmpv6 type nd-neighbor-advert jump target");
        text.line("ip6 saddr :: icmpv6 type nd-neighbor-solicit jump target");
        text.line(
            "ip6 saddr :: icmpv6 type { nd-neighbor-solicit, nd-router-solicit, mld-listener-report, mld2-listener-report } accept",
        );
        text.line("meta mark set iifname . ether saddr . ip6 saddr map @sources6 goto known6");
        text.line("meta mark . ether saddr . ip6 saddr @ranges6 goto known6");
        text.line("drop");
    });
    text.block("chain target", |text| {
        text.line("meta mark . @th,64,128 @targets6 return");
        text.line("meta mark . @th,64,128 @target_ranges6 return");
        text.line("drop");
    });
    text.block("chain input", |text| {
        text.line("type filter hook input priority -300; policy accept;");
        // These come here past prerouting, and the bridge would learn the sender's address from them.
        text.line("iifname \"tap*\" ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop");
    });
    text.block("chain deliver", |text| {
        text.line("oifname != \"tap*\" meta mark set 0 accept");
        text.line("meta mark set oifname . ether daddr map @macs accept");
        text.line("meta mark set 0");
        text.line("meta mark set oifname map @ports");
        text.line("meta mark 0 drop");
        text.line(format!("meta mark & {FREE:#x} == {FREE:#x} accept"));
        text.line("ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 accept");
        // Flooded because the bridge has not learnt its place: not for this port.
        text.line("drop");
    });
    text.block("chain forward", |text| {
        // After br_netfilter (0): the sender's egress rules need the sender's mark.
        text.line("type filter hook forward priority 100; policy accept;");
        text.line("jump deliver");
    });
    text.block("chain output", |text| {
        text.line("type filter hook output priority 100; policy accept;");
        text.line("jump deliver");
    });
}

/// What one port is in those sets.
pub(super) fn elements(elements: &mut Vec<Element>, port: &PortPlan, mark: u32) {
    let link = || Part::Link(names::tap(&port.id));
    let mut add = |set: &'static str, key: Vec<Part>| {
        let element = Element::new(Family::Bridge, set, key);
        // What is asked for every packet gives the mark at once.
        let gives_mark = matches!(set, "macs" | "ports" | "sources4" | "sources6");
        elements.push(if gives_mark { element.to(Value::Mark(mark)) } else { element });
    };
    add("ports", vec![link()]);
    for (_, address) in port.fixed_ips.iter().filter(|(_, address)| address.is_ipv4()) {
        add("own4", vec![Part::Mark(mark), Part::Address(*address)]);
    }
    if let Some(mac) = parse_mac(&port.mac) {
        add("own6", vec![Part::Mark(mark), Part::Address(link_local(mac).into())]);
    }
    if !port.port_security {
        return;
    }
    let sources = sources(port);
    for mac in sources.keys() {
        add("macs", vec![link(), Part::Mac(*mac)]);
    }
    for (mac, networks) in &sources {
        for network in networks {
            let (set, who, last) = match (network, is_single(network)) {
                (IpNet::V4(_), true) => ("sources4", link(), Part::Address(network.addr())),
                (IpNet::V4(_), false) => ("ranges4", Part::Mark(mark), Part::Network(*network)),
                (IpNet::V6(_), true) => ("sources6", link(), Part::Address(network.addr())),
                (IpNet::V6(_), false) => ("ranges6", Part::Mark(mark), Part::Network(*network)),
            };
            add(set, vec![who, Part::Mac(*mac), last]);
        }
    }
    let addresses6: Vec<Ipv6Net> = sources
        .values()
        .flatten()
        .filter_map(|network| match network {
            IpNet::V6(network) => Some(*network),
            IpNet::V4(_) => None,
        })
        .collect();
    let (ranges, singles): (Vec<Ipv6Net>, Vec<Ipv6Net>) =
        addresses6.into_iter().partition(|network| network.prefix_len() < 128);
    for network in singles {
        add("targets6", vec![Part::Mark(mark), Part::Raw(u128::from(network.addr()))]);
    }
    for network in Ipv6Net::aggregate(&ranges) {
        let range = Part::RawRange(u128::from(network.network()), u128::from(network.broadcast()));
        add("target_ranges6", vec![Part::Mark(mark), range]);
    }
}

/// By MAC: fixed addresses, allowed pairs and the link-local address that IPv6 derives from it. Ranges do not overlap,
/// which nft would refuse for the whole ruleset.
fn sources(port: &PortPlan) -> BTreeMap<Mac, Vec<IpNet>> {
    let mut by_mac: BTreeMap<Mac, Vec<IpNet>> = BTreeMap::new();
    let fixed = port.fixed_ips.iter().map(|(_, address)| (&port.mac, IpNet::from(*address)));
    let pairs = port.allowed_address_pairs.iter().map(|(mac, network)| (mac, network.trunc()));
    for (mac, network) in fixed.chain(pairs) {
        if let Some(mac) = parse_mac(mac) {
            by_mac.entry(mac).or_default().push(network);
        }
    }
    if let Some(mac) = parse_mac(&port.mac) {
        by_mac.entry(mac).or_default();
    }
    for (mac, networks) in &mut by_mac {
        networks.push(IpNet::from(IpAddr::V6(link_local(*mac))));
        networks.sort();
        networks.dedup();
        let (singles, ranges): (Vec<IpNet>, Vec<IpNet>) = networks.drain(..).partition(is_single);
        networks.extend(singles.into_iter().chain(IpNet::aggregate(&ranges)));
    }
    by_mac
}

fn is_single(network: &IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

/// RFC 4291, appendix A.
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
