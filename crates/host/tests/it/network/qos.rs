//! Limits that limit.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use host::Network;
use host::plan::*;

use super::frames::Wire;
use super::plans::*;
use super::sandbox::command;
use super::{Guest, Sandbox};

fn open(name: &str, last: u8) -> PortPlan {
    with_rules(port(name, last), [any(Direction::Ingress)])
}

/// Megabits a second of one connection, over two seconds and without its beginning.
async fn speed(from: &Guest, to: &Guest, address: &'static str) -> f64 {
    let address: SocketAddr = address.parse().unwrap();
    let listener = to.inside(move || Ok(TcpListener::bind(address).unwrap())).await;
    let sender = from.inside(move || Ok(TcpStream::connect(address).unwrap())).await;
    let (mut receiver, _) = listener.accept().unwrap();
    std::thread::spawn(move || {
        let mut sender = sender;
        while sender.write_all(&[0; 16384]).is_ok() {}
    });
    let mut buffer = [0; 65536];
    let mut count = |time: Duration| {
        let (end, mut total) = (Instant::now() + time, 0);
        while Instant::now() < end {
            total += receiver.read(&mut buffer).unwrap();
        }
        total
    };
    count(Duration::from_millis(500));
    let seconds = 2.0;
    count(Duration::from_secs_f64(seconds)) as f64 * 8.0 / seconds / 1e6
}

#[test]
fn a_machine_gets_and_sends_as_much_as_its_policy_says() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let mut drifts = network.drifts();
        let rate = |kilobits| Some(Rate { kilobits, burst_kilobits: 0 });
        let with = |ingress, egress| PortPlan {
            qos: QosPlan { ingress, egress, ..QosPlan::default() },
            ..open("a", 11)
        };
        let limited = tenant("net", vec![with(rate(20_000), rate(10_000)), open("b", 12)]);
        network.apply_network(&limited).await.unwrap();
        // The tap comes after the plan; that it is there is told, and it is limited then.
        let a = Guest::start(&network, &limited, &limited.ports[0]).await;
        let b = Guest::start(&network, &limited, &limited.ports[1]).await;
        tokio::time::timeout(Duration::from_secs(5), drifts.recv()).await.unwrap().unwrap();
        network.apply_network(&limited).await.unwrap();
        let near = |measured: f64, wanted: f64| (wanted * 0.75..wanted * 1.15).contains(&measured);
        let sends = speed(&a, &b, "10.0.0.12:5001").await;
        let gets = speed(&b, &a, "10.0.0.11:5001").await;
        assert!(near(sends, 10.0) && near(gets, 20.0), "sends {sends}, gets {gets} Mbit/s");

        // Another policy, and none.
        let other = tenant("net", vec![with(None, rate(30_000)), open("b", 12)]);
        network.apply_network(&other).await.unwrap();
        let (sends, gets) = (speed(&a, &b, "10.0.0.12:5002").await, speed(&b, &a, "10.0.0.11:5002").await);
        assert!(near(sends, 30.0) && gets > 100.0, "sends {sends}, gets {gets} Mbit/s");
        let free = tenant("net", vec![open("a", 11), open("b", 12)]);
        network.apply_network(&free).await.unwrap();
        assert!(speed(&a, &b, "10.0.0.12:5003").await > 100.0);
        let namespace = network.namespace(&free.id);
        let left = command("ip", &["netns", "exec", namespace.as_str(), "tc", "qdisc", "show"]);
        assert!(!left.contains("tbf") && !left.contains("ingress") && !left.contains("ifb"), "{left}");
    });
}

/// How many of 600 packets that are sent at once arrive, and how long sending and hearing took.
fn arriving(from: &UdpSocket, to: &UdpSocket, address: &str) -> (usize, Duration) {
    let begin = Instant::now();
    to.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let (mut heard, mut buffer) = (0, [0; 64]);
    let mut hear = |heard: &mut usize| {
        while to.recv(&mut buffer).is_ok() {
            *heard += 1;
        }
    };
    for n in 0..600 {
        from.send_to(b"one of many", address).unwrap();
        // Its socket's buffer is short.
        if n % 50 == 49 {
            hear(&mut heard);
        }
    }
    to.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    hear(&mut heard);
    (heard, begin.elapsed())
}

#[test]
fn packets_are_counted_both_ways_and_refused_ones_use_up_nothing() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let rate = |per_second, burst| Some(PacketRate { per_second, burst });
        let with = |egress_packets, ingress_packets, name, last| {
            let qos = QosPlan { egress_packets, ingress_packets, ..QosPlan::default() };
            PortPlan { qos, ..open(name, last) }
        };
        let plan = |a: PortPlan| tenant("net", vec![a, open("b", 12)]);
        let free = plan(open("a", 11));
        network.apply_network(&free).await.unwrap();
        let a = Guest::start(&network, &free, &free.ports[0]).await;
        let b = Guest::start(&network, &free, &free.ports[1]).await;
        let (from_a, from_b) = (a.udp("10.0.0.11:999").await, b.udp("10.0.0.12:999").await);
        assert_eq!(arriving(&from_a, &from_b, "10.0.0.12:999").0, 600);

        let within = |(heard, time): (usize, Duration), per_second: f64, burst: usize| {
            let most = burst + (time.as_secs_f64() * per_second) as usize + 1;
            assert!((burst..=most).contains(&heard), "{heard} of at most {most} in {time:?}");
        };
        network.apply_network(&plan(with(rate(50, 20), None, "a", 11))).await.unwrap();
        within(arriving(&from_a, &from_b, "10.0.0.12:999"), 50.0, 20);
        assert_eq!(arriving(&from_b, &from_a, "10.0.0.11:999").0, 600);
        network.apply_network(&plan(with(None, rate(100, 30), "a", 11))).await.unwrap();
        within(arriving(&from_b, &from_a, "10.0.0.11:999"), 100.0, 30);
        assert_eq!(arriving(&from_a, &from_b, "10.0.0.12:999").0, 600);

        // What its groups refuse does not keep from it what they let in.
        let qos = QosPlan { ingress_packets: rate(1, 5), ..QosPlan::default() };
        let closed = PortPlan { qos, ..port("a", 11) };
        network.apply_network(&plan(closed)).await.unwrap();
        assert_eq!(arriving(&from_b, &from_a, "10.0.0.11:998").0, 0);
        from_a.send_to(b"a question", "10.0.0.12:999").unwrap();
        from_b.send_to(b"its answer", "10.0.0.11:999").unwrap();
        let mut buffer = [0; 64];
        from_a.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        assert_eq!(from_a.recv(&mut buffer).unwrap(), 10);
        network.apply_network(&free).await.unwrap();
        assert_eq!(arriving(&from_b, &from_a, "10.0.0.11:999").0, 600);
    });
}

#[test]
fn what_a_machine_sends_is_marked_as_its_policy_says() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        let with = |dscp| {
            let mut a = open("a", 11);
            a.qos.dscp = dscp;
            tenant("net", vec![a, open("b", 12)])
        };
        let plan = with(None);
        network.apply_network(&plan).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let b = Guest::start(&network, &plan, &plan.ports[1]).await;
        let (from_a, from_b) = (a.udp("10.0.0.11:999").await, b.udp("10.0.0.12:999").await);
        let (at_a, at_b) = (Wire::of(&a).await, Wire::of(&b).await);
        let marked = |dscp: u8, last: u8| {
            move |frame: &[u8]| {
                frame[12..14] == [8, 0]
                    && frame[15] >> 2 == dscp
                    && frame[29] == last
                    && frame.ends_with(b"data")
            }
        };
        let patience = Duration::from_secs(2);
        // None at first, then one, another, and none again.
        for dscp in [None, Some(26), Some(46), None] {
            network.apply_network(&with(dscp)).await.unwrap();
            at_b.drain();
            from_a.send_to(b"a marked packet: data", "10.0.0.12:998").unwrap();
            assert!(at_b.hears(patience, marked(dscp.unwrap_or(0), 11)).await, "{dscp:?}");
        }
        network.apply_network(&with(Some(26))).await.unwrap();
        at_a.drain();
        from_b.send_to(b"what comes to it is not: data", "10.0.0.11:998").unwrap();
        assert!(at_a.hears(patience, marked(0, 12)).await);
    });
}
