//! Limits of floating addresses and gateways. What is over the rate is dropped: the machine is on the far side of the
//! router, and nothing is to be queued here.

use std::net::Ipv4Addr;

use super::Text;
use super::router::gateway_address;
use crate::names;
use crate::plan::{QosPlan, Rate, RouterGateway, RouterPlan};

pub(super) fn render(text: &mut Text, plan: &RouterPlan, gateway: &RouterGateway) {
    let own = gateway_address(gateway).map(|address| (address, gateway.qos));
    let floating = plan.floating_ips.iter().map(|pair| (pair.floating, pair.qos));
    let mut all: Vec<(Ipv4Addr, QosPlan)> = floating.chain(own).collect();
    all.sort_by_key(|(address, _)| *address);
    let link = names::gateway_link(&gateway.port.port_id);

    let ingress: Vec<_> = all.iter().filter_map(|(address, qos)| Some((*address, qos.ingress?))).collect();
    let hook = "type filter hook prerouting priority raw; policy accept;";
    side(text, "ingress", &ingress, hook, &format!("iifname \"{link}\" limit name ip daddr"));

    let egress: Vec<_> = all.iter().filter_map(|(address, qos)| Some((*address, qos.egress?))).collect();
    // After translation.
    let hook = "type filter hook postrouting priority 110; policy accept;";
    side(text, "egress", &egress, hook, &format!("oifname \"{link}\" limit name ip saddr"));
}

fn side(text: &mut Text, name: &str, limited: &[(Ipv4Addr, Rate)], hook: &str, rule: &str) {
    if limited.is_empty() {
        return;
    }
    let limit = |address: &Ipv4Addr| format!("{name}_{}", address.to_string().replace('.', "_"));
    for (address, rate) in limited {
        text.block(format!("limit {}", limit(address)), |text| text.line(over(*rate)));
    }
    let elements: Vec<String> =
        limited.iter().map(|(address, _)| format!("{address} : \"{}\"", limit(address))).collect();
    text.elements(&format!("map {name}_limits"), "type ipv4_addr : limit", &elements);
    text.block(format!("chain {name}_limits"), |text| {
        text.line(hook);
        text.line(format!("{rule} map @{name}_limits drop"));
    });
}

/// In bytes. A burst must hold at least one packet, and those that are still to be cut have up to 64 KiB.
fn over(rate: Rate) -> String {
    const PACKET: u64 = 64 << 10;
    let bytes = |kilobits: u32| u64::from(kilobits) * 125;
    let burst = match rate.burst_kilobits {
        // Neutron's own proportion.
        0 => bytes(rate.kilobits) * 4 / 5,
        burst => bytes(burst),
    };
    let burst = burst.clamp(PACKET, u64::from(u32::MAX));
    format!("rate over {} bytes/second burst {burst} bytes", bytes(rate.kilobits).max(1))
}
