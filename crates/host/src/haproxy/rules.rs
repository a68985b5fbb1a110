//! Who may speak to a load balancer: the rules of its namespace. Pure.
//!
//! Only the first packet of a connection is judged, and without the kernel's table of connections, which would cost every
//! packet a look.

use std::net::IpAddr;

use crate::balancer::BalancerPlan;
use crate::nft::TABLE;

#[must_use]
pub fn render(plan: &BalancerPlan) -> String {
    let mut text = format!(
        "add table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n    chain input {{\n        \
         type filter hook input priority 0; policy accept;\n        iifname \"lo\" accept\n        \
         tcp flags & (fin | syn | rst | ack) != syn accept\n"
    );
    for listener in &plan.listeners {
        let port = listener.port;
        if listener.allowed.is_empty() {
            text.push_str(&format!("        tcp dport {port} accept\n"));
        }
        for (family, is_v6) in [("ip", false), ("ip6", true)] {
            let sources: Vec<String> = listener
                .allowed
                .iter()
                .filter(|source| matches!(source.addr(), IpAddr::V6(_)) == is_v6)
                .map(ToString::to_string)
                .collect();
            // Networks may lie in each other, which elements of a set may not.
            for source in sources {
                text.push_str(&format!("        tcp dport {port} {family} saddr {source} accept\n"));
            }
        }
    }
    text.push_str("        meta l4proto tcp drop\n    }\n}\n");
    text
}
