//! Subports: one link of a machine, several networks.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use host::Network;
use host::link::open_tap;
use host::network::LinuxNetwork;
use host::plan::*;

use super::frames::{UDP, Wire, ethernet, ipv4, tagged, udp};
use super::plans::*;
use super::sandbox::command;
use super::{Guest, Sandbox};

const VLAN: u16 = 0x8100;
const IP4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const PATIENCE: Duration = Duration::from_secs(2);

/// A machine's end of its tap, as QEMU has it.
struct Tap(OwnedFd);

impl Tap {
    /// Bytes before each frame, about work that is left to do; here there never is any.
    const HEADER: usize = 10;

    async fn open(network: &LinuxNetwork, plan: &NetworkPlan, port: &PortPlan) -> Self {
        let tap = open_tap(&network.namespace(&plan.id), &port.id, plan.mtu).await.unwrap();
        rustix::io::ioctl_fionbio(&tap, true).unwrap();
        Self(tap)
    }

    fn send(&self, frame: &[u8]) {
        let mut whole = vec![0; Self::HEADER];
        whole.extend(frame);
        assert_eq!(rustix::io::write(&self.0, &whole).unwrap(), whole.len());
    }

    async fn hears(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4096];
        loop {
            while let Ok(length) = rustix::io::read(&self.0, &mut buffer) {
                if wanted(&buffer[Self::HEADER..length]) {
                    return true;
                }
            }
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn mac(last: u8) -> [u8; 6] {
    [0xfa, 0x16, 0x3e, 0, 0, last]
}

/// A datagram between ports of the plans.
fn datagram(from: u8, to: u8, data: &[u8]) -> Vec<u8> {
    let at = |last| Ipv4Addr::new(10, 0, 0, last);
    let datagram = udp((at(from).into(), 999), (at(to).into(), 999), data);
    ethernet(mac(to), mac(from), IP4, &ipv4(at(from), at(to), UDP, &datagram))
}

fn has(frame: &[u8], data: &[u8]) -> bool {
    frame.windows(data.len()).any(|part| part == data)
}

fn open(name: &str, last: u8) -> PortPlan {
    with_rules(port(name, last), [any(Direction::Ingress)])
}

fn subport(network: &NetworkPlan, port: &PortPlan, vlan: u16) -> SubportPlan {
    SubportPlan { port_id: port.id.clone(), network_id: network.id.clone(), vlan, mtu: network.mtu }
}

#[test]
fn each_subports_frames_have_its_tag_and_go_to_its_network_alone() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut drifts = network.drifts();
        let blue = tenant("blue", vec![open("child", 21), open("b", 22)]);
        let with = |subports: Vec<SubportPlan>| {
            tenant("home", vec![PortPlan { subports, ..open("parent", 11) }, open("a", 12)])
        };
        let home = with(vec![subport(&blue, &blue.ports[0], 101)]);
        network.apply_network(&blue).await.unwrap();
        network.apply_network(&home).await.unwrap();
        assert_eq!(network.unserved(&home.id), [].into());
        // The machine comes later; that it is there is told.
        let tap = Tap::open(&network, &home, &home.ports[0]).await;
        tokio::time::timeout(Duration::from_secs(5), drifts.recv()).await.unwrap().unwrap();
        network.apply_network(&home).await.unwrap();
        let a = Guest::start(&network, &home, &home.ports[1]).await;
        let b = Guest::start(&network, &blue, &blue.ports[1]).await;
        let (at_a, at_b) = (Wire::of(&a).await, Wire::of(&b).await);

        tap.send(&tagged(&datagram(21, 22, b"to blue"), VLAN, 101));
        assert!(at_b.hears(PATIENCE, |frame| has(frame, b"to blue")).await);
        tap.send(&datagram(11, 12, b"at home"));
        assert!(at_a.hears(PATIENCE, |frame| has(frame, b"at home")).await);

        // What its network has for it comes with the tag: a neighbour's question, and an answer.
        let question =
            |frame: &[u8]| frame[12..16] == [0x81, 0, 0, 101] && frame[16..18] == ARP.to_be_bytes();
        let asking = b.pings("10.0.0.21");
        let (_, heard) = tokio::join!(asking, tap.hears(question));
        assert!(heard, "b looks for its neighbour");
        let socket = b.udp("10.0.0.22:998").await;
        b.run("ip", &["neigh", "replace", "10.0.0.21", "lladdr", "fa:16:3e:00:00:15", "dev", "eth0"]).await;
        socket.send_to(b"from blue", "10.0.0.21:999").unwrap();
        assert!(tap.hears(|frame| frame[12..16] == [0x81, 0, 0, 101] && has(frame, b"from blue")).await);

        // Another tag, another kind of tag, another's address: nowhere.
        at_a.drain();
        at_b.drain();
        for (what, frame) in [
            ("unknown tag", tagged(&datagram(21, 22, b"astray"), VLAN, 102)),
            ("service tag", tagged(&datagram(21, 22, b"astray"), 0x88a8, 101)),
            ("parent's address", tagged(&datagram(11, 22, b"astray"), VLAN, 101)),
            ("subport's address at home", datagram(21, 12, b"astray")),
        ] {
            tap.send(&frame);
            let patience = Duration::from_millis(300);
            assert!(!at_b.hears(patience, |frame| has(frame, b"astray")).await, "{what}");
            assert!(!at_a.hears(patience, |frame| has(frame, b"astray")).await, "{what}");
        }

        // A limit of the parent's leaves its subports alone, coming and going.
        let limited = |subports| {
            let mut plan = with(subports);
            plan.ports[0].qos.egress = Some(Rate { kilobits: 10_000, burst_kilobits: 0 });
            plan
        };
        let subports = || vec![subport(&blue, &blue.ports[0], 101)];
        for (plan, data) in [(limited(subports()), b"limited"), (with(subports()), b"at last")] {
            network.apply_network(&plan).await.unwrap();
            tap.send(&tagged(&datagram(21, 22, data), VLAN, 101));
            assert!(at_b.hears(PATIENCE, |frame| has(frame, data)).await);
            tap.send(&datagram(11, 12, data));
            assert!(at_a.hears(PATIENCE, |frame| has(frame, data)).await);
        }

        // No subport any more.
        network.apply_network(&with(vec![])).await.unwrap();
        tap.send(&tagged(&datagram(21, 22, b"late"), VLAN, 101));
        assert!(!at_b.hears(Duration::from_millis(300), |frame| has(frame, b"late")).await);
        let links = command("ip", &["-n", network.namespace(&home.id).as_str(), "link"]);
        assert!(!links.contains(" sub"), "{links}");
    });
}

#[test]
fn a_subport_whose_network_is_not_there_is_told_and_served_once_it_is() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let blue = tenant("blue", vec![open("child", 21), open("b", 22)]);
        let green = tenant("green", vec![open("other", 31), open("g", 32)]);
        let subports = vec![subport(&blue, &blue.ports[0], 101), subport(&green, &green.ports[0], 7)];
        let home = tenant("home", vec![PortPlan { subports, ..open("parent", 11) }]);
        network.apply_network(&green).await.unwrap();
        network.apply_network(&home).await.unwrap();
        let unserved = network.unserved(&home.id);
        assert_eq!(unserved.keys().collect::<Vec<_>>(), [&blue.ports[0].id]);
        assert!(unserved.values().next().unwrap().contains(&blue.id), "{unserved:?}");

        let tap = Tap::open(&network, &home, &home.ports[0]).await;
        network.apply_network(&blue).await.unwrap();
        network.apply_network(&home).await.unwrap();
        assert_eq!(network.unserved(&home.id), [].into());
        let b = Guest::start(&network, &blue, &blue.ports[1]).await;
        let g = Guest::start(&network, &green, &green.ports[1]).await;
        for (guest, from, to, vlan) in [(&b, 21, 22, 101), (&g, 31, 32, 7)] {
            let wire = Wire::of(guest).await;
            tap.send(&tagged(&datagram(from, to, b"hello"), VLAN, vlan));
            assert!(wire.hears(PATIENCE, |frame| has(frame, b"hello")).await);
        }
        // A daemon that knows nothing yet leaves what carries frames.
        let next = Sandbox::driver();
        let link = || command("ip", &["-n", network.namespace(&home.id).as_str(), "-o", "link"]);
        let before = link();
        next.apply_network(&home).await.unwrap();
        assert_eq!(link(), before);
    });
}
