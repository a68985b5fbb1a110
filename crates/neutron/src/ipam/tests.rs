use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pool(start: &str, end: &str) -> Pool {
    Pool { start: ip(start), end: ip(end) }
}

#[test]
fn pools_leave_out_the_gateway() {
    let c = net("10.0.0.0/29");
    assert_eq!(default_gateway(&c), Some(ip("10.0.0.1")));
    assert_eq!(default_pools(&c, Some(ip("10.0.0.1"))), [pool("10.0.0.2", "10.0.0.6")]);
    assert_eq!(
        default_pools(&c, Some(ip("10.0.0.3"))),
        [pool("10.0.0.1", "10.0.0.2"), pool("10.0.0.4", "10.0.0.6")]
    );
    assert_eq!(default_pools(&c, None), [pool("10.0.0.1", "10.0.0.6")]);
    assert_eq!(default_pools(&net("10.0.0.4/32"), None), [pool("10.0.0.4", "10.0.0.4")]);
    assert_eq!(default_pools(&net("fd00::/64"), Some(ip("fd00::1")))[0].start, ip("fd00::2"));
}

#[test]
fn bad_pools_have_names() {
    let c = net("10.0.0.0/24");
    let code = |pools: &[Pool]| check_pools(&c, Some(ip("10.0.0.1")), pools).unwrap_err().code;
    assert_eq!(code(&[pool("10.0.0.9", "10.0.0.2")]), "InvalidAllocationPool");
    assert_eq!(code(&[pool("fd00::1", "fd00::2")]), "InvalidAllocationPool");
    assert_eq!(code(&[pool("10.0.0.9", "10.0.1.2")]), "OutOfBoundsAllocationPool");
    assert_eq!(code(&[pool("10.0.0.9", "10.0.0.255")]), "OutOfBoundsAllocationPool");
    let overlapping = [pool("10.0.0.9", "10.0.0.20"), pool("10.0.0.20", "10.0.0.30")];
    assert_eq!(code(&overlapping), "OverlappingAllocationPools");
    assert_eq!(code(&[pool("10.0.0.1", "10.0.0.20")]), "GatewayConflictWithAllocationPools");
    check_pools(&c, Some(ip("10.0.0.1")), &[pool("10.0.0.2", "10.0.0.20")]).unwrap();
}

#[test]
fn stateless_addresses_come_from_the_mac() {
    assert_eq!(eui64(&net("fd00:1::/64"), "fa:16:3e:01:02:03"), Some(ip("fd00:1::f816:3eff:fe01:203")));
    assert_eq!(eui64(&net("10.0.0.0/24"), "fa:16:3e:01:02:03"), None);
}

#[test]
fn the_network_itself_is_nobodys() {
    let c = net("10.0.0.0/24");
    assert!(
        !valid_on(&c, ip("10.0.0.0")) && !valid_on(&c, ip("10.0.0.255")) && !valid_on(&c, ip("10.0.1.1"))
    );
    assert!(valid_on(&c, ip("10.0.0.1")) && valid_on(&net("10.0.0.0/31"), ip("10.0.0.0")));
    assert!(valid_gateway(&c, ip("10.9.9.9")) && !valid_gateway(&c, ip("10.0.0.0")));
    assert!(!valid_gateway(&c, ip("fd00::1")));
}

proptest! {
    /// Every address of the pools comes exactly once, whatever was given out last; none from elsewhere comes.
    #[test]
    fn candidates_are_a_round_trip(prefix in 24u8..=30, gateway in 0u32..256, last in 0u32..512) {
        let c = IpNet::V4(ipnet::Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), prefix).unwrap());
        let gateway = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + gateway));
        let pools = default_pools(&c, Some(gateway));
        check_pools(&c, Some(gateway).filter(|g| valid_on(&c, *g)), &pools).unwrap();
        let last = IpAddr::V4(Ipv4Addr::from(0x09ff_ff80 + last));
        let all: Vec<IpAddr> = candidates(&pools, Some(last)).collect();
        prop_assert_eq!(all.len() as u128, total(&pools));
        let mut unique = all.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), all.len());
        prop_assert!(all.iter().all(|a| valid_on(&c, *a) && *a != gateway));
        // The first one is the nearest behind the last one, if there is any behind it.
        if let Some(next) = unique.iter().find(|a| **a > last) {
            prop_assert_eq!(&all[0], next);
        }
    }

    #[test]
    fn overlap_is_what_sharing_an_address_means(a in 0u32..64, pa in 26u8..=32, b in 0u32..64, pb in 26u8..=32) {
        let of = |n: u32, p: u8| {
            IpNet::V4(ipnet::Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + n), p).unwrap().trunc())
        };
        let (a, b) = (of(a, pa), of(b, pb));
        let shared = (0u32..64).any(|n| {
            let x = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n));
            a.contains(&x) && b.contains(&x)
        });
        prop_assert_eq!(overlap(&a, &b), shared);
    }
}
