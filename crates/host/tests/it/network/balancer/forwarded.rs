//! What the kernel passes on by itself.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use host::LoadBalancers;
use host::balancer::*;

use super::{balancers, plan, scene, server, until, who};
use crate::network::guest::Guest;
use crate::network::plans::uuid;
use crate::network::sandbox::{Sandbox, have};

/// Who answers a datagram to the VIP. `source`: from which port.
async fn datagram(guest: &Guest, source: u16) -> Option<String> {
    let said = guest.inside(move || {
        let socket = UdpSocket::bind(("10.0.0.20", source)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let mut name = [0; 3];
        let heard = socket.send_to(b"who", "10.0.0.5:53").and_then(|_| socket.recv(&mut name));
        Ok(heard.is_ok().then(|| String::from_utf8_lossy(&name).into_owned()))
    });
    said.await
}

fn answers(socket: UdpSocket, name: &'static str) -> std::sync::Arc<std::sync::atomic::AtomicBool> {
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            if let Ok((_, from)) = socket.recv_from(&mut [0; 64]) {
                let _ = socket.send_to(name.as_bytes(), from);
            }
        }
    });
    stop
}

#[test]
fn the_kernel_passes_datagrams_on() {
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, _) = balancers(&directory);
        let (vip, [one, two, client]) = scene(&sandbox, [("one", 11), ("two", 12), ("client", 20)]).await;
        answers(one.inside(|| Ok(UdpSocket::bind("10.0.0.11:53").unwrap())).await, "one");
        let second = answers(two.inside(|| Ok(UdpSocket::bind("10.0.0.12:53").unwrap())).await, "two");

        let mut wanted = plan(vip.clone(), &[11, 12], &[]);
        wanted.listeners[0] = ListenerPlan {
            protocol: ListenerProtocol::Udp,
            port: 53,
            forwarded: true,
            ..wanted.listeners[0].clone()
        };
        wanted.pools[0].protocol = PoolProtocol::Udp;
        wanted.pools[0].forwarded = true;
        wanted.pools[0].members.iter_mut().for_each(|member| member.port = 53);
        wanted.pools[0].monitor.as_mut().unwrap().kind = MonitorKind::UdpConnect;
        balancers.apply(&wanted).await.unwrap();
        until(&balancers, &wanted, "m12", Health::Up).await;
        let mut said = Vec::new();
        for source in 4000..4004 {
            said.push(datagram(&client, source).await.expect("an answer"));
        }
        assert!(said.iter().filter(|name| *name == "one").count() == 2, "{said:?}");
        // Who speaks from the same port speaks to the same member.
        assert_eq!(datagram(&client, 4000).await.as_ref(), Some(&said[0]));
        let counters = balancers.observe(&wanted).await.unwrap().counters[&uuid("listener")];
        assert_eq!((counters.total_connections, counters.active_connections), (4, 4));
        assert!(counters.bytes_in == counters.bytes_out && counters.bytes_in > 0, "{counters:?}");

        // One that is gone gets nothing, and whom it has served is served by the other.
        second.store(true, std::sync::atomic::Ordering::Relaxed);
        until(&balancers, &wanted, "m12", Health::Down).await;
        for source in 4000..4004 {
            assert_eq!(datagram(&client, source).await.as_deref(), Some("one"));
        }
        // Counters outlive changes.
        wanted.listeners[0].allowed = vec!["192.0.2.0/24".parse().unwrap()];
        balancers.apply(&wanted).await.unwrap();
        assert_eq!(datagram(&client, 5000).await, None);
        let after = balancers.observe(&wanted).await.unwrap().counters[&uuid("listener")];
        assert!(after.total_connections >= counters.total_connections, "{after:?}");
        wanted.listeners[0].allowed.clear();
        balancers.apply(&wanted).await.unwrap();

        // Who is down serves again when nobody looks after it any more.
        let monitor = wanted.pools[0].monitor.take();
        balancers.apply(&wanted).await.unwrap();
        let mut said = Vec::new();
        for source in 5100..5104 {
            said.push(datagram(&client, source).await);
        }
        assert!(said.contains(&None) && said.contains(&Some("one".into())), "{said:?}");
        wanted.pools[0].monitor = monitor;
        balancers.apply(&wanted).await.unwrap();

        // The same source is the same slot, whatever its port.
        answers(two.inside(|| Ok(UdpSocket::bind("10.0.0.12:53").unwrap())).await, "two");
        until(&balancers, &wanted, "m12", Health::Up).await;
        wanted.pools[0].persistence = Some(Persistence::SourceIp);
        balancers.apply(&wanted).await.unwrap();
        let first = datagram(&client, 6000).await.expect("an answer");
        for source in 6001..6006 {
            assert_eq!(datagram(&client, source).await.as_ref(), Some(&first));
        }
        balancers.remove(&wanted.id).await.unwrap();
        assert_eq!(datagram(&client, 7000).await, None);
    });
}

#[test]
fn the_kernel_passes_connections_on_and_members_are_pinged() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, _) = balancers(&directory);
        let (vip, [one, client]) = scene(&sandbox, [("one", 11), ("client", 20)]).await;
        server(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await, "one");
        for forwarded in [true, false] {
            // Nobody has the second address.
            let mut wanted = plan(vip.clone(), &[11, 12], &[]);
            wanted.listeners[0].forwarded = forwarded;
            wanted.pools[0].forwarded = forwarded;
            wanted.pools[0].monitor.as_mut().unwrap().kind = MonitorKind::Ping;
            balancers.apply(&wanted).await.unwrap();
            until(&balancers, &wanted, "m11", Health::Up).await;
            until(&balancers, &wanted, "m12", Health::Down).await;
            for _ in 0..4 {
                assert_eq!(who(&client).await.as_deref(), Some("one"), "forwarded: {forwarded}");
            }
        }
        balancers.remove(&uuid("balancer")).await.unwrap();
    });
}
