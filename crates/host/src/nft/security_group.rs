//! Security groups: the inet family's table. Ports with equal rules share a chain; the addresses of a group are a set,
//! so that a new member changes no rule.

use std::net::IpAddr;

use ipnet::IpNet;

use super::element::{Element, Family, Part};
use super::ruleset::{MARKED, STATELESS};
use super::{Text, packets};
use crate::metadata::METADATA6;
use crate::plan::{Direction, PortPlan, Protocol, Remote, RulePlan};

/// Ports whose answers need no rule.
fn stateful() -> String {
    without(STATELESS)
}

fn without(flags: u32) -> String {
    format!("meta mark & {flags:#x} == 0")
}

const DSCP: &str = "dscp_";

pub(super) fn hooks(text: &mut Text) {
    for (direction, hook) in [(Direction::Egress, "forward"), (Direction::Ingress, "postrouting")] {
        text.block(format!("chain {hook}"), |text| {
            text.line(format!("type filter hook {hook} priority 0; policy accept;"));
            if direction == Direction::Egress {
                // What nearly every packet is.
                text.line(format!("{} ct state established,related accept", without(STATELESS | MARKED)));
                text.line("meta mark vmap @dscp");
            }
            text.line(format!("{} ct state established,related accept", stateful()));
            text.line(format!("meta mark vmap @{}", name(direction)));
        });
    }
    text.block("chain input", |text| {
        text.line("type filter hook input priority 0; policy accept;");
        // What a machine sends is the bridge's, or nobody's.
        text.line("iifname \"tap*\" drop");
        // The bridge speaks IPv6 for metadata alone.
        text.line("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, echo-request } accept");
        text.line(format!("ip6 daddr {METADATA6} tcp dport 80 accept"));
        text.line("meta nfproto ipv6 drop");
    });
}

/// What no security group can take away: a machine must find its address, its neighbours and its metadata. And what none
/// can allow, for fragments that showed only now what they are.
pub(super) fn always(text: &mut Text) {
    text.block("chain always_egress", |text| {
        text.line("icmpv6 type { nd-router-advert, nd-redirect } drop");
        text.line("udp sport 67 udp dport 68 drop");
        text.line("udp sport 547 udp dport 546 drop");
        text.line(
            "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept",
        );
        text.line("udp sport 68 udp dport 67 accept");
        text.line("udp sport 546 udp dport 547 accept");
        text.line("ip daddr 169.254.169.254 tcp dport 80 accept");
        text.line(format!("ip6 daddr {METADATA6} tcp dport 80 accept"));
        text.line(format!("{} ct state invalid drop", stateful()));
    });
    text.block("chain always_ingress", |text| {
        text.line(
            "icmpv6 type { mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
        );
        text.line("udp sport 67 udp dport 68 accept");
        text.line("udp sport 547 udp dport 546 accept");
        // What a machine asked its metadata is answered, also where answers are judged.
        text.line("ip saddr 169.254.169.254 tcp sport 80 ct state established accept");
        text.line(format!("ip6 saddr {METADATA6} tcp sport 80 ct state established accept"));
        text.line(format!("{} ct state invalid drop", stateful()));
    });
}

pub(super) fn chain(text: &mut Text, name: &str, rules: &[String]) {
    text.block(format!("chain {name}"), |text| {
        for rule in statements(name, rules) {
            text.line(rule);
        }
    });
}

/// The chain that marks packets with a differentiated services code point.
pub(super) fn dscp(code_point: u8) -> (String, Vec<String>) {
    let set = ["ip", "ip6"].map(|family| format!("{family} dscp set {code_point}"));
    (format!("{DSCP}{code_point}"), set.to_vec())
}

/// All that is in the chain of that name.
pub(super) fn statements(name: &str, rules: &[String]) -> Vec<String> {
    if name.starts_with(DSCP) || packets::is_limit(name) {
        return rules.to_vec();
    }
    let direction = name.split('_').next().unwrap_or(name);
    let mut statements = vec![format!("jump always_{direction}")];
    statements.extend_from_slice(rules);
    statements.push("drop".to_owned());
    statements
}

pub(super) fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "egress",
        Direction::Ingress => "ingress",
    }
}

/// The port's rules of one direction, each once, in an order of their own.
pub(super) fn rules(port: &PortPlan, direction: Direction) -> Vec<String> {
    let mut rules: Vec<String> =
        port.rules.iter().filter(|rule| rule.direction == direction).flat_map(rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

fn rule(rule: &RulePlan) -> Vec<String> {
    let family = if rule.ipv6 { "ip6" } else { "ip" };
    let side = match rule.direction {
        Direction::Ingress => "saddr",
        Direction::Egress => "daddr",
    };
    let peers = match &rule.remote {
        Remote::Any => vec![format!("meta nfproto {}", if rule.ipv6 { "ipv6" } else { "ipv4" })],
        Remote::Network(network) if matches!(network, IpNet::V6(_)) != rule.ipv6 => Vec::new(),
        Remote::Network(network) => vec![format!("{family} {side} {}", address(&network.trunc()))],
        Remote::Group(group) => {
            sets(group, rule.ipv6).into_iter().map(|set| format!("{family} {side} @{set}")).collect()
        }
    };
    let what = protocol(rule);
    peers.into_iter().map(|peer| format!("{peer}{what} accept")).collect()
}

fn protocol(rule: &RulePlan) -> String {
    let Some(protocol) = effective_protocol(rule) else { return String::new() };
    let icmp = match protocol {
        Protocol::ICMP => Some("icmp"),
        Protocol::ICMPV6 => Some("icmpv6"),
        _ => None,
    };
    match (icmp, rule.icmp, rule.ports) {
        (Some(icmp), Some((kind, None)), _) => format!(" {icmp} type {kind}"),
        (Some(icmp), Some((kind, Some(code))), _) => format!(" {icmp} type {kind} {icmp} code {code}"),
        (None, _, Some((first, last))) if first == last => {
            format!(" meta l4proto {} th dport {first}", protocol.0)
        }
        (None, _, Some((first, last))) => format!(" meta l4proto {} th dport {first}-{last}", protocol.0),
        _ => format!(" meta l4proto {}", protocol.0),
    }
}

/// The sets of a group's addresses: single ones, and ranges.
pub(super) fn sets(group: &str, ipv6: bool) -> [String; 2] {
    let plain = group.replace(|byte: char| !byte.is_ascii_alphanumeric(), "_");
    let version = if ipv6 { 6 } else { 4 };
    [format!("members{version}_{plain}"), format!("ranges{version}_{plain}")]
}

/// Their declarations.
pub(super) fn set_types(group: &str) -> Vec<(String, &'static str)> {
    let [members4, ranges4] = sets(group, false);
    let [members6, ranges6] = sets(group, true);
    vec![
        (members4, "type ipv4_addr"),
        (ranges4, "type ipv4_addr; flags interval"),
        (members6, "type ipv6_addr"),
        (ranges6, "type ipv6_addr; flags interval"),
    ]
}

/// Ranges without overlaps, which nft refuses.
pub(super) fn members(group: &str, members: &[IpNet]) -> Vec<Element> {
    let (singles, ranges): (Vec<IpNet>, Vec<IpNet>) =
        members.iter().partition(|network| network.prefix_len() == network.max_prefix_len());
    let element = |network: IpNet, which: usize, part: Part| {
        let [ref four, ref six] = [false, true].map(|ipv6| sets(group, ipv6)[which].clone());
        let set = if network.addr().is_ipv4() { four } else { six };
        Element::new(Family::Inet, set.clone(), vec![part])
    };
    let singles = singles.into_iter().map(|single| element(single, 0, Part::Address(single.addr())));
    let ranges = IpNet::aggregate(&ranges).into_iter();
    singles.chain(ranges.map(|range| element(range, 1, Part::Network(range)))).collect()
}

/// Neutron takes `icmp` for an IPv6 rule to mean ICMPv6.
pub(crate) fn effective_protocol(rule: &RulePlan) -> Option<Protocol> {
    match rule.protocol {
        Some(Protocol::ICMP) if rule.ipv6 => Some(Protocol::ICMPV6),
        other => other,
    }
}

fn address(network: &IpNet) -> String {
    let address: IpAddr = network.addr();
    if network.prefix_len() == network.max_prefix_len() { address.to_string() } else { network.to_string() }
}
