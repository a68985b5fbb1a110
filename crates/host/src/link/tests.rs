use super::plan::*;

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        links: vec![
            WantedLink {
                name: "br0".into(),
                kind: WantedKind::Bridge,
                mac: Some([2, 0, 0, 0, 0, 1]),
                mtu: Some(1450),
                bridge: None,
                addresses: Some(vec![net("10.0.0.2/24"), net("169.254.169.254/32")]),
            },
            WantedLink {
                name: "host0".into(),
                kind: WantedKind::Veth { peer: "cml-3fa85f64".into() },
                mac: None,
                mtu: Some(1450),
                bridge: Some("br0"),
                addresses: None,
            },
        ],
        routes: Some(vec![
            (net("0.0.0.0/0"), "10.0.0.1".parse().unwrap()),
            (net("0.0.0.0/0"), "10.0.0.3".parse().unwrap()),
            (net("192.168.7.0/24"), "10.0.0.9".parse().unwrap()),
        ]),
        port_mtu: Some(1450),
        ports: Some(("br0", &["tap"])),
        ours: &["host", "qr-"],
    }
}

/// The kernel as it would be when all steps had succeeded.
fn settled() -> Observed {
    let link = |index, name: &str| ObservedLink {
        index,
        name: name.into(),
        mtu: 1450,
        up: true,
        ..ObservedLink::default()
    };
    Observed {
        links: vec![
            ObservedLink { mtu: 65536, ..link(1, "lo") },
            ObservedLink {
                mac: Some([2, 0, 0, 0, 0, 1]),
                addresses: vec![net("169.254.169.254/32"), net("10.0.0.2/24")],
                ..link(2, "br0")
            },
            ObservedLink { bridge: Some(2), ..link(3, "host0") },
        ],
        routes: vec![
            (net("0.0.0.0/0"), "10.0.0.1".parse().unwrap()),
            (net("192.168.7.0/24"), "10.0.0.9".parse().unwrap()),
        ],
    }
}

#[test]
fn everything_is_made_in_an_empty_namespace() {
    let lo = ObservedLink { index: 1, name: "lo".into(), mtu: 65536, up: true, ..ObservedLink::default() };
    let observed = Observed { links: vec![lo], routes: vec![] };
    insta::assert_debug_snapshot!(plan_links(&observed, &wanted()));
    insta::assert_debug_snapshot!(plan_routes(&observed, &wanted()));
}

#[test]
fn nothing_is_touched_when_nothing_differs() {
    assert_eq!(plan_links(&settled(), &wanted()), []);
    assert_eq!(plan_routes(&settled(), &wanted()), []);
}

#[test]
fn only_differences_are_repaired() {
    let mut observed = settled();
    observed.links[1].addresses = vec![net("10.0.0.2/16"), net("169.254.169.254/32")];
    observed.links[1].mac = Some([2, 0, 0, 0, 0, 9]);
    observed.links[2].up = false;
    observed.links[2].bridge = None;
    let tap = ObservedLink {
        index: 9,
        name: "tap3fa85f64-57".into(),
        mtu: 1500,
        up: true,
        bridge: Some(2),
        ..ObservedLink::default()
    };
    observed.links.push(tap.clone());
    let astray = ObservedLink { index: 11, name: "tap99999999-57".into(), bridge: None, ..tap.clone() };
    observed.links.push(astray);
    observed.links.push(ObservedLink { index: 10, name: "qr-gone".into(), bridge: None, ..tap });
    observed.routes = vec![
        (net("0.0.0.0/0"), "10.0.0.8".parse().unwrap()),
        (net("10.9.0.0/16"), "10.0.0.8".parse().unwrap()),
    ];
    insta::assert_debug_snapshot!(plan_links(&observed, &wanted()));
    insta::assert_debug_snapshot!(plan_routes(&observed, &wanted()));
}

#[test]
fn the_hosts_own_routes_are_left_alone() {
    let wanted = Wanted { routes: None, ..wanted() };
    assert_eq!(plan_routes(&settled(), &wanted), []);
}

#[test]
fn macs() {
    assert_eq!(parse_mac("fa:16:3E:00:00:01"), Some([0xfa, 0x16, 0x3e, 0, 0, 1]));
    for bad in ["", "fa:16:3e:00:00", "fa:16:3e:00:00:01:02", "fa:16:3e:00:00:zz"] {
        assert_eq!(parse_mac(bad), None, "{bad}");
    }
}
