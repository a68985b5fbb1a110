//! The rules of one router's namespace: network address translation, and what may pass from outside.

use std::net::{IpAddr, Ipv4Addr};

use super::{TABLE, Text, limits};
use crate::names;
use crate::plan::{ForwardingPlan, Protocol, RouterGateway, RouterPlan};

/// The address that outgoing traffic gets: the gateway port's first IPv4 address.
#[must_use]
pub fn gateway_address(gateway: &RouterGateway) -> Option<Ipv4Addr> {
    gateway.port.addresses.iter().find_map(|address| match address.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

/// The whole ruleset of the namespace.
#[must_use]
pub fn render(plan: &RouterPlan) -> String {
    let mut text = Text::default();
    text.replace_table("inet", TABLE, |text| {
        if let Some(gateway) = plan.gateway.as_ref().filter(|_| plan.admin_up) {
            with_gateway(text, plan, gateway);
        }
    });
    text.out
}

fn with_gateway(text: &mut Text, plan: &RouterPlan, gateway: &RouterGateway) {
    let mut pairs: Vec<_> = plan.floating_ips.iter().map(|pair| (pair.floating, pair.fixed)).collect();
    pairs.sort();
    pairs.dedup();
    let floating: Vec<String> =
        pairs.iter().map(|(floating, fixed)| format!("{floating} : {fixed}")).collect();
    // A fixed address may have several floating ones; what it begins itself goes out by the first.
    pairs.sort_by_key(|(floating, fixed)| (*fixed, *floating));
    pairs.dedup_by_key(|(_, fixed)| *fixed);
    let fixed: Vec<String> = pairs.iter().map(|(floating, fixed)| format!("{fixed} : {floating}")).collect();
    text.elements("map floating", "type ipv4_addr : ipv4_addr", &floating);
    text.elements("map fixed", "type ipv4_addr : ipv4_addr", &fixed);
    forwardings(text, &plan.forwardings);
    limits::render(text, plan, gateway);

    let link = names::gateway_link(&gateway.port.port_id);
    let address = gateway_address(gateway);
    text.block("chain prerouting", |text| {
        text.line("type nat hook prerouting priority dstnat; policy accept;");
        text.line("dnat ip to ip daddr map @floating");
        if !plan.forwardings.is_empty() {
            // nft wants to have heard of protocols with ports first.
            let asked = "meta l4proto { 6, 17, 33, 132 } dnat ip to ip daddr . meta l4proto . th dport";
            text.line(format!("{asked} map @forwarded"));
            text.line(format!("{asked} map @forwarded_as_is"));
        }
    });
    text.block("chain postrouting", |text| {
        text.line("type nat hook postrouting priority srcnat; policy accept;");
        // From inside to a floating address: the answer must come back by this router, even to the same subnet.
        text.line(format!("iifname != \"{link}\" ct status dnat snat ip to ip saddr map @fixed"));
        if let Some(address) = address {
            text.line(format!("iifname != \"{link}\" ct status dnat meta nfproto ipv4 snat ip to {address}"));
        }
        text.line(format!("oifname \"{link}\" snat ip to ip saddr map @fixed"));
        if let Some(address) = address.filter(|_| gateway.enable_snat) {
            text.line(format!("oifname \"{link}\" meta nfproto ipv4 snat ip to {address}"));
        }
    });
    text.block("chain forward", |text| {
        text.line("type filter hook forward priority 0; policy accept;");
        // No connection, no translation: it would show a tenant's addresses outside.
        text.line(format!("oifname \"{link}\" ct state invalid drop"));
        text.line("ct state established,related accept");
        if gateway.enable_snat {
            text.line(format!("iifname \"{link}\" meta nfproto ipv4 ct status dnat accept"));
            text.line(format!("iifname \"{link}\" meta nfproto ipv4 drop"));
        }
    });
    text.block("chain input", |text| {
        text.line("type filter hook input priority 0; policy accept;");
        // Metadata is for the machines behind this router.
        text.line(format!("iifname \"{link}\" ip daddr 169.254.169.254 drop"));
    });
}

/// A range that keeps its numbers is one element, any other as many as it has ports: nft has no words for ranges that lead
/// to address and port.
fn forwardings(text: &mut Text, plans: &[ForwardingPlan]) {
    if plans.is_empty() {
        return;
    }
    let mut plans: Vec<&ForwardingPlan> = plans.iter().filter(|plan| has_ports(plan.protocol)).collect();
    plans.sort_by_key(|plan| (plan.floating, plan.protocol, plan.external_ports));
    let (mut forwarded, mut as_is) = (Vec::new(), Vec::new());
    for plan in plans {
        let (first, last) = plan.external_ports;
        let from = |ports: String| format!("{} . {} . {ports}", plan.floating, plan.protocol.0);
        if plan.external_ports == plan.internal_ports && first != last {
            as_is.push(format!("{} : {}", from(format!("{first}-{last}")), plan.internal));
        } else {
            forwarded.extend((first..=last).map(|port| {
                format!("{} : {} . {}", from(port.to_string()), plan.internal, plan.internal_port(port))
            }));
        }
    }
    const KEY: &str = "type ipv4_addr . inet_proto . inet_service";
    text.elements("map forwarded", &format!("{KEY} : ipv4_addr . inet_service; flags interval"), &forwarded);
    text.elements("map forwarded_as_is", &format!("{KEY} : ipv4_addr; flags interval"), &as_is);
}

fn has_ports(protocol: Protocol) -> bool {
    const DCCP: Protocol = Protocol(33);
    [Protocol::TCP, Protocol::UDP, Protocol::SCTP, DCCP].contains(&protocol)
}
