//! Would this connection be allowed if it began now? The same answer as the rules of `nft` give.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::wire::{Entry, Tuple};
use crate::dhcp::METADATA;
use crate::metadata::METADATA6;
use crate::nft::{effective_protocol, router};
use crate::plan::{
    Direction, ForwardingPlan, NetworkPlan, PortKind, PortPlan, Protocol, Remote, RouterPlan, RulePlan,
};

type Groups = BTreeMap<String, Vec<IpNet>>;

pub struct NetworkJudge<'a> {
    /// Protected ports by their addresses, and by the networks that they may use besides.
    singles: HashMap<IpAddr, Vec<&'a PortPlan>>,
    ranges: Vec<(IpNet, &'a PortPlan)>,
    groups: &'a Groups,
}

impl<'a> NetworkJudge<'a> {
    pub fn new(plan: &'a NetworkPlan) -> Self {
        let mut judge = Self { singles: HashMap::new(), ranges: Vec::new(), groups: &plan.groups };
        let protected =
            plan.ports.iter().filter(|port| port.kind == PortKind::Vm && port.admin_up && port.port_security);
        for port in protected {
            let fixed = port.fixed_ips.iter().map(|(_, address)| IpNet::from(*address));
            let pairs = port.allowed_address_pairs.iter().map(|(_, network)| *network);
            for network in fixed.chain(pairs) {
                if network.prefix_len() == network.max_prefix_len() {
                    judge.singles.entry(network.addr()).or_default().push(port);
                } else {
                    judge.ranges.push((network, port));
                }
            }
        }
        judge
    }

    pub fn allows(&self, entry: &Entry) -> bool {
        let tuple = &entry.original;
        is_exempt(tuple)
            || (self.port_allows(Direction::Egress, tuple.source, tuple.destination, tuple)
                && self.port_allows(Direction::Ingress, tuple.destination, tuple.source, tuple))
    }

    /// An address that several ports may use (a virtual one) is allowed what any of them is.
    fn port_allows(&self, direction: Direction, address: IpAddr, peer: IpAddr, tuple: &Tuple) -> bool {
        let singles = self.singles.get(&address).into_iter().flatten().copied();
        let ranges =
            self.ranges.iter().filter(|(network, _)| network.contains(&address)).map(|(_, port)| *port);
        let mut owners = singles.chain(ranges).peekable();
        owners.peek().is_none()
            || owners.any(|port| {
                let mut rules = port.rules.iter().filter(|rule| rule.direction == direction);
                rules.any(|rule| rule_matches(rule, peer, tuple, self.groups))
            })
    }
}

/// Whether connections that `before` allowed may not be allowed by `after`. Listing them all to find out costs the
/// kernel milliseconds, however few there are; most changes only add.
pub fn network_narrows(before: &NetworkPlan, after: &NetworkPlan) -> bool {
    let machines = after.ports.iter().filter(|port| port.kind == PortKind::Vm);
    let new_ports: HashMap<&str, &PortPlan> = machines.map(|port| (port.id.as_str(), port)).collect();
    let narrows = |old: &PortPlan| match new_ports.get(old.id.as_str()) {
        // Its tap carries nothing any more.
        None => false,
        Some(new) if *new == old || !new.port_security || !new.admin_up => false,
        Some(_) if !old.port_security => true,
        Some(new) => {
            new.fixed_ips != old.fixed_ips
                || new.allowed_address_pairs != old.allowed_address_pairs
                || !old.rules.iter().all(|rule| new.rules.contains(rule))
        }
    };
    let left = |old: &PortPlan| {
        let of = |port: &PortPlan| port.fixed_ips.iter().map(|(_, ip)| IpNet::from(*ip)).collect::<Vec<_>>();
        if new_ports.contains_key(old.id.as_str()) { Vec::new() } else { of(old) }
    };
    let emptied = before.groups.iter().any(|(id, members)| {
        let Some(now) = after.groups.get(id).filter(|now| *now != members) else { return false };
        let now: HashSet<&IpNet> = now.iter().collect();
        // Those of a machine that is gone are nobody's.
        let gone: HashSet<IpNet> = before.ports.iter().flat_map(left).collect();
        members.iter().any(|member| !now.contains(member) && !gone.contains(member))
    });
    emptied || before.ports.iter().filter(|port| port.kind == PortKind::Vm).any(narrows)
}

/// DHCP and metadata.
fn is_exempt(tuple: &Tuple) -> bool {
    let metadata = [IpAddr::V4(METADATA), IpAddr::V6(METADATA6)];
    let dhcp = [(68, 67), (67, 68), (546, 547), (547, 546)];
    match Protocol(tuple.protocol) {
        Protocol::UDP => dhcp.contains(&(tuple.source_port, tuple.destination_port)),
        Protocol::TCP => metadata.contains(&tuple.destination) && tuple.destination_port == 80,
        _ => false,
    }
}

fn rule_matches(rule: &RulePlan, peer: IpAddr, tuple: &Tuple, groups: &Groups) -> bool {
    let among = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&peer));
    let known = match &rule.remote {
        Remote::Any => true,
        Remote::Network(network) => among(std::slice::from_ref(network)),
        Remote::Group(group) => groups.get(group).is_some_and(|members| among(members)),
    };
    if rule.ipv6 != peer.is_ipv6() || !known {
        return false;
    }
    let Some(protocol) = effective_protocol(rule) else { return true };
    if protocol.0 != tuple.protocol {
        return false;
    }
    if matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
        return match (rule.icmp, tuple.icmp) {
            (Some((kind, code)), Some((kind_now, code_now))) => {
                kind == kind_now && code.is_none_or(|code| code == code_now)
            }
            _ => true,
        };
    }
    rule.ports.is_none_or(|(first, last)| (first..=last).contains(&tuple.destination_port))
}

/// False for a connection that is translated in a way that the plan does not (any longer) say.
pub fn router_allows(plan: &RouterPlan, entry: &Entry) -> bool {
    let (original, reply) = (&entry.original, &entry.reply);
    let pair = |floating: IpAddr, fixed: IpAddr| {
        plan.floating_ips
            .iter()
            .any(|pair| IpAddr::V4(pair.floating) == floating && IpAddr::V4(pair.fixed) == fixed)
    };
    let gateway = plan.gateway.as_ref().and_then(router::gateway_address).map(IpAddr::V4);
    let destination_kept = original.destination == reply.source;
    let source_kept = original.source == reply.destination;
    let mut forwardings = plan.forwardings.iter().filter(|one| asks(one, original));
    // A floating address of ours that is not translated was asked for before it was ours.
    let overlooked = destination_kept
        && (plan.floating_ips.iter().any(|pair| IpAddr::V4(pair.floating) == original.destination)
            || forwardings.clone().next().is_some());
    let destination_right = destination_kept
        || pair(original.destination, reply.source)
        || forwardings.any(|one| {
            let to = one.internal_port(original.destination_port);
            IpAddr::V4(one.internal) == reply.source && to == reply.source_port
        });
    let source_right =
        source_kept || pair(reply.destination, original.source) || gateway == Some(reply.destination);
    destination_right && source_right && !overlooked
}

/// Whether the connection was made to this forwarding.
fn asks(one: &ForwardingPlan, original: &Tuple) -> bool {
    let (first, last) = one.external_ports;
    IpAddr::V4(one.floating) == original.destination
        && one.protocol.0 == original.protocol
        && (first..=last).contains(&original.destination_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FloatingIpPlan, QosPlan, RouterGateway, RouterPort};

    fn tuple(source: [u8; 4], destination: [u8; 4], protocol: Protocol, port: u16) -> Tuple {
        Tuple {
            source: source.into(),
            destination: destination.into(),
            protocol: protocol.0,
            source_port: 40000,
            destination_port: port,
            icmp: None,
        }
    }

    fn entry(original: Tuple) -> Entry {
        let reply = Tuple {
            source: original.destination,
            destination: original.source,
            source_port: original.destination_port,
            destination_port: original.source_port,
            ..original
        };
        Entry { original, reply, key: vec![] }
    }

    fn port(last: u8, rules: Vec<RulePlan>) -> PortPlan {
        PortPlan {
            id: last.to_string(),
            mac: format!("fa:16:3e:00:00:{last:02x}"),
            fixed_ips: vec![("subnet".into(), [10, 0, 0, last].into())],
            hostname: String::new(),
            kind: PortKind::Vm,
            admin_up: true,
            port_security: true,
            allowed_address_pairs: vec![],
            rules: rules.into(),
            ..PortPlan::default()
        }
    }

    fn rule(direction: Direction) -> RulePlan {
        RulePlan { direction, ipv6: false, protocol: None, ports: None, icmp: None, remote: Remote::Any }
    }

    fn group() -> RulePlan {
        RulePlan { remote: Remote::Group("g".into()), ..rule(Direction::Ingress) }
    }

    fn groups(members: &[&str]) -> Groups {
        Groups::from([("g".to_owned(), members.iter().map(|member| member.parse().unwrap()).collect())])
    }

    fn ssh() -> RulePlan {
        RulePlan { protocol: Some(Protocol::TCP), ports: Some((22, 22)), ..rule(Direction::Ingress) }
    }

    #[test]
    fn both_ends_must_allow() {
        let plan = |rules_1: Vec<RulePlan>, rules_2: Vec<RulePlan>| NetworkPlan {
            id: "net".into(),
            ports: vec![port(1, rules_1), port(2, rules_2)],
            groups: groups(&["10.0.0.1/32"]),
            ..NetworkPlan::default()
        };
        let connection = entry(tuple([10, 0, 0, 1], [10, 0, 0, 2], Protocol::TCP, 22));
        let other_port = entry(tuple([10, 0, 0, 1], [10, 0, 0, 2], Protocol::TCP, 23));
        let from_outside = entry(tuple([192, 0, 2, 1], [10, 0, 0, 2], Protocol::TCP, 22));
        let metadata = entry(tuple([10, 0, 0, 1], [169, 254, 169, 254], Protocol::TCP, 80));

        let open = plan(vec![rule(Direction::Egress)], vec![ssh()]);
        let judge = NetworkJudge::new(&open);
        assert!(judge.allows(&connection));
        assert!(!judge.allows(&other_port));
        assert!(judge.allows(&from_outside));

        let no_egress = plan(vec![], vec![ssh()]);
        assert!(!NetworkJudge::new(&no_egress).allows(&connection));
        assert!(NetworkJudge::new(&no_egress).allows(&metadata));

        let by_group = plan(vec![rule(Direction::Egress)], vec![group()]);
        assert!(NetworkJudge::new(&by_group).allows(&connection));
        assert!(!NetworkJudge::new(&by_group).allows(&from_outside));
    }

    #[test]
    fn additions_narrow_nothing() {
        let plan = |ports, members: &[&str]| NetworkPlan {
            id: "net".into(),
            ports,
            groups: groups(members),
            ..NetworkPlan::default()
        };
        let before = plan(vec![port(1, vec![ssh(), group()])], &["10.0.0.1/32"]);
        let more = plan(
            vec![port(1, vec![ssh(), group(), rule(Direction::Egress)]), port(2, vec![group()])],
            &["10.0.0.1/32", "10.0.0.2/32"],
        );
        assert!(!network_narrows(&before, &before));
        assert!(!network_narrows(&before, &more));
        assert!(network_narrows(&more, &before), "a rule is gone");
        assert!(!network_narrows(&before, &plan(vec![], &["10.0.0.1/32"])), "the machine is gone");
        assert!(!network_narrows(&before, &plan(vec![], &[])), "and its address with it");
        assert!(network_narrows(&before, &plan(before.ports.clone(), &[])), "nobody is in the group");
        let anybody = plan(vec![port(1, vec![ssh(), rule(Direction::Ingress)])], &[]);
        let somebody =
            RulePlan { remote: Remote::Network("10.0.0.1/32".parse().unwrap()), ..rule(Direction::Ingress) };
        assert!(network_narrows(&anybody, &plan(vec![port(1, vec![ssh(), somebody])], &[])));
        let free = plan(vec![PortPlan { port_security: false, ..port(1, vec![]) }], &["10.0.0.1/32"]);
        assert!(network_narrows(&free, &before));
        assert!(!network_narrows(&before, &free));
    }

    #[test]
    fn translations_must_be_current() {
        let mut plan = RouterPlan {
            id: "router".into(),
            admin_up: true,
            interfaces: vec![],
            gateway: Some(RouterGateway {
                port: RouterPort {
                    port_id: "port".into(),
                    network_id: "net".into(),
                    mac: String::new(),
                    mtu: 1500,
                    addresses: vec!["198.51.100.5/24".parse().unwrap()],
                    prefixes: vec![],
                },
                next_hops: vec![],
                enable_snat: true,
                qos: QosPlan::default(),
            }),
            floating_ips: vec![FloatingIpPlan {
                id: "fip".into(),
                floating: [198, 51, 100, 7].into(),
                fixed: [10, 0, 0, 9].into(),
                qos: QosPlan::default(),
            }],
            ..RouterPlan::default()
        };
        let mut inbound = entry(tuple([192, 0, 2, 1], [198, 51, 100, 7], Protocol::TCP, 22));
        assert!(!router_allows(&plan, &inbound), "asked for before the address was ours");
        inbound.reply.source = [10, 0, 0, 9].into();
        assert!(router_allows(&plan, &inbound));
        let mut outbound = entry(tuple([10, 0, 0, 8], [192, 0, 2, 1], Protocol::TCP, 443));
        outbound.reply.destination = [198, 51, 100, 5].into();
        assert!(router_allows(&plan, &outbound));
        let mut floating = entry(tuple([10, 0, 0, 9], [192, 0, 2, 1], Protocol::TCP, 443));
        floating.reply.destination = [198, 51, 100, 7].into();
        assert!(router_allows(&plan, &floating));

        plan.floating_ips[0].fixed = [10, 0, 0, 10].into();
        assert!(!router_allows(&plan, &inbound));
        assert!(!router_allows(&plan, &floating));
        plan.gateway = None;
        assert!(!router_allows(&plan, &outbound));
    }
}
