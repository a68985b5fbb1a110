//! Would this connection be allowed if it began now? The same answer as the rules of `nft` give.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::wire::{Entry, Tuple};
use crate::nft::{network, router};
use crate::plan::{Direction, NetworkPlan, PortKind, PortPlan, Protocol, RouterPlan, RulePlan};

pub struct NetworkJudge<'a> {
    /// Addresses of protected ports.
    owners: Vec<(IpNet, &'a PortPlan)>,
}

impl<'a> NetworkJudge<'a> {
    pub fn new(plan: &'a NetworkPlan) -> Self {
        let protected =
            plan.ports.iter().filter(|port| port.kind == PortKind::Vm && port.admin_up && port.port_security);
        let owners = protected
            .flat_map(|port| {
                let fixed = port.fixed_ips.iter().map(|(_, address)| IpNet::from(*address));
                let pairs = port.allowed_address_pairs.iter().map(|(_, network)| *network);
                fixed.chain(pairs).map(move |network| (network, port))
            })
            .collect();
        Self { owners }
    }

    pub fn allows(&self, entry: &Entry) -> bool {
        let tuple = &entry.original;
        is_exempt(tuple)
            || (self.port_allows(Direction::Egress, tuple.source, tuple.destination, tuple)
                && self.port_allows(Direction::Ingress, tuple.destination, tuple.source, tuple))
    }

    /// An address that several ports may use (a virtual one) is allowed what any of them is.
    fn port_allows(&self, direction: Direction, address: IpAddr, peer: IpAddr, tuple: &Tuple) -> bool {
        let mut owners = self.owners.iter().filter(|(network, _)| network.contains(&address)).peekable();
        owners.peek().is_none()
            || owners.any(|(_, port)| {
                port.rules.iter().any(|rule| rule.direction == direction && rule_matches(rule, peer, tuple))
            })
    }
}

/// Whether connections that `before` allowed may not be allowed by `after`. Listing them all to find out costs the
/// kernel milliseconds, however few there are; most changes only add.
pub fn network_narrows(before: &NetworkPlan, after: &NetworkPlan) -> bool {
    let machines = |plan: &'_ NetworkPlan| {
        plan.ports.iter().filter(|port| port.kind == PortKind::Vm).cloned().collect::<Vec<PortPlan>>()
    };
    let (before, after) = (machines(before), machines(after));
    let narrows = |old: &PortPlan| match after.iter().find(|new| new.id == old.id) {
        // Its tap carries nothing any more.
        None => false,
        Some(new) if !new.port_security || !new.admin_up => false,
        Some(_) if !old.port_security => true,
        Some(new) => {
            new.fixed_ips != old.fixed_ips
                || new.allowed_address_pairs != old.allowed_address_pairs
                || !old.rules.iter().all(|rule| new.rules.iter().any(|candidate| covers(candidate, rule)))
        }
    };
    before.iter().any(narrows)
}

/// Whether `wide` allows all that `narrow` does, as far as that is plain to see.
fn covers(wide: &RulePlan, narrow: &RulePlan) -> bool {
    let same = |rule: &RulePlan| RulePlan { remotes: Vec::new(), ..rule.clone() };
    same(wide) == same(narrow)
        && (wide.remotes == narrow.remotes
            || (!narrow.remotes.is_empty()
                && narrow.remotes.iter().all(|remote| wide.remotes.contains(remote))))
}

/// DHCP and metadata.
fn is_exempt(tuple: &Tuple) -> bool {
    const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
    let dhcp = [(68, 67), (67, 68), (546, 547), (547, 546)];
    match Protocol(tuple.protocol) {
        Protocol::UDP => dhcp.contains(&(tuple.source_port, tuple.destination_port)),
        Protocol::TCP => tuple.destination == METADATA && tuple.destination_port == 80,
        _ => false,
    }
}

fn rule_matches(rule: &RulePlan, peer: IpAddr, tuple: &Tuple) -> bool {
    if rule.ipv6 != peer.is_ipv6() {
        return false;
    }
    let Some(remotes) = network::remotes(rule) else { return false };
    if !remotes.is_empty() && !remotes.iter().any(|remote| remote.contains(&peer)) {
        return false;
    }
    let Some(protocol) = network::effective_protocol(rule) else { return true };
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
    // A floating address of ours that is not translated was asked for before it was ours.
    let overlooked = destination_kept
        && plan.floating_ips.iter().any(|pair| IpAddr::V4(pair.floating) == original.destination);
    let destination_right = destination_kept || pair(original.destination, reply.source);
    let source_right =
        source_kept || pair(reply.destination, original.source) || gateway == Some(reply.destination);
    destination_right && source_right && !overlooked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FloatingIpPlan, RouterGateway, RouterPort};

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
            rules,
        }
    }

    fn rule(direction: Direction) -> RulePlan {
        RulePlan {
            direction,
            ipv6: false,
            protocol: None,
            ports: None,
            icmp: None,
            remotes: vec![],
            remote_is_group: false,
        }
    }

    fn ssh() -> RulePlan {
        RulePlan { protocol: Some(Protocol::TCP), ports: Some((22, 22)), ..rule(Direction::Ingress) }
    }

    #[test]
    fn both_ends_must_allow() {
        let plan = |rules_1: Vec<RulePlan>, rules_2: Vec<RulePlan>| NetworkPlan {
            id: "net".into(),
            mtu: 1500,
            subnets: vec![],
            ports: vec![port(1, rules_1), port(2, rules_2)],
            host_link: None,
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

        let group = RulePlan {
            remotes: vec!["10.0.0.1/32".parse().unwrap()],
            remote_is_group: true,
            ..rule(Direction::Ingress)
        };
        let by_group = plan(vec![rule(Direction::Egress)], vec![group]);
        assert!(NetworkJudge::new(&by_group).allows(&connection));
        assert!(!NetworkJudge::new(&by_group).allows(&from_outside));
    }

    #[test]
    fn additions_narrow_nothing() {
        let plan =
            |ports| NetworkPlan { id: "net".into(), mtu: 1500, subnets: vec![], ports, host_link: None };
        let group = |members: &[&str]| RulePlan {
            remotes: members.iter().map(|member| member.parse().unwrap()).collect(),
            remote_is_group: true,
            ..rule(Direction::Ingress)
        };
        let before = plan(vec![port(1, vec![ssh(), group(&["10.0.0.1/32"])])]);
        let grown = group(&["10.0.0.1/32", "10.0.0.2/32"]);
        let more =
            plan(vec![port(1, vec![ssh(), grown.clone(), rule(Direction::Egress)]), port(2, vec![grown])]);
        assert!(!network_narrows(&before, &before));
        assert!(!network_narrows(&before, &more));
        assert!(network_narrows(&more, &before));
        assert!(!network_narrows(&before, &plan(vec![])), "the machine is gone");
        let emptied = plan(vec![port(1, vec![ssh(), group(&[])])]);
        assert!(network_narrows(&before, &emptied));
        let anybody = plan(vec![port(1, vec![ssh(), rule(Direction::Ingress)])]);
        let somebody = RulePlan { remotes: vec!["10.0.0.1/32".parse().unwrap()], ..rule(Direction::Ingress) };
        assert!(network_narrows(&anybody, &plan(vec![port(1, vec![ssh(), somebody])])));
        let free = plan(vec![PortPlan { port_security: false, ..port(1, vec![]) }]);
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
                },
                next_hops: vec![],
                enable_snat: true,
            }),
            floating_ips: vec![FloatingIpPlan {
                id: "fip".into(),
                floating: [198, 51, 100, 7].into(),
                fixed: [10, 0, 0, 9].into(),
            }],
            routes: vec![],
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
