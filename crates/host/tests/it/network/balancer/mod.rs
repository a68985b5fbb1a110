//! A real load balancer on a real bridge.

mod forwarded;
mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use host::balancer::*;
use host::haproxy::{HaproxyBalancers, Options};
use host::names::NetnsName;
use host::plan::{Direction, PortPlan};
use host::{LoadBalancers, Network, netns};

use super::guest::{Guest, talks};
use super::plans::{any, port, tenant, uuid, with_rules};
use super::sandbox::{Sandbox, have};

/// Tells every caller who it is, and then says back what it hears.
fn server(listener: TcpListener, name: &'static str) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                if stream.write_all(name.as_bytes()).is_err() {
                    return;
                }
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn vip(network: &str, port: &PortPlan) -> LinkPlan {
    LinkPlan {
        port_id: port.id.clone(),
        network_id: network.into(),
        mac: port.mac.clone(),
        mtu: 1450,
        addresses: vec!["10.0.0.5/24".parse().unwrap()],
        routes: vec![],
    }
}

/// A network with these guests, whom everybody may speak to, and a load balancer's link to it, whose packets nobody
/// judges.
async fn scene<const N: usize>(sandbox: &Sandbox, names: [(&str, u8); N]) -> (LinkPlan, [Guest; N]) {
    let open = names.map(|(name, last)| with_rules(port(name, last), [any(Direction::Ingress)]));
    let own = PortPlan { port_security: false, rules: [].into(), ..port("vip", 5) };
    let network = tenant("net", open.iter().cloned().chain([own.clone()]).collect());
    sandbox.network.apply_network(&network).await.unwrap();
    let mut guests = Vec::with_capacity(N);
    for port in &open {
        guests.push(Guest::start(&sandbox.network, &network, port).await);
    }
    let Ok(guests) = guests.try_into() else { unreachable!("a guest for each name") };
    (vip(&network.id, &own), guests)
}

fn plan(vip: LinkPlan, members: &[u8], allowed: &[&str]) -> BalancerPlan {
    let listener = ListenerPlan {
        id: uuid("listener"),
        protocol: ListenerProtocol::Tcp,
        port: 80,
        connection_limit: None,
        default_pool: Some(uuid("pool")),
        insert_headers: vec![],
        timeout_client: 50_000,
        timeout_connect: 2_000,
        timeout_server: 50_000,
        timeout_inspect: 0,
        allowed: allowed.iter().map(|text| text.parse().unwrap()).collect(),
        policies: vec![],
        tls: None,
        forwarded: false,
    };
    let member = |last: &u8| MemberPlan {
        id: uuid(&format!("m{last}")),
        address: [10, 0, 0, *last].into(),
        port: 80,
        weight: 1,
        backup: false,
        monitor_address: None,
        monitor_port: None,
    };
    let monitor = MonitorPlan {
        kind: MonitorKind::Tcp,
        delay: 1,
        timeout: 1,
        rise: 1,
        fall: 1,
        method: String::new(),
        path: String::new(),
        expected: String::new(),
        http_version: "1.0".into(),
        domain: None,
    };
    let pool = PoolPlan {
        id: uuid("pool"),
        protocol: PoolProtocol::Tcp,
        algorithm: Algorithm::RoundRobin,
        persistence: None,
        granularity: None,
        forwarded: false,
        tls: None,
        monitor: Some(monitor),
        members: members.iter().map(member).collect(),
    };
    BalancerPlan { id: uuid("balancer"), vip, legs: vec![], listeners: vec![listener], pools: vec![pool] }
}

/// What the server says that answers.
async fn who(guest: &Guest) -> Option<String> {
    let mut stream = guest.connect("10.0.0.5:80").await?;
    let mut name = [0; 3];
    stream.read_exact(&mut name).ok()?;
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// HAProxy has given root away when it enters its jail.
fn balancers(directory: &tempfile::TempDir) -> (HaproxyBalancers, camino::Utf8PathBuf) {
    let path = camino::Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let options = Options { prefix: "test".into(), directory: path.clone(), ledger: None };
    (HaproxyBalancers::new(options).unwrap(), path)
}

/// Until the driver says so of the member.
async fn until(balancers: &HaproxyBalancers, plan: &BalancerPlan, member: &str, health: Health) {
    let key = (uuid("pool"), uuid(member));
    for _ in 0..100 {
        if balancers.observe(plan).await.unwrap().members.get(&key) == Some(&health) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{member} is never {health:?}: {:?}", balancers.observe(plan).await.unwrap());
}

/// Answers each request with the request.
fn echo(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            while !request.contains("\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(length @ 1..) => request.push_str(&String::from_utf8_lossy(&buffer[..length])),
                    _ => break,
                }
            }
            let length = request.len();
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{request}");
        }
    });
}

#[test]
fn servers_answer_in_turn_and_a_change_ends_no_connection() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let (vip, [one, two, client]) = scene(&sandbox, [("one", 11), ("two", 12), ("client", 20)]).await;
        for (guest, address, name) in [(&one, "10.0.0.11:80", "one"), (&two, "10.0.0.12:80", "two")] {
            let address: SocketAddr = address.parse().unwrap();
            server(guest.inside(move || Ok(TcpListener::bind(address).unwrap())).await, name);
        }
        let both = plan(vip.clone(), &[11, 12], &[]);
        let begun = std::time::Instant::now();
        balancers.apply(&both).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
        let mut said = Vec::new();
        for _ in 0..4 {
            said.push(who(&client).await.expect("an answer"));
        }
        assert!(said.iter().any(|s| s == "one") && said.iter().any(|s| s == "two"), "{said:?}");
        assert_ne!(said[0], said[1]);

        // A connection that is open before a change goes on after it, and none is refused in between.
        let mut long = client.connect("10.0.0.5:80").await.unwrap();
        let mut name = [0; 3];
        long.read_exact(&mut name).unwrap();
        assert!(talks(&mut long));
        let storm = client.inside(|| {
            Ok(std::thread::spawn(|| {
                // Its own thread of this namespace.
                (0..200)
                    .filter(|_| {
                        let stream = std::net::TcpStream::connect("10.0.0.5:80");
                        stream.and_then(|mut s| s.read_exact(&mut [0; 3])).is_err()
                    })
                    .count()
            }))
        });
        let storm = storm.await;
        for round in 0..4 {
            let members: &[u8] = if round % 2 == 0 { &[12] } else { &[11, 12] };
            balancers.apply(&plan(vip.clone(), members, &[])).await.unwrap();
        }
        let lost = tokio::task::spawn_blocking(move || storm.join().unwrap()).await.unwrap();
        assert_eq!(lost, 0, "connections that a change has ended");
        assert!(talks(&mut long), "the old process serves what it has");

        // A driver without memory finds all as it is.
        let again =
            HaproxyBalancers::new(Options { prefix: "test".into(), directory: path.clone(), ledger: None });
        let again = again.unwrap();
        let pid = std::fs::read_to_string(path.join(&both.id).join("haproxy.pid")).unwrap();
        again.apply(&both).await.unwrap();
        assert_eq!(std::fs::read_to_string(path.join(&both.id).join("haproxy.pid")).unwrap(), pid);
        assert!(who(&client).await.is_some());
        let view = again.observe(&both).await.unwrap();
        // Of all processes that there have been.
        assert!(view.counters[&uuid("listener")].total_connections > 200);
        assert_eq!(again.list().await.unwrap(), [both.id.as_str()]);

        // Who is down serves again when nobody looks after it any more.
        let mut watched = both.clone();
        watched.pools[0].members[1].monitor_port = Some(81);
        again.apply(&watched).await.unwrap();
        until(&again, &watched, "m12", Health::Down).await;
        for _ in 0..4 {
            assert_eq!(who(&client).await.as_deref(), Some("one"));
        }
        watched.pools[0].monitor = None;
        again.apply(&watched).await.unwrap();
        let said = [who(&client).await, who(&client).await];
        assert!(said.contains(&Some("two".into())), "{said:?}");

        // Who is not allowed is not answered.
        again.apply(&plan(vip.clone(), &[11, 12], &["192.0.2.0/24"])).await.unwrap();
        assert_eq!(who(&client).await, None);
        again.apply(&plan(vip.clone(), &[11, 12], &["10.0.0.0/24"])).await.unwrap();
        assert!(who(&client).await.is_some());

        again.remove(&both.id).await.unwrap();
        assert_eq!(who(&client).await, None);
        assert!(again.list().await.unwrap().is_empty());
        assert!(!std::path::Path::new("/run/netns/test-b-").join(&both.id).exists());
        assert!(!talks(&mut long), "nothing of it runs");
    });
}

#[test]
fn members_of_another_network_are_reached_by_a_leg() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, _) = balancers(&directory);
        let open = |name, last| with_rules(port(name, last), [any(Direction::Ingress)]);
        let bare = |name, last| PortPlan { port_security: false, rules: [].into(), ..port(name, last) };
        let (front, back) = ([open("client", 20), bare("vip", 5)], [open("one", 11), bare("leg", 6)]);
        let networks = [tenant("net", front.to_vec()), tenant("back", back.to_vec())];
        for network in &networks {
            sandbox.network.apply_network(network).await.unwrap();
        }
        let client = Guest::start(&sandbox.network, &networks[0], &front[0]).await;
        let one = Guest::start(&sandbox.network, &networks[1], &back[0]).await;
        server(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await, "one");
        // Both networks have the same addresses here: the client's half is the VIP's, the member's is the leg's.
        let mut with = plan(vip(&networks[0].id, &front[1]), &[11], &[]);
        with.vip.addresses = vec!["10.0.0.5/32".parse().unwrap()];
        with.pools[0].monitor = None;
        with.legs = vec![LinkPlan {
            addresses: vec!["10.0.0.6/28".parse().unwrap()],
            ..vip(&networks[1].id, &back[1])
        }];
        with.vip.addresses.push("10.0.0.30/28".parse().unwrap());
        balancers.apply(&with).await.unwrap();
        assert_eq!(who(&client).await.as_deref(), Some("one"));
        // Without the leg there is no way.
        let without = BalancerPlan { legs: vec![], ..with.clone() };
        balancers.apply(&without).await.unwrap();
        assert_eq!(who(&client).await, None);
        balancers.apply(&with).await.unwrap();
        assert_eq!(who(&client).await.as_deref(), Some("one"));
        balancers.remove(&with.id).await.unwrap();
    });
}

/// What answers an HTTP request to this port of the VIP.
async fn get(guest: &Guest, port: u16) -> String {
    let mut said = String::new();
    let Some(mut stream) = guest.connect(&format!("10.0.0.5:{port}")).await else { return said };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /x HTTP/1.0\r\n\r\n").unwrap();
    let _ = stream.read_to_string(&mut said);
    said
}

#[test]
fn listeners_of_tcp_and_of_http_share_a_pool() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let (vip, [one, client]) = scene(&sandbox, [("one", 11), ("client", 20)]).await;
        echo(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await);
        for kind in [MonitorKind::Tcp, MonitorKind::Ping] {
            // Nobody has the second address.
            let mut wanted = plan(vip.clone(), &[11, 12], &[]);
            wanted.pools[0].protocol = PoolProtocol::Http;
            wanted.pools[0].monitor.as_mut().unwrap().kind = kind;
            let http = ListenerPlan {
                id: uuid("http"),
                protocol: ListenerProtocol::Http,
                port: 81,
                insert_headers: vec!["X-Forwarded-For".into()],
                ..wanted.listeners[0].clone()
            };
            // The second one comes later: who looks after members must tell both.
            balancers.apply(&wanted).await.unwrap();
            wanted.listeners.push(http);
            balancers.apply(&wanted).await.unwrap();
            until(&balancers, &wanted, "m11", Health::Up).await;
            until(&balancers, &wanted, "m12", Health::Down).await;
            for _ in 0..2 {
                let (plain, looked_into) = (get(&client, 80).await, get(&client, 81).await);
                assert!(plain.contains("GET /x") && !plain.contains("10.0.0.20"), "{kind:?}: {plain}");
                assert!(looked_into.contains("GET /x") && looked_into.contains("10.0.0.20"), "{looked_into}");
            }
            let view = balancers.observe(&wanted).await.unwrap();
            assert_eq!(view.members.len(), 2);
            assert!(view.counters[&uuid("http")].total_connections >= 2);
            if kind == MonitorKind::Ping {
                let socket = path.join(&wanted.id).join("stats.sock");
                let mut socket = std::os::unix::net::UnixStream::connect(socket).unwrap();
                let mut said = String::new();
                socket.write_all(b"show stat\n").unwrap();
                socket.read_to_string(&mut said).unwrap();
                assert_eq!(said.matches("MAINT").count(), 2, "{said}");
            }
        }
        balancers.remove(&uuid("balancer")).await.unwrap();
    });
}

#[test]
fn a_change_that_could_not_start_is_not_taken_for_done() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let (vip, [one, client]) = scene(&sandbox, [("one", 11), ("client", 20)]).await;
        server(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await, "one");
        let before = plan(vip.clone(), &[11], &[]);
        balancers.apply(&before).await.unwrap();
        assert_eq!(who(&client).await.as_deref(), Some("one"));

        // Somebody has the port that the change wants.
        let namespace = NetnsName::balancer("test", &before.id);
        let holder = netns::inside(&namespace, || Ok(TcpListener::bind("10.0.0.5:81").unwrap()));
        let holder = holder.await.unwrap();
        let mut after = before.clone();
        after.listeners[0].port = 81;
        let pid = path.join(&before.id).join("haproxy.pid");
        let first = std::fs::read_to_string(&pid).unwrap();
        balancers.apply(&after).await.unwrap_err();
        balancers.apply(&after).await.unwrap_err();
        // What was there is there again, by the same process.
        balancers.apply(&before).await.unwrap();
        assert_eq!(who(&client).await.as_deref(), Some("one"));
        assert_eq!(std::fs::read_to_string(&pid).unwrap(), first);

        balancers.apply(&after).await.unwrap_err();
        drop(holder);
        // It may have taken the file along.
        std::fs::remove_file(&pid).unwrap();
        balancers.apply(&after).await.unwrap();
        let mut name = [0; 3];
        client.connect("10.0.0.5:81").await.expect("an answer").read_exact(&mut name).unwrap();
        assert_eq!(&name, b"one");
        assert_eq!(who(&client).await, None);
        balancers.remove(&before.id).await.unwrap();
    });
}
