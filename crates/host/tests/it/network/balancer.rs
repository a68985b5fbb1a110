//! A real load balancer on a real bridge.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use host::balancer::*;
use host::haproxy::{HaproxyBalancers, Options};
use host::plan::PortPlan;
use host::{LoadBalancers, Network};

use super::guest::{Guest, talks};
use super::plans::{any, port, tenant, uuid, with_rules};
use super::sandbox::{Sandbox, have};
use host::plan::Direction;

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
        tls: None,
        monitor: Some(monitor),
        members: members.iter().map(member).collect(),
        timeout_connect: 2_000,
        timeout_server: 50_000,
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

#[test]
fn servers_answer_in_turn_and_a_change_ends_no_connection() {
    if !have("haproxy", "haproxy") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let open = |name, last| with_rules(port(name, last), [any(Direction::Ingress)]);
        // The VIP's link is its driver's own.
        let own = PortPlan { port_security: false, rules: [].into(), ..port("vip", 5) };
        let ports = vec![open("one", 11), open("two", 12), open("client", 20), own.clone()];
        let network = tenant("net", ports.clone());
        sandbox.network.apply_network(&network).await.unwrap();
        let one = Guest::start(&sandbox.network, &network, &ports[0]).await;
        let two = Guest::start(&sandbox.network, &network, &ports[1]).await;
        let client = Guest::start(&sandbox.network, &network, &ports[2]).await;
        for (guest, address, name) in [(&one, "10.0.0.11:80", "one"), (&two, "10.0.0.12:80", "two")] {
            let address: SocketAddr = address.parse().unwrap();
            server(guest.inside(move || Ok(TcpListener::bind(address).unwrap())).await, name);
        }
        let both = plan(vip(&network.id, &own), &[11, 12], &[]);
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
            balancers.apply(&plan(vip(&network.id, &own), members, &[])).await.unwrap();
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
        assert!(view.counters[&uuid("listener")].total_connections > 0);
        assert_eq!(again.list().await.unwrap(), [both.id.as_str()]);

        // Who is not allowed is not answered.
        again.apply(&plan(vip(&network.id, &own), &[11, 12], &["192.0.2.0/24"])).await.unwrap();
        assert_eq!(who(&client).await, None);
        again.apply(&plan(vip(&network.id, &own), &[11, 12], &["10.0.0.0/24"])).await.unwrap();
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

/// A certificate of its own signature with its key.
fn certificate(name: &str) -> Pem {
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-keyout", "-", "-out", "-"])
        .output()
        .unwrap();
    assert!(made.status.success());
    Pem::new(String::from_utf8(made.stdout).unwrap())
}

/// What `openssl s_client` says of a call.
async fn tls(guest: &Guest, more: &'static [&'static str]) -> String {
    let said = guest.inside(move || {
        let mut client = std::process::Command::new("openssl")
            .args(["s_client", "-connect", "10.0.0.5:443", "-ign_eof"])
            .args(more)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        // Who is refused may be gone before it has asked.
        let _ = client.stdin.take().unwrap().write_all(request.as_bytes());
        Ok(String::from_utf8_lossy(&client.wait_with_output().unwrap().stdout).into_owned())
    });
    said.await
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
fn tls_ends_at_the_load_balancer() {
    if !have("haproxy", "haproxy") || !have("openssl", "openssl") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let open = |name, last| with_rules(port(name, last), [any(Direction::Ingress)]);
        let own = PortPlan { port_security: false, rules: [].into(), ..port("vip", 5) };
        let ports = vec![open("one", 11), open("client", 20), own.clone()];
        let network = tenant("net", ports.clone());
        sandbox.network.apply_network(&network).await.unwrap();
        let one = Guest::start(&sandbox.network, &network, &ports[0]).await;
        let client = Guest::start(&sandbox.network, &network, &ports[1]).await;
        echo(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await);

        let mut wanted = plan(vip(&network.id, &own), &[11], &[]);
        let listener = &mut wanted.listeners[0];
        listener.protocol = ListenerProtocol::TerminatedHttps;
        listener.port = 443;
        listener.insert_headers =
            vec!["X-Forwarded-Proto".into(), "X-Forwarded-For".into(), "X-SSL-Client-Has-Cert".into()];
        let ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
        let usual = TlsPlan {
            certificates: vec![certificate("a.example"), certificate("b.example")],
            ciphers: ciphers.into(),
            versions: vec!["TLSv1.2".into(), "TLSv1.3".into()],
            alpn: vec!["http/1.1".into()],
            strict: Some("max-age=60; preload".into()),
            ..TlsPlan::default()
        };
        listener.tls = Some(usual.clone());
        balancers.apply(&wanted).await.unwrap();

        let said = tls(&client, &[]).await;
        for words in [
            "subject=CN = a.example",
            "X-Forwarded-Proto: https",
            "x-forwarded-for: 10.0.0.20",
            "max-age=60; preload",
        ] {
            assert!(said.to_lowercase().contains(&words.to_lowercase()), "{words} in {said}");
        }
        assert!(tls(&client, &["-servername", "b.example"]).await.contains("subject=CN = b.example"));
        assert!(!tls(&client, &["-tls1_1"]).await.contains("X-Forwarded-Proto"));

        // Keys are root's alone, and what is not used any more is gone.
        let below = path.join(&wanted.id).join("tls");
        let files = || std::fs::read_dir(&below).unwrap().map(Result::unwrap);
        assert_eq!(files().count(), 2);
        for file in files() {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        let authority = certificate("signer.example");
        wanted.listeners[0].tls = Some(TlsPlan {
            certificates: vec![certificate("c.example")],
            authority: Some(authority),
            verify: Verify::Required,
            ..usual
        });
        balancers.apply(&wanted).await.unwrap();
        assert_eq!(files().count(), 2);
        let said = tls(&client, &[]).await;
        assert!(said.contains("subject=CN = c.example") && !said.contains("X-Forwarded-Proto"), "{said}");
        balancers.remove(&wanted.id).await.unwrap();
        assert!(!below.exists());
    });
}
