//! Limits of the packets that a port may send and receive. A limit counts by itself, so each has a chain of its own.

use super::Text;
use crate::plan::{Direction, PacketRate, PortPlan};

const PREFIX: &str = "packets_";

/// The maps that lead from a port's mark to its limit.
pub(super) fn map(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "packets_egress",
        Direction::Ingress => "packets_ingress",
    }
}

/// The chain that drops what is over the port's limit. `number`: the port's.
pub(super) fn chain(port: &PortPlan, number: u32, direction: Direction) -> Option<(String, Vec<String>)> {
    let rate = match direction {
        Direction::Egress => port.qos.egress_packets,
        Direction::Ingress => port.qos.ingress_packets,
    }?;
    let (per_second, burst) = (rate.per_second.max(1), burst(rate));
    // A chain is never changed: another limit is another chain.
    let name = format!("{}_{number}_{per_second}_{burst}", map(direction));
    Some((name, vec![format!("limit rate over {per_second}/second burst {burst} packets drop")]))
}

/// Neutron's own proportion, unless it was said; at least a packet.
fn burst(rate: PacketRate) -> u64 {
    let burst = if rate.burst == 0 { rate.per_second.saturating_mul(4) / 5 } else { rate.burst };
    burst.clamp(1, u64::from(u32::MAX))
}

/// Whether the chain of that name is one of these.
pub(super) fn is_limit(chain: &str) -> bool {
    chain.starts_with(PREFIX)
}

pub(super) fn hooks(text: &mut Text) {
    // Before the kernel begins to follow connections.
    for (direction, hook) in
        [(Direction::Egress, "prerouting priority raw"), (Direction::Ingress, "postrouting priority 10")]
    {
        let map = map(direction);
        text.block(format!("chain limit_{map}"), |text| {
            text.line(format!("type filter hook {hook}; policy accept;"));
            text.line(format!("meta mark vmap @{map}"));
        });
    }
}
