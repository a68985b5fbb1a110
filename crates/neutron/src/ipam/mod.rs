//! Addresses as arithmetic: no rows, no clock, no randomness.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Result;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::fault;

/// Both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub start: IpAddr,
    pub end: IpAddr,
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub destination: IpNet,
    pub nexthop: IpAddr,
}

/// An address as a number; addresses of one family only are compared so.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// The address of that number in the family of `like`. Numbers come from addresses of that family.
fn address(number: u128, like: IpAddr) -> IpAddr {
    match like {
        // Truncation can't lose anything of an IPv4 number.
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

pub fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

pub fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// The addresses that a port may have: without network and broadcast address (IPv4 longer than /30 has neither),
/// and without the subnet-router anycast address of IPv6.
pub fn usable(cidr: &IpNet) -> (IpAddr, IpAddr) {
    let (first, last) = (cidr.network(), cidr.broadcast());
    match cidr {
        IpNet::V4(net) if net.prefix_len() > 30 => (first, last),
        IpNet::V4(_) => (address(number(first) + 1, first), address(number(last) - 1, first)),
        IpNet::V6(net) if net.prefix_len() > 126 => (first, last),
        IpNet::V6(_) => (address(number(first) + 1, first), last),
    }
}

/// Whether a port may have this address on this subnet.
pub fn valid_on(cidr: &IpNet, address: IpAddr) -> bool {
    let (first, last) = usable(cidr);
    cidr.contains(&address) && (number(first)..=number(last)).contains(&number(address))
}

/// The gateway of a subnet that did not say: its first address.
pub fn default_gateway(cidr: &IpNet) -> Option<IpAddr> {
    if cidr.prefix_len() == cidr.max_prefix_len() { None } else { Some(usable(cidr).0) }
}

/// A gateway outside of the subnet is allowed (it is on the link all the same); the network's own address is not.
pub fn valid_gateway(cidr: &IpNet, gateway: IpAddr) -> bool {
    same_family(cidr.network(), gateway) && (!cidr.contains(&gateway) || valid_on(cidr, gateway))
}

/// All usable addresses but the gateway.
pub fn default_pools(cidr: &IpNet, gateway: Option<IpAddr>) -> Vec<Pool> {
    let (start, end) = usable(cidr);
    let Some(gateway) = gateway.filter(|g| valid_on(cidr, *g)) else { return vec![Pool { start, end }] };
    let mut pools = Vec::new();
    if number(gateway) > number(start) {
        pools.push(Pool { start, end: address(number(gateway) - 1, start) });
    }
    if number(gateway) < number(end) {
        pools.push(Pool { start: address(number(gateway) + 1, start), end });
    }
    pools
}

/// Neutron's checks: ordered, of the subnet's family, inside of it, apart from each other, without the gateway.
pub fn check_pools(cidr: &IpNet, gateway: Option<IpAddr>, pools: &[Pool]) -> Result<()> {
    let (first, last) = usable(cidr);
    for pool in pools {
        if !same_family(pool.start, first)
            || !same_family(pool.end, first)
            || number(pool.start) > number(pool.end)
        {
            return Err(fault::invalid(
                "InvalidAllocationPool",
                format!("The allocation pool {pool} is not valid."),
            ));
        }
        if number(pool.start) < number(first) || number(pool.end) > number(last) {
            return Err(fault::invalid(
                "OutOfBoundsAllocationPool",
                format!("The allocation pool {pool} spans beyond the subnet cidr {cidr}."),
            ));
        }
    }
    for (i, a) in pools.iter().enumerate() {
        for b in &pools[i + 1..] {
            if number(a.start) <= number(b.end) && number(b.start) <= number(a.end) {
                return Err(fault::conflict(
                    "OverlappingAllocationPools",
                    format!("Found overlapping allocation pools: {a} {b} for subnet {cidr}."),
                ));
            }
        }
    }
    if let Some(gateway) = gateway
        && let Some(pool) = pools.iter().find(|p| in_pool(p, gateway))
    {
        return Err(fault::conflict(
            "GatewayConflictWithAllocationPools",
            format!("Gateway ip {gateway} conflicts with allocation pool {pool}."),
        ));
    }
    Ok(())
}

pub fn in_pool(pool: &Pool, address: IpAddr) -> bool {
    same_family(pool.start, address) && (number(pool.start)..=number(pool.end)).contains(&number(address))
}

/// How many addresses the pools hold.
pub fn total(pools: &[Pool]) -> u128 {
    pools.iter().fold(0u128, |sum, p| sum.saturating_add((number(p.end) - number(p.start)).saturating_add(1)))
}

/// All addresses of the pools, each once, beginning behind `last` (the address given out last) and going round.
pub fn candidates(pools: &[Pool], last: Option<IpAddr>) -> impl Iterator<Item = IpAddr> {
    let mut sorted = pools.to_vec();
    sorted.sort_by_key(|p| number(p.start));
    let after = last.map_or(0, |l| number(l).saturating_add(1));
    let behind: Vec<(u128, u128, IpAddr)> = sorted
        .iter()
        .filter(|p| number(p.end) >= after)
        .map(|p| (number(p.start).max(after), number(p.end), p.start))
        .collect();
    let before: Vec<(u128, u128, IpAddr)> = sorted
        .iter()
        .filter(|p| number(p.start) < after)
        .map(|p| (number(p.start), number(p.end).min(after - 1), p.start))
        .collect();
    behind.into_iter().chain(before).flat_map(|(from, to, like)| (from..=to).map(move |n| address(n, like)))
}

/// The address that a host makes for itself from its MAC (RFC 4291, appendix A), on a /64.
pub fn eui64(cidr: &IpNet, mac: &str) -> Option<IpAddr> {
    let bytes: Vec<u8> = mac.split(':').filter_map(|p| u8::from_str_radix(p, 16).ok()).collect();
    let (IpNet::V6(net), [a, b, c, d, e, f]) = (cidr, bytes.as_slice()) else { return None };
    let low = u64::from_be_bytes([a ^ 2, *b, *c, 0xff, 0xfe, *d, *e, *f]);
    Some(IpAddr::V6(Ipv6Addr::from(u128::from(net.network()) | u128::from(low))))
}

/// A MAC of ours from four random bytes; three of them are used, as Neutron's default base does.
pub fn mac(random: u32) -> String {
    let [_, a, b, c] = random.to_be_bytes();
    format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}")
}

#[cfg(test)]
mod tests;
