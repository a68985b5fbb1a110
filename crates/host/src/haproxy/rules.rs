//! Who may speak to a load balancer: the rules of its namespace. Pure.
//!
//! Only the first packet of a connection is judged, and without the kernel's table of connections, which would cost every
//! packet a look.

use std::net::IpAddr;

use super::forward;
use crate::balancer::{BalancerPlan, ListenerPlan};
use crate::nft::TABLE;

/// `down`: members that get nothing of what is forwarded.
#[must_use]
pub fn render(plan: &BalancerPlan, down: &forward::Down) -> String {
    let forwarded = plan.listeners.iter().any(|listener| listener.forwarded);
    // Counters outlive the rules.
    let before = if forwarded { "flush" } else { "delete" };
    let mut text = format!(
        "add table inet {TABLE}\n{before} table inet {TABLE}\ntable inet {TABLE} {{\n    chain input {{\n        \
         type filter hook input priority 0; policy accept;\n        iifname \"lo\" accept\n        \
         tcp flags & (fin | syn | rst | ack) != syn accept\n"
    );
    for listener in plan.listeners.iter().filter(|listener| !listener.forwarded) {
        let port = listener.port;
        if listener.allowed.is_empty() {
            text.push_str(&format!("        tcp dport {port} accept\n"));
        }
        for source in [false, true].into_iter().flat_map(|is_v6| sources(listener, is_v6)) {
            text.push_str(&format!("        tcp dport {port} {source} accept\n"));
        }
    }
    text.push_str("        meta l4proto tcp drop\n    }\n");
    if forwarded {
        forward::render(&mut text, plan, down);
    }
    text.push_str("}\n");
    text
}

/// Networks may lie in each other, which elements of a set may not: one condition each.
pub fn sources(listener: &ListenerPlan, is_v6: bool) -> impl Iterator<Item = String> {
    let family = if is_v6 { "ip6" } else { "ip" };
    let fits = move |addr: IpAddr| matches!(addr, IpAddr::V6(_)) == is_v6;
    listener
        .allowed
        .iter()
        .filter(move |source| fits(source.addr()))
        .map(move |source| format!("{family} saddr {source}"))
}
