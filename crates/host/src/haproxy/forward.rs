//! Listeners whose packets the kernel passes on by itself: rules of the load balancer's namespace. Pure.
//!
//! ```text
//!   prerouting   VIP and port ─► the listener's chain: counted, marked, sent to a member by its slot
//!   forward      counted by mark and direction; nothing else passes
//!   postrouting  answers come back to us
//! ```
//! A member has as many slots as its weight; the next slot is the next number in turn, or a hash of the source. Slots
//! of members that are down are shared out, and the others keep theirs: so does who is served by them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use super::rules::sources;
use crate::balancer::{
    Algorithm, BalancerPlan, ListenerPlan, ListenerProtocol, MemberPlan, Persistence, PoolPlan,
};

/// (pool id, member id)
pub type Down = BTreeSet<(String, String)>;

/// Names of nft begin with a letter and have no dashes.
pub fn name(kind: char, listener: &str) -> String {
    format!("{kind}{}", listener.replace('-', ""))
}

/// What connections of a listener are known by. Never zero, which is everybody's.
fn mark(listener: &str) -> u32 {
    let digits = listener.get(..8).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or(1).max(1)
}

pub fn protocol(listener: &ListenerPlan) -> &'static str {
    match listener.protocol {
        ListenerProtocol::Udp => "udp",
        ListenerProtocol::Sctp => "sctp",
        _ => "tcp",
    }
}

fn family(is_v6: bool) -> &'static str {
    if is_v6 { "ip6" } else { "ip" }
}

pub fn render(text: &mut String, plan: &BalancerPlan, down: &Down) {
    let listeners: Vec<&ListenerPlan> = plan.listeners.iter().filter(|one| one.forwarded).collect();
    let mut line = |depth: usize, words: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}{words}", "", width = depth * 4);
    };
    for listener in &listeners {
        // New connections, and the two directions.
        for kind in ['n', 'i', 'o'] {
            line(1, format!("counter {} {{", name(kind, &listener.id)));
            line(1, "}".into());
        }
    }
    for listener in &listeners {
        line(1, format!("chain {} {{", name('l', &listener.id)));
        for rule in chain(plan, listener, down) {
            line(2, rule);
        }
        line(1, "}".into());
    }
    line(1, "chain prerouting {".into());
    line(2, "type nat hook prerouting priority -100; policy accept;".into());
    for listener in &listeners {
        let (protocol, port, to) = (protocol(listener), listener.port, name('l', &listener.id));
        for vip in plan.vip.addresses.iter().map(ipnet::IpNet::addr) {
            let here = format!("{} daddr {vip} {protocol} dport {port}", family(vip.is_ipv6()));
            if listener.allowed.is_empty() {
                line(2, format!("{here} jump {to}"));
            }
            for source in sources(listener, vip.is_ipv6()) {
                line(2, format!("{here} {source} jump {to}"));
            }
        }
    }
    line(1, "}".into());
    line(1, "chain forward {".into());
    line(2, "type filter hook forward priority 0; policy drop;".into());
    for listener in &listeners {
        let mark = mark(&listener.id);
        for (direction, kind) in [("original", 'i'), ("reply", 'o')] {
            let counter = name(kind, &listener.id);
            line(
                2,
                format!("ct mark {mark:#010x} ct direction {direction} counter name \"{counter}\" accept"),
            );
        }
    }
    // Of a listener that is gone, and of errors that belong to a connection.
    line(2, "ct status dnat accept".into());
    line(2, "ct state related accept".into());
    line(1, "}".into());
    line(1, "chain postrouting {".into());
    line(2, "type nat hook postrouting priority 100; policy accept;".into());
    line(2, "ct status dnat masquerade".into());
    line(1, "}".into());
}

fn chain(plan: &BalancerPlan, listener: &ListenerPlan, down: &Down) -> Vec<String> {
    let pool = plan.pools.iter().find(|pool| listener.default_pool.as_deref() == Some(&pool.id));
    let Some(pool) = pool else { return Vec::new() };
    let mut rules = Vec::new();
    if let Some(limit) = listener.connection_limit {
        rules.push(format!("ct count over {limit} drop"));
    }
    let counter = name('n', &listener.id);
    let head = format!("meta l4proto {} ", protocol(listener));
    for is_v6 in [false, true] {
        let slots = slots(pool, down, is_v6);
        if slots.is_empty() {
            continue;
        }
        let family = family(is_v6);
        let version = if is_v6 { "ipv6" } else { "ipv4" };
        let next = turn(pool, protocol(listener), is_v6, slots.len());
        rules.push(format!(
            "meta nfproto {version} {head}counter name \"{counter}\" ct mark set {:#010x} dnat {family} to {next} map {{ {} }}",
            mark(&listener.id),
            elements(&slots)
        ));
    }
    rules
}

/// The number of a connection's slot.
fn turn(pool: &PoolPlan, protocol: &str, is_v6: bool, slots: usize) -> String {
    let source = match pool.granularity {
        Some(mask) if mask.is_ipv6() == is_v6 => format!("{} saddr & {mask}", family(is_v6)),
        _ => format!("{} saddr", family(is_v6)),
    };
    let by_source = || format!("jhash {source} mod {slots} seed 0x1");
    match (&pool.persistence, pool.algorithm) {
        (Some(Persistence::SourceIp), _) | (_, Algorithm::SourceIp) => by_source(),
        (_, Algorithm::SourceIpPort) => {
            format!("jhash {} saddr . {protocol} sport mod {slots} seed 0x1", family(is_v6))
        }
        (_, Algorithm::RoundRobin | Algorithm::LeastConnections) => format!("numgen inc mod {slots}"),
    }
}

/// Who gets which slot. Empty: nobody is there.
fn slots<'a>(pool: &'a PoolPlan, down: &Down, is_v6: bool) -> Vec<&'a MemberPlan> {
    let fits = |member: &&MemberPlan| member.address.is_ipv6() == is_v6 && member.weight > 0;
    let is_up = |member: &&MemberPlan| !down.contains(&(pool.id.clone(), member.id.clone()));
    let of = |backup: bool| -> Vec<&MemberPlan> {
        pool.members.iter().filter(fits).filter(|member| member.backup == backup).collect()
    };
    let first = of(false);
    let members = if first.iter().any(is_up) { first } else { of(true) };
    let up: Vec<&MemberPlan> = members.iter().copied().filter(|member| is_up(member)).collect();
    if up.is_empty() {
        return Vec::new();
    }
    let divisor = members.iter().fold(0, |divisor, member| common(divisor, member.weight)).max(1);
    let most = members.iter().map(|member| member.weight / divisor).max().unwrap_or_default();
    let mut heirs = up.iter().cycle();
    // In turns, so that equal members alternate.
    (0..most)
        .flat_map(|round| members.iter().filter(move |member| member.weight / divisor > round))
        .filter_map(|member| if is_up(member) { Some(*member) } else { heirs.next().copied() })
        .collect()
}

fn common(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { common(b, a % b) }
}

fn elements(slots: &[&MemberPlan]) -> String {
    let target = |member: &MemberPlan| match member.address {
        IpAddr::V4(address) => format!("{address} . {}", member.port),
        IpAddr::V6(address) => format!("{address} . {}", member.port),
    };
    let mut ranges: Vec<(usize, usize, String)> = Vec::new();
    for (at, member) in slots.iter().enumerate() {
        let target = target(member);
        match ranges.last_mut() {
            Some((_, end, last)) if *last == target => *end = at,
            _ => ranges.push((at, at, target)),
        }
    }
    let shown = ranges.into_iter().map(|(from, to, target)| match from == to {
        true => format!("{from} : {target}"),
        false => format!("{from}-{to} : {target}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}
