//! What a pool may be, and which part of it a subnet gets.

use base::{Ctx, Error, Result};
use ipnet::IpNet;

use super::SubnetPool;
use crate::fault::{self, invalid};
use crate::ipam;
use crate::request::Input;
use crate::standard::Standard;

pub fn create(ctx: &Ctx, input: &Input) -> Result<SubnetPool> {
    let prefixes = prefixes(input)?;
    let (version, bits) = match prefixes.first() {
        Some(IpNet::V6(_)) => (6, 128),
        _ => (4, 32),
    };
    let min = input.int("min_prefixlen").unwrap_or(if version == 6 { 64 } else { 8 });
    let pool = SubnetPool {
        standard: Standard::of(&input.owner(ctx)?, input),
        ip_version: version,
        prefixes,
        min_prefixlen: min,
        max_prefixlen: input.int("max_prefixlen").unwrap_or(bits),
        default_prefixlen: input.int("default_prefixlen").unwrap_or(min),
        default_quota: input.int("default_quota"),
        address_scope_id: input.text("address_scope_id").unwrap_or("").into(),
        is_default: input.flag("is_default").unwrap_or(false),
        shared: input.flag("shared").unwrap_or(false),
    };
    check(&pool)?;
    Ok(pool)
}

/// The body's prefixes: of one family, neighbours joined.
fn prefixes(input: &Input) -> Result<Vec<IpNet>> {
    let given: Vec<IpNet> = input.parsed("prefixes")?.unwrap_or_default();
    compact(&given)
}

pub fn compact(given: &[IpNet]) -> Result<Vec<IpNet>> {
    let Some(first) = given.first() else {
        return Err(invalid("EmptySubnetPoolPrefixList", "Empty subnet pool prefix list."));
    };
    if given.iter().any(|p| !ipam::same_family(p.addr(), first.addr())) {
        return Err(invalid("PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."));
    }
    let mut joined = IpNet::aggregate(&given.to_vec());
    joined.sort();
    Ok(joined)
}

fn check(pool: &SubnetPool) -> Result<()> {
    let illegal = |kind: &str, value: i64, base: &str, bound: i64| {
        Err(invalid(
            "IllegalSubnetPoolPrefixBounds",
            format!("Illegal prefix bounds: {kind}={value}, {base}={bound}."),
        ))
    };
    let bits = if pool.ip_version == 6 { 128 } else { 32 };
    let (min, max, default) = (pool.min_prefixlen, pool.max_prefixlen, pool.default_prefixlen);
    if max > bits {
        return illegal("max_prefixlen", max, "ip_version_max", bits);
    }
    if min > max {
        return illegal("min_prefixlen", min, "max_prefixlen", max);
    }
    if default < min {
        return illegal("default_prefixlen", default, "min_prefixlen", min);
    }
    if default > max {
        return illegal("default_prefixlen", default, "max_prefixlen", max);
    }
    Ok(())
}

pub fn apply(pool: &mut SubnetPool, input: &Input) -> Result<()> {
    if input.has("prefixes") {
        let wanted = prefixes(input)?;
        if pool.prefixes.iter().any(|old| !wanted.iter().any(|new| new.contains(old))) {
            return Err(bad_prefixes("Existing prefixes must be a subset of the new prefixes"));
        }
        pool.prefixes = wanted;
    }
    let set = |name: &str, slot: &mut i64| {
        if let Some(number) = input.int(name) {
            *slot = number;
        }
    };
    set("min_prefixlen", &mut pool.min_prefixlen);
    set("max_prefixlen", &mut pool.max_prefixlen);
    set("default_prefixlen", &mut pool.default_prefixlen);
    if input.has("default_quota") {
        pool.default_quota = input.int("default_quota");
    }
    if input.has("address_scope_id") {
        pool.address_scope_id = input.text("address_scope_id").unwrap_or("").into();
    }
    if let Some(flag) = input.flag("is_default") {
        pool.is_default = flag;
    }
    pool.standard.apply(input);
    check(pool)
}

pub fn bad_prefixes(reason: &str) -> Error {
    invalid("IllegalSubnetPoolPrefixUpdate", format!("Illegal update to prefixes: {reason}."))
}

fn no_space(reason: impl std::fmt::Display) -> Error {
    fault::conflict("SubnetAllocationError", format!("Failed to allocate subnet: {reason}."))
}

/// The part of the pool that was asked for, if nobody has it.
pub fn take(pool: &SubnetPool, taken: &[IpNet], wanted: IpNet) -> Result<IpNet> {
    check_length(pool, i64::from(wanted.prefix_len()))?;
    if free(&pool.prefixes, taken).iter().any(|f| f.contains(&wanted)) {
        Ok(wanted)
    } else {
        Err(no_space("Cannot allocate requested subnet from the available set of prefixes"))
    }
}

/// The first of that length in the smallest gap that holds one.
pub fn next(pool: &SubnetPool, taken: &[IpNet], length: i64) -> Result<IpNet> {
    check_length(pool, length)?;
    let gap = free(&pool.prefixes, taken)
        .into_iter()
        .filter(|f| i64::from(f.prefix_len()) <= length)
        .max_by(|a, b| a.prefix_len().cmp(&b.prefix_len()).then_with(|| b.cmp(a)));
    let full = || no_space(format!("Insufficient prefix space to allocate subnet size /{length}"));
    let gap = gap.ok_or_else(full)?;
    // The length was checked against the pool's bounds.
    let length = u8::try_from(length).map_err(|_| full())?;
    IpNet::new(gap.network(), length).map_err(|_| full())
}

fn check_length(pool: &SubnetPool, length: i64) -> Result<()> {
    if length < pool.min_prefixlen {
        return Err(invalid(
            "MinPrefixSubnetAllocationError",
            format!(
                "Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {}.",
                pool.min_prefixlen
            ),
        ));
    }
    if length > pool.max_prefixlen {
        return Err(invalid(
            "MaxPrefixSubnetAllocationError",
            format!(
                "Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {}.",
                pool.max_prefixlen
            ),
        ));
    }
    Ok(())
}

/// What is left of the prefixes.
pub fn free(prefixes: &[IpNet], taken: &[IpNet]) -> Vec<IpNet> {
    let mut open: Vec<IpNet> = prefixes.to_vec();
    let mut free = Vec::new();
    while let Some(net) = open.pop() {
        if taken.iter().any(|t| t.contains(&net)) {
            continue;
        }
        if !taken.iter().any(|t| net.contains(t)) {
            free.push(net);
        } else if let Ok(halves) = net.subnets(net.prefix_len() + 1) {
            open.extend(halves);
        }
    }
    free.sort();
    free
}

/// In the pool's units of quota: addresses of IPv4, /64s of IPv6.
pub fn size(net: &IpNet) -> i64 {
    let (bits, unit) = if net.addr().is_ipv4() { (32, 32) } else { (128, 64) };
    let length = net.prefix_len().min(unit).min(bits);
    1i64.checked_shl(u32::from(unit - length)).filter(|n| *n > 0).unwrap_or(i64::MAX)
}

pub fn over_quota() -> Error {
    fault::conflict("SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.".into())
}
