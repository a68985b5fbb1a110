use crate::balancer::*;

fn plan() -> BalancerPlan {
    let listener = ListenerPlan {
        id: "listener-http".into(),
        protocol: ListenerProtocol::Http,
        port: 80,
        connection_limit: Some(100),
        default_pool: Some("pool-a".into()),
        insert_headers: vec!["X-Forwarded-For".into(), "X-Forwarded-Port".into()],
        timeout_client: 50_000,
        timeout_connect: 5_000,
        timeout_server: 50_000,
        timeout_inspect: 0,
        tls: None,
        forwarded: false,
        allowed: vec!["10.0.0.0/24".parse().unwrap()],
        policies: vec![
            PolicyPlan {
                id: "reject".into(),
                action: PolicyAction::Reject,
                rules: vec![RuleMatch {
                    kind: "HEADER".into(),
                    compare: "EQUAL_TO".into(),
                    key: "X-Kind".into(),
                    value: "\"two words\"".into(),
                    invert: true,
                }],
            },
            PolicyPlan {
                id: "pool".into(),
                action: PolicyAction::ToPool("pool-b".into()),
                rules: vec![
                    RuleMatch {
                        kind: "HOST_NAME".into(),
                        compare: "REGEX".into(),
                        key: String::new(),
                        value: r"^a\.b #$".into(),
                        invert: false,
                    },
                    RuleMatch {
                        kind: "FILE_TYPE".into(),
                        compare: "EQUAL_TO".into(),
                        key: String::new(),
                        value: "jpg".into(),
                        invert: false,
                    },
                ],
            },
            PolicyPlan {
                id: "url".into(),
                action: PolicyAction::ToUrl("https://example.org/%20?a=b".into(), 301),
                rules: vec![RuleMatch {
                    kind: "PATH".into(),
                    compare: "STARTS_WITH".into(),
                    key: String::new(),
                    value: "/old".into(),
                    invert: false,
                }],
            },
        ],
    };
    let tcp = ListenerPlan {
        id: "listener-tcp".into(),
        protocol: ListenerProtocol::Tcp,
        port: 6443,
        connection_limit: None,
        default_pool: Some("pool-c".into()),
        insert_headers: vec![],
        allowed: vec![],
        policies: vec![],
        timeout_inspect: 10,
        ..listener.clone()
    };
    let member = |id: &str, last: u8| MemberPlan {
        id: id.into(),
        address: [10, 0, 0, last].into(),
        port: 8080,
        weight: 1,
        backup: last == 9,
        monitor_address: None,
        monitor_port: (last == 9).then_some(9090),
    };
    let monitor = MonitorPlan {
        kind: MonitorKind::Http,
        delay: 5,
        timeout: 3,
        rise: 2,
        fall: 3,
        method: "GET".into(),
        path: "/health".into(),
        expected: "200-202".into(),
        http_version: "1.1".into(),
        domain: Some("example.org".into()),
    };
    let pool = PoolPlan {
        id: "pool-a".into(),
        protocol: PoolProtocol::Http,
        algorithm: Algorithm::RoundRobin,
        persistence: Some(Persistence::HttpCookie),
        granularity: None,
        forwarded: false,
        tls: None,
        monitor: Some(monitor.clone()),
        members: vec![member("one", 8), member("two", 9)],
    };
    let b = PoolPlan {
        id: "pool-b".into(),
        algorithm: Algorithm::SourceIp,
        persistence: Some(Persistence::AppCookie("JSESSIONID".into())),
        monitor: None,
        tls: Some(TlsPlan::default()),
        ..pool.clone()
    };
    let c = PoolPlan {
        id: "pool-c".into(),
        protocol: PoolProtocol::ProxyV2,
        algorithm: Algorithm::LeastConnections,
        persistence: Some(Persistence::SourceIp),
        monitor: Some(MonitorPlan { kind: MonitorKind::TlsHello, ..monitor }),
        ..pool.clone()
    };
    BalancerPlan {
        id: "3fa85f64-5717-4562-b3fc-2c963f66afa6".into(),
        vip: LinkPlan { addresses: vec!["10.0.0.5/24".parse().unwrap()], ..LinkPlan::default() },
        legs: vec![],
        listeners: vec![listener, tcp],
        pools: vec![pool, b, c],
    }
}

#[test]
fn configuration() {
    insta::assert_snapshot!(super::config::render(&plan(), "/data/balancers/lb", 50_000).unwrap());
}

#[test]
fn what_a_listener_does_shows_in_its_pool() {
    let mut plan = plan();
    plan.listeners[0].protocol = ListenerProtocol::TerminatedHttps;
    plan.listeners[0].tls = Some(TlsPlan { certificates: vec![Pem::new("PEM")], ..TlsPlan::default() });
    plan.listeners[0].default_pool = Some("pool-c".into());
    plan.pools[2].algorithm = Algorithm::SourceIpPort;
    plan.pools[1].tls = Some(TlsPlan { alpn: vec!["h2".into(), "http/1.1".into()], ..TlsPlan::default() });
    plan.pools[1].monitor = plan.pools[0].monitor.clone();
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    assert_eq!(
        text.matches("tcp-request connection set-var(sess.source_port) src_port\n").count(),
        2,
        "{text}"
    );
    assert!(text.contains("balance hash src,concat(:,sess.source_port)\n"), "{text}");
    assert!(text.contains(" send-proxy-v2-ssl-cn check "), "{text}");
    assert!(text.contains(" check inter 5s fall 3 rise 2 check-alpn h2,http/1.1"), "{text}");
}

#[test]
fn a_check_asks_what_it_is_told_to_ask() {
    let mut plan = plan();
    let monitor = plan.pools[0].monitor.as_mut().unwrap();
    monitor.kind = MonitorKind::Https;
    monitor.path = "/a%20b".into();
    let servers = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("server two "));
        lines.map(ToOwned::to_owned).next().unwrap()
    };
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    // It is no format.
    assert!(text.contains("http-check send meth GET uri /a%20b ver HTTP/1.1"), "{text}");
    assert!(servers(&text).contains(" port 9090 check-ssl verify none"), "{text}");
    assert_eq!(judged(&text), Ok(()));

    // Of another port, it would be clear text.
    plan.pools[0].tls = Some(TlsPlan::default());
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    assert!(servers(&text).contains(" ssl verify none sni ssl_fc_sni check "), "{text}");
    assert!(servers(&text).contains(" port 9090 check-ssl"), "{text}");
    assert_eq!(judged(&text), Ok(()));

    // Who must have signed what members show must have signed what they show to a check.
    let authority = Some(Pem::new("PEM"));
    plan.pools[0].tls = Some(TlsPlan { authority, verify: Verify::Required, ..TlsPlan::default() });
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    let server = servers(&text);
    assert!(server.contains(" check-ssl") && server.contains(" verify required"), "{text}");
    assert!(!server.contains("verify none"), "{text}");
}

/// HAProxy's own word on a configuration. Files that it names are not there.
fn judged(text: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("haproxy.cfg");
    std::fs::write(&path, text).unwrap();
    match std::process::Command::new("haproxy").arg("-c").arg("-f").arg(&path).output() {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => Err(format!("{}\n{text}", String::from_utf8_lossy(&said.stderr))),
        Err(error) => {
            eprintln!("skipped: haproxy cannot be run: {error}");
            Ok(())
        }
    }
}

/// The words of a line, as HAProxy tells them apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut letters, mut is_quoted) = (line.chars(), false);
    while let Some(c) = letters.next() {
        let word = words.last_mut().unwrap();
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' => word.extend(letters.next()),
            '#' if !is_quoted => break,
            ' ' if !is_quoted => words.push(String::new()),
            c => word.push(c),
        }
    }
    words
}

#[test]
fn what_users_write_ends_no_word_and_no_line() {
    let evil = "x\n    agent-check agent-check \t} ),#'\"\\%[src] %{+Q}T $HOME \r agent-check";
    let mut plan = plan();
    let listener = &mut plan.listeners[0];
    for policy in &mut listener.policies {
        match &mut policy.action {
            PolicyAction::ToUrl(url, _) | PolicyAction::ToPrefix(url, _) => *url = evil.into(),
            _ => {}
        }
        let kinds = ["HOST_NAME", "PATH", "FILE_TYPE", "HEADER", "COOKIE", "SSL_DN_FIELD"];
        let rule = |kind: &str| RuleMatch {
            kind: kind.into(),
            compare: "EQUAL_TO".into(),
            key: evil.into(),
            value: evil.into(),
            invert: false,
        };
        policy.rules = kinds.into_iter().map(rule).collect();
    }
    let verified = RuleMatch { kind: "SSL_VERIFY_RESULT".into(), ..listener.policies[0].rules[0].clone() };
    listener.policies[0].rules.push(verified);
    let prefix = PolicyAction::ToPrefix(evil.into(), 302);
    listener.policies.push(PolicyPlan {
        id: "prefix".into(),
        action: prefix,
        ..listener.policies[0].clone()
    });
    listener.insert_headers.push(evil.into());
    let monitor = plan.pools[0].monitor.as_mut().unwrap();
    for text in [&mut monitor.method, &mut monitor.path, &mut monitor.expected, &mut monitor.http_version] {
        *text = evil.into();
    }
    monitor.domain = Some(evil.into());
    plan.pools[1].persistence = Some(Persistence::AppCookie(evil.into()));
    let list = || vec![evil.to_owned()];
    let tls = TlsPlan { ciphers: evil.into(), versions: list(), alpn: list(), ..TlsPlan::default() };
    plan.pools[0].tls = Some(tls.clone());
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    let bind = super::tls::of_listener(&TlsPlan { strict: Some(evil.into()), ..tls });
    for line in text.lines().chain([bind.as_str()]) {
        assert!(!words(line).iter().any(|word| word == "agent-check"), "{line}");
    }
    assert_eq!(judged(&text), Ok(()));
    // What is no list of ciphers is none, and neither is a list of versions that nobody knows.
    assert!(!bind.contains("ciphers") && !bind.contains("no-"), "{bind}");
}

#[test]
fn a_policy_may_have_as_many_rules_as_octavia_lets_it_have() {
    let rule = |number: u8| RuleMatch {
        kind: "PATH".into(),
        compare: if number.is_multiple_of(2) { "REGEX" } else { "EQUAL_TO" }.into(),
        key: String::new(),
        value: ["}", "\"\"", "\"} ! || if\"", "-i"][usize::from(number) % 4].into(),
        invert: number.is_multiple_of(3),
    };
    let mut plan = plan();
    let prefix = PolicyAction::ToPrefix("https://example.org".into(), 308);
    plan.listeners[0].policies.push(PolicyPlan { id: "prefix".into(), action: prefix, rules: vec![] });
    for policy in &mut plan.listeners[0].policies {
        policy.rules = (0..50).map(rule).collect();
    }
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    assert!(text.contains("    acl reject.1 path -m str -- \"\"\n"), "{text}");
    assert!(text.contains("    http-request deny if !reject.0 reject.1 reject.2 !reject.3 "), "{text}");
    assert_eq!(judged(&text), Ok(()));
}

#[test]
fn listeners_of_different_protocols_share_a_pool() {
    let mut plan = plan();
    plan.listeners.reverse();
    plan.listeners[0].timeout_server = 7_000;
    let secure = TlsPlan { certificates: vec![Pem::new("PEM")], ..TlsPlan::default() };
    for (protocol, second, modes) in [
        (PoolProtocol::Proxy, ListenerProtocol::Http, ["tcp", "http"]),
        (PoolProtocol::Http, ListenerProtocol::Http, ["http", "http"]),
        (PoolProtocol::ProxyV2, ListenerProtocol::TerminatedHttps, ["tcp", "http"]),
        (PoolProtocol::Tcp, ListenerProtocol::Https, ["tcp", "tcp"]),
    ] {
        plan.listeners[1].protocol = second;
        plan.listeners[1].tls = (second == ListenerProtocol::TerminatedHttps).then(|| secure.clone());
        plan.pools[0].protocol = protocol;
        plan.listeners[0].default_pool = Some("pool-a".into());
        let text = super::config::render(&plan, "/data", 50_000).unwrap();
        let of = |listener: &str| {
            let begin = format!("\nbackend pool-a:{listener}\n");
            let backend = text.split_once(&begin).map(|(_, after)| after).unwrap_or_default();
            backend.split_once("\nbackend ").map_or(backend, |(own, _)| own)
        };
        let (plain, second) = (of("listener-tcp"), of("listener-http"));
        assert!(plain.contains(&format!("mode {}\n", modes[0])), "{text}");
        assert!(second.contains(&format!("mode {}\n", modes[1])), "{text}");
        assert!(plain.contains("timeout server 7000\n") && second.contains("timeout server 50000\n"));
        assert!(!plain.contains("-ssl-cn"), "{text}");
        match plan.listeners[1].tls {
            // Its certificate is no file here.
            Some(_) => assert!(second.contains(" send-proxy-v2-ssl-cn "), "{text}"),
            None => assert_eq!(judged(&text), Ok(())),
        }
    }
}

#[test]
fn rules() {
    insta::assert_snapshot!(super::rules::render(&plan(), &Default::default()));
}

#[test]
fn nothing_to_listen_on_is_no_process() {
    assert_eq!(super::config::render(&BalancerPlan::default(), "/data", 50_000), None);
}

#[test]
fn what_haproxy_says_is_read() {
    let table = "# pxname,svname,scur,stot,bin,bout,ereq,status,weight,check_status\n\
        l1,FRONTEND,2,9,100,200,1,OPEN,,\n\
        p1,m1,0,0,0,0,,UP,1,L7OK\n\
        p1,m2,0,0,0,0,,DOWN,1,L4CON\n\
        p1,m3,0,0,0,0,,no check,1,\n\
        p1,m4,0,0,0,0,,UP 1/2,1,INI\n\
        p2:l1,m5,0,0,0,0,,UP,1,L7OK\n\
        p2:l1,m6,0,0,0,0,,UP,1,L7OK\n\
        p2:l2,m5,0,0,0,0,,DOWN,1,L4CON\n\
        p2:l2,m6,0,0,0,0,,UP,1,INI\n\
        p1,BACKEND,0,0,0,0,,UP,1,\n";
    let view = super::stats::read(table);
    let counters = Counters {
        bytes_in: 100,
        bytes_out: 200,
        active_connections: 2,
        total_connections: 9,
        request_errors: 1,
    };
    assert_eq!(view.counters["l1"], counters);
    let health = |member: &str| view.members.get(&("p1".to_owned(), member.to_owned())).copied();
    assert_eq!(health("m1"), Some(Health::Up));
    assert_eq!(health("m2"), Some(Health::Down));
    assert_eq!(health("m3"), None);
    assert_eq!(health("m4"), Some(Health::Unknown));
    // A backend for each listener: the worst is told, of those that have looked.
    let shared = |member: &str| view.members[&("p2".to_owned(), member.to_owned())];
    assert_eq!((shared("m5"), shared("m6")), (Health::Down, Health::Up));
}

#[test]
fn forwarded() {
    let mut plan = plan();
    plan.listeners.truncate(1);
    plan.pools.truncate(1);
    let udp = ListenerPlan {
        id: "0badcafe-5717-4562-b3fc-2c963f66afa6".into(),
        protocol: ListenerProtocol::Udp,
        port: 53,
        forwarded: true,
        ..plan.listeners[0].clone()
    };
    let sctp = ListenerPlan {
        id: "1badcafe-5717-4562-b3fc-2c963f66afa6".into(),
        protocol: ListenerProtocol::Sctp,
        allowed: vec![],
        connection_limit: None,
        default_pool: Some("by-source".into()),
        ..udp.clone()
    };
    plan.listeners.extend([udp, sctp]);
    plan.vip.addresses.push("2001:db8::5/64".parse().unwrap());
    plan.listeners[1].default_pool = Some("in-turn".into());
    let member = |id: &str, address: &str, weight| MemberPlan {
        id: id.into(),
        address: address.parse().unwrap(),
        weight,
        backup: id == "spare",
        ..plan.pools[0].members[0].clone()
    };
    let turn = PoolPlan {
        id: "in-turn".into(),
        protocol: PoolProtocol::Udp,
        persistence: None,
        forwarded: true,
        members: vec![
            member("a", "10.0.0.1", 2),
            member("b", "10.0.0.2", 1),
            member("c", "10.0.0.3", 1),
            member("none", "10.0.0.4", 0),
            member("six", "2001:db8::1", 1),
            member("spare", "10.0.0.9", 1),
        ],
        ..plan.pools[0].clone()
    };
    let source = PoolPlan {
        id: "by-source".into(),
        persistence: Some(Persistence::SourceIp),
        granularity: Some("255.255.255.0".parse().unwrap()),
        ..turn.clone()
    };
    plan.pools.extend([turn, source]);
    let down = [("in-turn", "b"), ("by-source", "a"), ("by-source", "b"), ("by-source", "c")];
    let down = down.into_iter().map(|(pool, member)| (pool.to_owned(), member.to_owned())).collect();
    insta::assert_snapshot!(super::rules::render(&plan, &down));
    let text = super::config::render(&plan, "/data", 50_000).unwrap();
    assert!(!text.contains("badcafe") && !text.contains("in-turn"), "{text}");
}
