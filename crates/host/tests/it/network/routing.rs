//! Routers: translation, floating addresses, and what must not pass.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};

use host::Network;
use host::plan::*;

use super::guest::{connect, echo, talks};
use super::plans::*;
use super::sandbox::{command, try_command};
use super::{Guest, Sandbox};

fn open(name: &str, last: u8) -> PortPlan {
    with_rules(port(name, last), [any(Direction::Ingress)])
}

/// The address that a connection to the host seems to come from.
async fn seen_by_host(guest: &Guest, listener: &TcpListener) -> Option<String> {
    let mut stream = guest.connect(&listener.local_addr().unwrap().to_string()).await?;
    stream.write_all(b"x").unwrap();
    Some(listener.accept().unwrap().1.ip().to_string())
}

#[test]
fn translation_and_floating_addresses() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let plan = tenant("net", vec![open("a", 11), open("b", 12)]);
        network.apply_network(&plan).await.unwrap();
        network.apply_router(&router("rtr", &plan, 5, &[])).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let b = Guest::start(&network, &plan, &plan.ports[1]).await;
        let listener = TcpListener::bind("198.51.100.1:8080").unwrap();
        assert_eq!(seen_by_host(&a, &listener).await.as_deref(), Some("198.51.100.5"));

        // Nobody outside reaches a tenant's own addresses.
        a.echo("10.0.0.11:22").await;
        b.echo("10.0.0.12:22").await;
        command("ip", &["route", "add", "10.0.0.0/24", "via", "198.51.100.5"]);
        assert!(connect("10.0.0.11:22".parse().unwrap()).is_none());
        command("ip", &["route", "del", "10.0.0.0/24"]);

        network.apply_router(&router("rtr", &plan, 5, &[(7, 11), (8, 12)])).await.unwrap();
        let mut ssh = connect("198.51.100.7:22".parse().unwrap()).expect("a floating address");
        assert!(talks(&mut ssh));
        assert_eq!(seen_by_host(&a, &listener).await.as_deref(), Some("198.51.100.7"));
        // From inside, from the same subnet, and to itself.
        for (guest, address) in [(&a, "198.51.100.8:22"), (&b, "198.51.100.7:22"), (&a, "198.51.100.7:22")] {
            let mut stream = guest.connect(address).await.unwrap_or_else(|| panic!("{address} from inside"));
            assert!(talks(&mut stream), "{address}");
        }

        // The address moves to the other machine at once; what went to the first is cut.
        network.apply_router(&router("rtr", &plan, 5, &[(7, 12)])).await.unwrap();
        assert!(!talks(&mut ssh));
        let mut moved = connect("198.51.100.7:22".parse().unwrap()).expect("it moved");
        assert!(talks(&mut moved));
        assert_eq!(moved_to(&b).await, 1);
        // And a machine without a floating address reaches it too.
        let mut stream = a.connect("198.51.100.7:22").await.expect("from inside");
        assert!(talks(&mut stream));

        network.apply_router(&router("rtr", &plan, 5, &[])).await.unwrap();
        assert!(!talks(&mut moved));
        assert!(connect("198.51.100.7:22".parse().unwrap()).is_none());
        assert_eq!(seen_by_host(&a, &listener).await.as_deref(), Some("198.51.100.5"));
    });
}

async fn moved_to(guest: &Guest) -> usize {
    let listing = guest.run("ss", &["-Htn", "state", "established", "sport", "=", ":22"]).await;
    listing.lines().filter(|line| line.contains("198.51.100.1")).count()
}

#[test]
fn forwarded_ports_and_limits_of_a_floating_address() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let net = tenant("net", vec![open("a", 11), open("b", 12)]);
        network.apply_network(&net).await.unwrap();
        let a = Guest::start(&network, &net, &net.ports[0]).await;
        let b = Guest::start(&network, &net, &net.ports[1]).await;
        let forward = |to: u8, external_ports, internal_ports| ForwardingPlan {
            id: String::new(),
            floating: [198, 51, 100, 9].into(),
            protocol: Protocol::TCP,
            external_ports,
            internal: [10, 0, 0, to].into(),
            internal_ports,
        };
        let mut plan = router("rtr", &net, 5, &[]);
        plan.forwardings = vec![
            forward(11, (2201, 2201), (22, 22)),
            forward(12, (2202, 2202), (22, 22)),
            forward(11, (8000, 8002), (8000, 8002)),
            forward(11, (9000, 9002), (8000, 8002)),
            forward(12, (7000, 7009), (22, 22)),
        ];
        network.apply_router(&plan).await.unwrap();
        a.echo("10.0.0.11:22").await;
        b.echo("10.0.0.12:22").await;
        a.echo("10.0.0.11:8001").await;
        let at = |port: u16| connect(format!("198.51.100.9:{port}").parse().unwrap());
        let mut first = at(2201).expect("one port");
        assert!(talks(&mut first));
        for (port, guest) in [(2202, &b), (8001, &a), (9001, &a), (7005, &b)] {
            let mut stream = at(port).unwrap_or_else(|| panic!("{port}"));
            assert!(talks(&mut stream), "{port}");
            let seen = guest.run("ss", &["-Htn", "state", "established"]).await;
            assert!(seen.contains("198.51.100.1:"), "{port}: {seen}");
        }
        assert!(at(22).is_none() && at(2203).is_none() && at(8003).is_none());
        let mut inside = b.connect("198.51.100.9:2201").await.expect("from inside");
        assert!(talks(&mut inside));

        // Led elsewhere, what went the old way is cut.
        plan.forwardings[0].internal = [10, 0, 0, 12].into();
        network.apply_router(&plan).await.unwrap();
        assert!(!talks(&mut first));
        assert!(talks(&mut at(2201).expect("the other machine")));

        // A megabit a second with a burst of a packet: some of ten times as much must be lost, both ways.
        let slow = Some(Rate { kilobits: 1000, burst_kilobits: 8 });
        let mut limited = router("rtr", &net, 5, &[(7, 11)]);
        limited.floating_ips[0].qos = QosPlan { ingress: slow, egress: slow, ..QosPlan::default() };
        network.apply_router(&limited).await.unwrap();
        let (near, far) = (a.udp("10.0.0.11:5000").await, UdpSocket::bind("198.51.100.1:5000").unwrap());
        far.set_read_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
        for (from, to, address) in [(&near, &far, "198.51.100.1:5000"), (&far, &near, "198.51.100.7:5000")] {
            for _ in 0..500 {
                from.send_to(&[0; 1200], address).unwrap();
            }
            let mut received = 0;
            while to.recv(&mut [0; 1500]).is_ok() {
                received += 1;
            }
            assert!((20..300).contains(&received), "{received} of 500 towards {address}");
        }
    });
}

#[test]
fn two_tenants_with_the_same_addresses_meet_only_by_floating_ones() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let mut guests = Vec::new();
        for (name, machine, router_name, last, floating) in
            [("red", "r", "rr", 5, (7, 11)), ("blue", "b", "rb", 6, (8, 11))]
        {
            let plan = tenant(name, vec![open(machine, 11)]);
            network.apply_network(&plan).await.unwrap();
            network.apply_router(&router(router_name, &plan, last, &[floating])).await.unwrap();
            let guest = Guest::start(&network, &plan, &plan.ports[0]).await;
            guest.echo("10.0.0.11:22").await;
            guests.push(guest);
        }
        let mut stream =
            guests[0].connect("198.51.100.8:22").await.expect("the other tenant's floating address");
        assert!(talks(&mut stream));
        assert_eq!(moved_to_from(&guests[1], "198.51.100.7").await, 1);

        // A floating address moves from one router to the other; the host must learn its new MAC.
        let mut before = connect("198.51.100.7:22".parse().unwrap()).unwrap();
        assert!(talks(&mut before));
        let (red, blue) = (tenant("red", vec![]), tenant("blue", vec![]));
        network.apply_router(&router("rr", &red, 5, &[])).await.unwrap();
        network.apply_router(&router("rb", &blue, 6, &[(7, 11)])).await.unwrap();
        let mut after = None::<TcpStream>;
        for _ in 0..4 {
            after = after.or_else(|| connect("198.51.100.7:22".parse().unwrap()));
        }
        assert!(talks(&mut after.expect("the host learnt where the address is now")));
    });
}

async fn moved_to_from(guest: &Guest, peer: &str) -> usize {
    let listing = guest.run("ss", &["-Htn", "state", "established", "sport", "=", ":22"]).await;
    listing.lines().filter(|line| line.contains(peer)).count()
}

#[test]
fn without_source_nat_addresses_stay_what_they_are() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let plan = tenant("net", vec![open("a", 11)]);
        network.apply_network(&plan).await.unwrap();
        let mut routed = router("rtr", &plan, 5, &[]);
        routed.gateway.as_mut().unwrap().enable_snat = false;
        network.apply_router(&routed).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        command("ip", &["route", "add", "10.0.0.0/24", "via", "198.51.100.5"]);
        let listener = TcpListener::bind("198.51.100.1:8080").unwrap();
        assert_eq!(seen_by_host(&a, &listener).await.as_deref(), Some("10.0.0.11"));
        assert!(try_command("ping", &["-c1", "-W1", "10.0.0.11"]).0);

        network.apply_router(&RouterPlan { admin_up: false, ..routed }).await.unwrap();
        assert!(!try_command("ping", &["-c1", "-W1", "10.0.0.11"]).0);
    });
}

#[test]
fn two_networks_and_extra_routes() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let near = tenant("net", vec![open("a", 11), PortPlan { port_security: false, ..open("b", 12) }]);
        network.apply_network(&near).await.unwrap();
        let mut far_port = open("c", 13);
        far_port.fixed_ips[0].1 = [10, 0, 1, 13].into();
        let far = tenant("far", vec![far_port]);
        network.apply_network(&far).await.unwrap();
        let mut plan = router("rtr", &near, 5, &[]);
        let mut second = plan.interfaces[0].clone();
        second.port_id = uuid("second");
        second.network_id = far.id.clone();
        second.addresses = vec!["10.0.1.1/24".parse().unwrap()];
        plan.interfaces.push(second);
        plan.routes = vec![("10.77.0.0/16".parse().unwrap(), "10.0.0.12".parse().unwrap())];
        network.apply_router(&plan).await.unwrap();
        let a = Guest::start(&network, &near, &near.ports[0]).await;
        let b = Guest::start(&network, &near, &near.ports[1]).await;
        let c = Guest::plug(&network, &far, &far.ports[0]).await;
        c.address("10.0.1.13/24").await;
        c.run("ip", &["route", "add", "default", "via", "10.0.1.1"]).await;
        assert!(a.pings("10.0.1.13").await, "between the router's networks");
        b.run("ip", &["address", "add", "10.77.0.1/32", "dev", "lo"]).await;
        assert!(c.pings("10.77.0.1").await, "by the extra route");
        plan.routes.clear();
        network.apply_router(&plan).await.unwrap();
        assert!(!c.pings("10.77.0.1").await);
    });
}

#[test]
fn between_two_subnets_of_one_network_every_packet_passes_twice() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        network.apply_network(&external(vec![])).await.unwrap();
        let mut far = with_rules(port("c", 13), [ingress(Protocol::TCP, 22)]);
        far.fixed_ips[0].1 = [10, 0, 1, 13].into();
        let plan = tenant("net", vec![port("a", 11), far]);
        network.apply_network(&plan).await.unwrap();
        let mut both = router("rtr", &plan, 5, &[]);
        let mut second = both.interfaces[0].clone();
        second.port_id = uuid("second");
        second.mac = "fa:16:3e:00:00:fe".into();
        second.addresses = vec!["10.0.1.1/24".parse().unwrap()];
        both.interfaces.push(second);
        network.apply_router(&both).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        let c = Guest::plug(&network, &plan, &plan.ports[1]).await;
        c.address("10.0.1.13/24").await;
        c.run("ip", &["route", "add", "default", "via", "10.0.1.1"]).await;
        c.echo("10.0.1.13:22").await;
        c.echo("10.0.1.13:23").await;
        let mut ssh = a.connect("10.0.1.13:22").await.expect("between subnets");
        assert!(talks(&mut ssh) && talks(&mut ssh));
        assert!(a.connect("10.0.1.13:23").await.is_none());
        assert!(!a.pings("10.0.1.13").await);
    });
}

#[test]
fn the_hosts_own_traffic_is_translated_on_its_way_out() {
    Sandbox::run(async |sandbox: Sandbox| {
        let network = sandbox.network;
        // A world beyond the host.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        command("ip", &["netns", "add", "world"]);
        command("ip", &["link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "world"]);
        command("ip", &["address", "add", "203.0.113.1/24", "dev", "up0"]);
        command("ip", &["link", "set", "up0", "up"]);
        command("ip", &["-n", "world", "address", "add", "203.0.113.2/24", "dev", "eth0"]);
        command("ip", &["-n", "world", "link", "set", "eth0", "up"]);
        network.apply_network(&external(vec![])).await.unwrap();
        let plan = tenant("net", vec![open("a", 11)]);
        network.apply_network(&plan).await.unwrap();
        network.apply_router(&router("rtr", &plan, 5, &[])).await.unwrap();
        let a = Guest::start(&network, &plan, &plan.ports[0]).await;
        assert!(a.pings("203.0.113.2").await);
        let listener = TcpListener::bind("198.51.100.1:8080").unwrap();
        assert_eq!(
            seen_by_host(&a, &listener).await.as_deref(),
            Some("198.51.100.5"),
            "not for the host itself"
        );
        echo(listener);
    });
}
