//! The rules of one network's namespace.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

pub(crate) use super::security_group::{effective_protocol, remotes};
use super::{TABLE, Text, anti_spoof, security_group};
use crate::link::plan::{Mac, parse_mac};
use crate::names;
use crate::plan::{NetworkPlan, PortKind, PortPlan};

/// Mark of ports without port security.
const FREE: u32 = 0xffff;

/// A port whose frames can appear on a tap.
pub(super) struct Port<'a> {
    pub plan: &'a PortPlan,
    pub link: String,
    pub mark: u32,
    /// (MAC, addresses that it may be the source of).
    pub sources: Vec<(String, IpNet)>,
}

impl Port<'_> {
    pub fn is_protected(&self) -> bool {
        self.mark != FREE
    }

    pub fn macs(&self) -> Vec<&str> {
        let mut macs: Vec<&str> = self.sources.iter().map(|(mac, _)| mac.as_str()).collect();
        macs.dedup();
        macs
    }
}

/// The whole ruleset of the namespace.
#[must_use]
pub fn render(plan: &NetworkPlan) -> String {
    let ports = ports(plan);
    let mut text = Text::default();
    text.replace_table("bridge", TABLE, |text| anti_spoof::render(text, &ports));
    text.replace_table("inet", TABLE, |text| security_group::render(text, &ports));
    text.out
}

/// In order of their ids, so that equal plans give equal text. A port that is down has no mark, and a tap without
/// one carries nothing.
fn ports(plan: &NetworkPlan) -> Vec<Port<'_>> {
    let mut plans: Vec<&PortPlan> =
        plan.ports.iter().filter(|port| port.kind == PortKind::Vm && port.admin_up).collect();
    plans.sort_by(|left, right| left.id.cmp(&right.id));
    let mut next_mark = 0;
    let port = |plan: &'_ PortPlan| {
        let mark = if plan.port_security {
            next_mark += 1;
            next_mark
        } else {
            FREE
        };
        (names::tap(&plan.id), mark, sources(plan))
    };
    let described: Vec<_> = plans.iter().copied().map(port).collect();
    plans
        .into_iter()
        .zip(described)
        .map(|(plan, (link, mark, sources))| Port { plan, link, mark, sources })
        .collect()
}

/// Fixed addresses, allowed pairs and the link-local addresses that IPv6 derives from the MACs; sorted by MAC. The
/// networks of one MAC do not overlap, which nft would refuse for the whole ruleset.
fn sources(port: &PortPlan) -> Vec<(String, IpNet)> {
    let mut by_mac: BTreeMap<Mac, Vec<IpNet>> = BTreeMap::new();
    let fixed = port.fixed_ips.iter().map(|(_, address)| (&port.mac, IpNet::from(*address)));
    let pairs = port.allowed_address_pairs.iter().map(|(mac, network)| (mac, network.trunc()));
    for (mac, network) in fixed.chain(pairs) {
        if let Some(mac) = parse_mac(mac) {
            by_mac.entry(mac).or_default().push(network);
        }
    }
    if let Some(mac) = parse_mac(&port.mac) {
        by_mac.entry(mac).or_default();
    }
    let mut sources = Vec::new();
    for (mac, mut networks) in by_mac {
        networks.push(IpNet::from(IpAddr::V6(link_local(mac))));
        networks.sort();
        networks.dedup();
        let (singles, ranges): (Vec<IpNet>, Vec<IpNet>) = networks.into_iter().partition(is_single);
        let text = mac.map(|byte| format!("{byte:02x}")).join(":");
        let all = singles.into_iter().chain(IpNet::aggregate(&ranges));
        sources.extend(all.map(|network| (text.clone(), network)));
    }
    sources
}

pub(super) fn is_single(network: &IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

/// RFC 4291, appendix A.
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
