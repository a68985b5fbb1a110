//! Every way that we know of to speak in another's name, tried frame by frame.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use host::plan::*;
use host::{MetadataAnswer, MetadataCaller, MetadataSource, Network};

use super::frames::*;
use super::plans::*;
use super::sandbox::command;
use super::{Guest, Sandbox};

/// In each frame, by which it is known again. To IPv6's neighbour discovery an unknown option of eight bytes.
const MARK: &[u8; 8] = b"\xc8\x01eeMARK";
/// What passes is heard long before that, even where every core is at work.
const SOON: Duration = Duration::from_secs(5);
/// As long as a frame of the same machine needs many times over.
const NEVER: Duration = Duration::from_millis(60);

const ATTACKER: u8 = 11;
const VICTIM: u8 = 12;
/// In whose name it is tried.
const OTHER: u8 = 13;

fn mac(last: u8) -> Mac {
    [0xfa, 0x16, 0x3e, 0, 0, last]
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn v6(last: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into())
}

fn link_local(last: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0xf816, 0x3eff, 0xfe00, last.into())
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

fn open(name: &str, last: u8) -> PortPlan {
    let six = RulePlan { ipv6: true, ..any(Direction::Ingress) };
    let mut port = with_rules(port(name, last), [any(Direction::Ingress), six]);
    port.fixed_ips.push(("subnet6".into(), v6(last).into()));
    port
}

/// From the attacker's hand; the Ethernet source may be another's.
fn from(source: Mac, kind: u16, packet: &[u8]) -> Vec<u8> {
    [ethernet(mac(VICTIM), source, kind, packet), MARK.to_vec()].concat()
}

fn udp4(source: Ipv4Addr, ports: (u16, u16)) -> Vec<u8> {
    let (from, to) = (IpAddr::V4(source), IpAddr::V4(v4(VICTIM)));
    ipv4(source, v4(VICTIM), UDP, &udp((from, ports.0), (to, ports.1), MARK))
}

fn udp6(source: Ipv6Addr, ports: (u16, u16)) -> Vec<u8> {
    let datagram = udp((source.into(), ports.0), (v6(VICTIM).into(), ports.1), MARK);
    ipv6(source, v6(VICTIM), UDP, &datagram)
}

fn neighbour(kind: u8, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let rest = [&[0x20, 0, 0, 0][..], &target.octets(), &[2, 1], &mac(ATTACKER), MARK].concat();
    ipv6(source, ALL_NODES, ICMPV6, &icmpv6(source, ALL_NODES, kind, &rest))
}

fn router_advertisement(source: Ipv6Addr) -> Vec<u8> {
    let rest = [&[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], MARK].concat();
    icmpv6(source, ALL_NODES, 134, &rest)
}

const IP4: u16 = 0x0800;
const IP6: u16 = 0x86dd;
const ARP: u16 = 0x0806;

fn honest() -> Vec<(&'static str, Vec<u8>)> {
    let me = mac(ATTACKER);
    let target = (mac(VICTIM), v4(VICTIM));
    vec![
        ("its own IPv4 address", from(me, IP4, &udp4(v4(ATTACKER), (999, 999)))),
        ("its own IPv6 address", from(me, IP6, &udp6(v6(ATTACKER), (999, 999)))),
        ("its own ARP answer", from(me, ARP, &arp(2, (me, v4(ATTACKER)), target))),
        ("its own neighbour advertisement", from(me, IP6, &neighbour(136, v6(ATTACKER), v6(ATTACKER)))),
        ("looking for its own address", from(me, IP6, &neighbour(135, Ipv6Addr::UNSPECIFIED, v6(ATTACKER)))),
    ]
}

/// What port security off, or an address pair of the other's, makes possible.
fn in_the_others_name() -> Vec<(&'static str, Vec<u8>)> {
    let (me, other) = (mac(ATTACKER), mac(OTHER));
    let target = (mac(VICTIM), v4(VICTIM));
    vec![
        ("IPv4 address", from(me, IP4, &udp4(v4(OTHER), (999, 999)))),
        ("IPv6 address", from(me, IP6, &udp6(v6(OTHER), (999, 999)))),
        ("ARP answer", from(me, ARP, &arp(2, (me, v4(OTHER)), target))),
        ("ARP request", from(me, ARP, &arp(1, (me, v4(OTHER)), target))),
        ("neighbour advertisement", from(me, IP6, &neighbour(136, v6(ATTACKER), v6(OTHER)))),
        ("looking for its address", from(me, IP6, &neighbour(135, Ipv6Addr::UNSPECIFIED, v6(OTHER)))),
        ("MAC address", from(other, IP4, &udp4(v4(ATTACKER), (999, 999)))),
        ("MAC and IPv4 address", from(other, IP4, &udp4(v4(OTHER), (999, 999)))),
        ("MAC address in ARP", from(me, ARP, &arp(2, (other, v4(ATTACKER)), target))),
    ]
}

fn forgeries() -> Vec<(&'static str, Vec<u8>)> {
    let me = mac(ATTACKER);
    let own4 = udp4(v4(ATTACKER), (999, 999));
    let gateway = Ipv4Addr::new(10, 0, 0, 1);
    let advertisement = router_advertisement(link_local(ATTACKER));
    let whole = |packet: &[u8]| ipv6(link_local(ATTACKER), ALL_NODES, ICMPV6, packet);
    let fragment = |next: u8, offset_and_more: u8, packet: &[u8]| {
        let header = [next, 0, 0, offset_and_more, 0, 0, 0, 7];
        ipv6(link_local(ATTACKER), ALL_NODES, 44, &[&header[..], packet].concat())
    };
    let redirect = [&[0, 0, 0, 0][..], &v6(ATTACKER).octets(), &v6(OTHER).octets(), MARK].concat();
    let mut list = in_the_others_name();
    list.extend([
        ("the gateway's ARP", from(me, ARP, &arp(2, (me, gateway), (mac(VICTIM), v4(VICTIM))))),
        ("a DHCP offer", from(me, IP4, &udp4(v4(ATTACKER), (67, 68)))),
        ("a DHCPv6 answer", from(me, IP6, &udp6(v6(ATTACKER), (547, 546)))),
        ("a link-local DHCPv6 answer", from(me, IP6, &udp6(link_local(ATTACKER), (547, 546)))),
        ("a router advertisement", from(me, IP6, &whole(&advertisement))),
        ("one in an only fragment", from(me, IP6, &fragment(ICMPV6, 0, &advertisement))),
        ("a redirect", from(me, IP6, &whole(&icmpv6(link_local(ATTACKER), ALL_NODES, 137, &redirect)))),
        ("the router's neighbour advertisement", from(me, IP6, &neighbour(136, v6(ATTACKER), v6(1)))),
        ("a VLAN tag", tagged(&from(me, IP4, &own4), 0x8100, 5)),
        ("a priority tag", tagged(&from(me, IP4, &own4), 0x8100, 0)),
        ("two tags", tagged(&tagged(&from(me, IP4, &own4), 0x8100, 5), 0x88a8, 5)),
        ("an LLC frame", from(me, 60, &[0x42; 60])),
        ("a RARP answer", from(me, 0x8035, &arp(4, (me, v4(ATTACKER)), (me, v4(OTHER))))),
    ]);
    list
}

fn ends_with_mark(frame: &[u8]) -> bool {
    frame.windows(MARK.len()).any(|window| window == MARK)
}

async fn passes(attacker: &Wire, victim: &Wire, frame: &[u8], patience: Duration) -> bool {
    victim.drain();
    attacker.send(frame);
    victim.hears(patience, ends_with_mark).await
}

struct Scene {
    attacker: Wire,
    victim: Wire,
    _guests: [Guest; 3],
}

async fn scene(network: &host::network::LinuxNetwork, plan: &NetworkPlan) -> Scene {
    let guests = [
        Guest::start(network, plan, &plan.ports[0]).await,
        Guest::start(network, plan, &plan.ports[1]).await,
        Guest::start(network, plan, &plan.ports[2]).await,
    ];
    for (guest, last) in guests.iter().zip([ATTACKER, VICTIM, OTHER]) {
        guest.address(&format!("{}/64", v6(last))).await;
    }
    guests[0].has_link_local().await;
    // The bridge knows where everybody is.
    assert!(guests[2].pings("10.0.0.12").await);
    Scene { attacker: Wire::of(&guests[0]).await, victim: Wire::of(&guests[1]).await, _guests: guests }
}

#[test]
fn no_forgery_reaches_anybody() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let plan = tenant("net", vec![open("a", ATTACKER), open("b", VICTIM), open("c", OTHER)]);
        network.apply_network(&plan).await.unwrap();
        let scene = scene(&network, &plan).await;
        for (what, frame) in honest() {
            assert!(passes(&scene.attacker, &scene.victim, &frame, SOON).await, "{what}");
        }
        for (what, frame) in forgeries() {
            assert!(!passes(&scene.attacker, &scene.victim, &frame, NEVER).await, "{what}");
        }

        // The advertisement's own header comes only with the second fragment.
        let fragment = |offset_and_more: u8, packet: &[u8]| {
            let header = [60, 0, 0, offset_and_more, 0, 0, 0, 9];
            let whole = [&header[..], packet].concat();
            from(mac(ATTACKER), IP6, &ipv6(link_local(ATTACKER), ALL_NODES, 44, &whole))
        };
        scene.victim.drain();
        let advertisement = router_advertisement(link_local(ATTACKER));
        scene.attacker.send(&fragment(1, &[ICMPV6, 0, 1, 4, 0, 0, 0, 0]));
        scene.attacker.send(&fragment(8, &advertisement));
        assert!(!scene.victim.hears(NEVER, ends_with_mark).await, "hidden in fragments");

        // Frames for the bridge itself teach it no wrong place.
        let reserved: Mac = [1, 0x80, 0xc2, 0, 0, 3];
        scene.attacker.send(&ethernet(reserved, mac(OTHER), IP4, &udp4(v4(OTHER), (999, 999))));
        let namespace = network.namespace(&plan.id);
        let places = command("ip", &["netns", "exec", namespace.as_str(), "bridge", "fdb"]);
        let tap = host::names::tap(&plan.ports[2].id);
        let learnt: Vec<&str> = places.lines().filter(|line| line.contains("fa:16:3e:00:00:0d")).collect();
        assert!(!learnt.is_empty() && learnt.iter().all(|line| line.contains(&tap)), "{places}");
    });
}

#[test]
fn address_pairs_and_missing_port_security_lift_it() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let others = || [open("b", VICTIM), open("c", OTHER)];
        let mut paired = open("a", ATTACKER);
        paired.allowed_address_pairs = vec![
            (paired.mac.clone(), "10.0.0.13/32".parse().unwrap()),
            (paired.mac.clone(), "2001:db8::/64".parse().unwrap()),
        ];
        let plan = tenant("net", [paired].into_iter().chain(others()).collect());
        network.apply_network(&plan).await.unwrap();
        let scene = scene(&network, &plan).await;
        for (what, frame) in in_the_others_name() {
            let passed = passes(&scene.attacker, &scene.victim, &frame, 3 * NEVER).await;
            assert_eq!(passed, !what.starts_with("MAC"), "{what}");
        }

        let free = PortPlan { port_security: false, ..open("a", ATTACKER) };
        let plan = tenant("net", [free].into_iter().chain(others()).collect());
        network.apply_network(&plan).await.unwrap();
        for (what, frame) in in_the_others_name() {
            assert!(passes(&scene.attacker, &scene.victim, &frame, SOON).await, "{what}");
        }
        let dhcp = from(mac(ATTACKER), IP4, &udp4(v4(ATTACKER), (67, 68)));
        assert!(passes(&scene.attacker, &scene.victim, &dhcp, SOON).await);
        // And back.
        let plan = tenant("net", [open("a", ATTACKER)].into_iter().chain(others()).collect());
        network.apply_network(&plan).await.unwrap();
        for (what, frame) in in_the_others_name() {
            assert!(!passes(&scene.attacker, &scene.victim, &frame, NEVER).await, "{what}");
        }
    });
}

struct Nobody;

#[async_trait]
impl MetadataSource for Nobody {
    async fn get(&self, _: &MetadataCaller, _: &str) -> Option<MetadataAnswer> {
        None
    }
}

#[test]
fn metadata_is_asked_for_in_ones_own_name_only() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.serve_metadata(Arc::new(Nobody));
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        let ask = |name: u8, to: Mac| {
            let segment = tcp_syn((v4(name).into(), 4000), (metadata.into(), 80));
            ethernet(to, mac(ATTACKER), IP4, &ipv4(v4(name), metadata, TCP, &segment))
        };
        let answered = |frame: &[u8]| {
            frame.len() >= 48 && frame[12..14] == IP4.to_be_bytes() && frame[26..30] == metadata.octets()
        };
        const METADATA6: Ipv6Addr = host::metadata::METADATA6;
        let ask6 = |source: Ipv6Addr, to: Mac| {
            let segment = tcp_syn((source.into(), 4000), (METADATA6.into(), 80));
            ethernet(to, mac(ATTACKER), IP6, &ipv6(source, METADATA6, TCP, &segment))
        };
        let answered6 = |frame: &[u8]| {
            // From its address by TCP: not its questions for neighbours.
            frame.len() >= 74
                && frame[12..14] == IP6.to_be_bytes()
                && frame[20] == TCP
                && frame[22..38] == METADATA6.octets()
        };
        network.apply_network(&external(vec![])).await.unwrap();
        let mut free = PortPlan { port_security: false, ..open("a", ATTACKER) };
        let mut paired = open("a", ATTACKER);
        paired.allowed_address_pairs = ["10.0.0.12/32", "fe80::/64", "2001:db8::/64"]
            .map(|network| (paired.mac.clone(), network.parse().unwrap()))
            .into();
        // Not even as an address of its own.
        paired.fixed_ips.push(("subnet6".into(), link_local(VICTIM).into()));
        free.mac = mac_text(ATTACKER);
        let mut scene_of = None;
        for (what, attacker) in [("port security off", free), ("an address pair", paired)] {
            let plan = tenant("net", vec![attacker, open("b", VICTIM), open("c", OTHER)]);
            network.apply_network(&plan).await.unwrap();
            let router = router("rtr", &plan, 5, &[]);
            network.apply_router(&router).await.unwrap();
            if scene_of.is_none() {
                scene_of = Some(scene(&network, &plan).await);
            }
            let scene = scene_of.as_ref().unwrap();
            let namespace = network.namespace(&plan.id);
            let shown = command("ip", &["-n", namespace.as_str(), "-o", "link", "show", "br0"]);
            let bridge = shown.split("link/ether ").nth(1).unwrap();
            let places = [parse(&bridge[..17]), parse(&router.interfaces[0].mac)];
            scene.attacker.drain();
            scene.attacker.send(&ask6(link_local(ATTACKER), places[0]));
            assert!(scene.attacker.hears(SOON, answered6).await, "{what}: by IPv6, in its own name");
            for source in [link_local(VICTIM), link_local(0x77), v6(VICTIM)] {
                for tags in [&[][..], &[(0x8100, 0)], &[(0x8100, 0), (0x8100, 0)]] {
                    let mut frame = ask6(source, places[0]);
                    for (protocol, vlan) in tags {
                        frame = tagged(&frame, *protocol, *vlan);
                    }
                    scene.victim.drain();
                    scene.attacker.drain();
                    scene.attacker.send(&frame);
                    assert!(!scene.victim.hears(NEVER, answered6).await, "{what}: as {source}, {tags:?}");
                    assert!(!scene.attacker.hears(NEVER, answered6).await, "{what}: as {source}, {tags:?}");
                }
            }
            for place in places {
                scene.attacker.drain();
                scene.attacker.send(&ask(ATTACKER, place));
                assert!(scene.attacker.hears(SOON, answered).await, "{what}: in its own name");
                for tags in
                    [&[][..], &[(0x8100, 0)], &[(0x8100, 0), (0x8100, 0)], &[(0x8100, 0), (0x88a8, 0)]]
                {
                    let mut frame = ask(VICTIM, place);
                    for (protocol, vlan) in tags {
                        frame = tagged(&frame, *protocol, *vlan);
                    }
                    scene.victim.drain();
                    scene.attacker.send(&frame);
                    assert!(!scene.victim.hears(NEVER, answered).await, "{what}: in the victim's, {tags:?}");
                }
            }
        }
    });
}

fn mac_text(last: u8) -> String {
    format!("fa:16:3e:00:00:{last:02x}")
}

fn parse(text: &str) -> Mac {
    host::link::plan::parse_mac(text).unwrap()
}
