use ipnet::IpNet;

use super::{SubnetPool, rules};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn pool(prefixes: &[&str]) -> SubnetPool {
    SubnetPool {
        ip_version: 4,
        prefixes: prefixes.iter().map(|p| net(p)).collect(),
        min_prefixlen: 8,
        max_prefixlen: 32,
        default_prefixlen: 24,
        ..SubnetPool::default()
    }
}

#[test]
fn subnets_come_from_the_smallest_gap() {
    let pool = pool(&["10.0.0.0/16", "10.9.0.0/24"]);
    assert_eq!(rules::next(&pool, &[], 26).unwrap(), net("10.9.0.0/26"));
    let taken = [net("10.9.0.0/24"), net("10.0.0.0/26")];
    assert_eq!(rules::next(&pool, &taken, 26).unwrap(), net("10.0.0.64/26"));
    assert_eq!(rules::next(&pool, &taken, 24).unwrap(), net("10.0.1.0/24"));
    assert_eq!(rules::next(&pool, &taken, 12).unwrap_err().code, "SubnetAllocationError");
    assert_eq!(rules::next(&pool, &taken, 7).unwrap_err().code, "MinPrefixSubnetAllocationError");
    assert_eq!(rules::next(&pool, &taken, 33).unwrap_err().code, "MaxPrefixSubnetAllocationError");
}

#[test]
fn a_part_is_taken_once() {
    let pool = pool(&["10.0.0.0/16"]);
    assert!(rules::take(&pool, &[], net("10.0.3.0/24")).is_ok());
    for taken in ["10.0.3.0/24", "10.0.3.128/25", "10.0.0.0/20"] {
        assert!(rules::take(&pool, &[net(taken)], net("10.0.3.0/24")).is_err(), "{taken}");
    }
    assert!(rules::take(&pool, &[], net("10.1.0.0/24")).is_err());
}

#[test]
fn quota_counts_addresses_and_slash_64s() {
    assert_eq!(rules::size(&net("10.0.0.0/24")), 256);
    assert_eq!(rules::size(&net("10.0.0.0/32")), 1);
    assert_eq!(rules::size(&net("fd00::/62")), 4);
    assert_eq!(rules::size(&net("fd00::/96")), 1);
    assert_eq!(rules::size(&net("::/1")), i64::MAX);
}

#[test]
fn neighbours_are_joined_and_families_are_not_mixed() {
    let joined = rules::compact(&[net("10.0.1.0/24"), net("10.0.0.0/24")]).unwrap();
    assert_eq!(joined, [net("10.0.0.0/23")]);
    assert_eq!(rules::compact(&[]).unwrap_err().code, "EmptySubnetPoolPrefixList");
    let mixed = rules::compact(&[net("10.0.1.0/24"), net("fd00::/64")]);
    assert_eq!(mixed.unwrap_err().code, "PrefixVersionMismatch");
}
