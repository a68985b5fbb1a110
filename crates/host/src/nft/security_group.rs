//! Security groups: the inet family's table. Ports with equal rules share a chain.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Text;
use super::network::Port;
use crate::plan::{Direction, Protocol, RulePlan};

pub(super) fn render(text: &mut Text, ports: &[Port<'_>]) {
    always(text);
    for direction in [Direction::Egress, Direction::Ingress] {
        chains(text, ports, direction);
    }
    for (direction, hook) in [(Direction::Egress, "forward"), (Direction::Ingress, "postrouting")] {
        text.block(format!("chain {hook}"), |text| {
            text.line(format!("type filter hook {hook} priority 0; policy accept;"));
            text.line(format!("meta mark vmap @{}", name(direction)));
        });
    }
}

/// What no security group can take away: a machine must find its address, its neighbours and its metadata.
fn always(text: &mut Text) {
    text.block("chain always_egress", |text| {
        text.line(
            "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept",
        );
        text.line("udp sport 68 udp dport 67 accept");
        text.line("udp sport 546 udp dport 547 accept");
        text.line("ip daddr 169.254.169.254 tcp dport 80 accept");
    });
    text.block("chain always_ingress", |text| {
        text.line(
            "icmpv6 type { mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
        );
        text.line("udp sport 67 udp dport 68 accept");
        text.line("udp sport 547 udp dport 546 accept");
    });
}

fn chains(text: &mut Text, ports: &[Port<'_>], direction: Direction) {
    let name = name(direction);
    let mut chains: Vec<Vec<String>> = Vec::new();
    let mut elements = Vec::new();
    for port in ports.iter().filter(|port| port.is_protected()) {
        let mut rules: Vec<String> =
            port.plan.rules.iter().filter(|rule| rule.direction == direction).filter_map(rule).collect();
        rules.sort();
        rules.dedup();
        let number = match chains.iter().position(|known| *known == rules) {
            Some(number) => number,
            None => {
                chains.push(rules);
                chains.len() - 1
            }
        };
        elements.push(format!("{:#x} : goto {name}_{number}", port.mark));
    }
    for (number, rules) in chains.iter().enumerate() {
        text.block(format!("chain {name}_{number}"), |text| {
            text.line("ct state established,related accept");
            text.line(format!("jump always_{name}"));
            text.line("ct state invalid drop");
            for rule in rules {
                text.line(rule);
            }
            text.line("drop");
        });
    }
    text.elements(&format!("map {name}"), "type mark : verdict", &elements);
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "egress",
        Direction::Ingress => "ingress",
    }
}

/// `None` for a rule that matches nobody.
fn rule(rule: &RulePlan) -> Option<String> {
    let mut matches = Vec::new();
    match remotes(rule)? {
        remotes if remotes.is_empty() => {
            matches.push(format!("meta nfproto {}", if rule.ipv6 { "ipv6" } else { "ipv4" }));
        }
        remotes => {
            let side = match rule.direction {
                Direction::Ingress => "saddr",
                Direction::Egress => "daddr",
            };
            let family = if rule.ipv6 { "ip6" } else { "ip" };
            let list: Vec<String> = remotes.iter().map(address).collect();
            matches.push(format!("{family} {side} {{ {} }}", list.join(", ")));
        }
    }
    if let Some(protocol) = effective_protocol(rule) {
        let icmp = match protocol {
            Protocol::ICMP => Some("icmp"),
            Protocol::ICMPV6 => Some("icmpv6"),
            _ => None,
        };
        match (icmp, rule.icmp, rule.ports) {
            (Some(icmp), Some((kind, code)), _) => {
                matches.push(format!("{icmp} type {kind}"));
                matches.extend(code.map(|code| format!("{icmp} code {code}")));
            }
            (None, _, Some((first, last))) => {
                let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
                matches.push(format!("meta l4proto {} th dport {ports}", protocol.0));
            }
            _ => matches.push(format!("meta l4proto {}", protocol.0)),
        }
    }
    matches.push("accept".to_owned());
    Some(matches.join(" "))
}

/// Peers of the rule's own address family, without overlaps (nft refuses those in one set). Empty: everybody;
/// `None`: nobody.
pub(crate) fn remotes(rule: &RulePlan) -> Option<Vec<IpNet>> {
    let family: Vec<IpNet> = rule
        .remotes
        .iter()
        .filter(|remote| matches!(remote, IpNet::V6(_)) == rule.ipv6)
        .map(IpNet::trunc)
        .collect();
    if family.is_empty() {
        let nobody = rule.remote_is_group || !rule.remotes.is_empty();
        return if nobody { None } else { Some(family) };
    }
    if family.iter().any(|remote| remote.prefix_len() == 0) {
        return Some(Vec::new());
    }
    Some(IpNet::aggregate(&family))
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
