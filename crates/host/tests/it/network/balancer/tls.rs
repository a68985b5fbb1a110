//! TLS that ends at the load balancer.

use std::io::Write;
use std::net::TcpListener;

use host::LoadBalancers;
use host::balancer::*;

use super::{balancers, echo, plan, scene, until};
use crate::network::guest::Guest;
use crate::network::plans::uuid;
use crate::network::sandbox::{Sandbox, have};

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

#[test]
fn tls_ends_at_the_load_balancer() {
    if !have("haproxy", "haproxy") || !have("openssl", "openssl") {
        return;
    }
    Sandbox::run(async |sandbox| {
        let directory = tempfile::tempdir().unwrap();
        let (balancers, path) = balancers(&directory);
        let (vip, [one, client]) = scene(&sandbox, [("one", 11), ("client", 20)]).await;
        echo(one.inside(|| Ok(TcpListener::bind("10.0.0.11:80").unwrap())).await);

        let mut wanted = plan(vip.clone(), &[11], &[]);
        let listener = &mut wanted.listeners[0];
        listener.protocol = ListenerProtocol::TerminatedHttps;
        listener.port = 443;
        listener.insert_headers =
            vec!["X-Forwarded-Proto".into(), "X-Forwarded-For".into(), "X-SSL-Client-Has-Cert".into()];
        let ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
        // More than the words that a line of HAProxy's configuration may have.
        let others = (0..65).map(|number| certificate(&format!("{number}.example")));
        let usual = TlsPlan {
            certificates: [certificate("a.example"), certificate("b.example")]
                .into_iter()
                .chain(others)
                .collect(),
            ciphers: ciphers.into(),
            versions: vec!["TLSv1.2".into(), "TLSv1.3".into()],
            alpn: vec!["http/1.1".into()],
            strict: Some("max-age=60; preload;".into()),
            ..TlsPlan::default()
        };
        listener.tls = Some(usual.clone());
        // The path is one that HAProxy must not read otherwise, and so is the rule's value.
        let host = RuleMatch {
            kind: "HOST_NAME".into(),
            compare: "REGEX".into(),
            key: String::new(),
            value: "^x$".into(),
            invert: true,
        };
        listener.policies =
            vec![PolicyPlan { id: uuid("policy"), action: PolicyAction::Reject, rules: vec![host] }];
        let monitor = wanted.pools[0].monitor.as_mut().unwrap();
        monitor.kind = MonitorKind::Http;
        (monitor.method, monitor.path, monitor.expected) = ("GET".into(), "/a$b".into(), "200,204".into());
        balancers.apply(&wanted).await.unwrap();
        until(&balancers, &wanted, "m11", Health::Up).await;

        let said = tls(&client, &[]).await;
        for words in [
            "subject=CN = a.example",
            "X-Forwarded-Proto: https",
            "x-forwarded-for: 10.0.0.20",
            "max-age=60; preload;",
        ] {
            assert!(said.to_lowercase().contains(&words.to_lowercase()), "{words} in {said}");
        }
        assert!(tls(&client, &["-servername", "b.example"]).await.contains("subject=CN = b.example"));
        assert!(tls(&client, &["-servername", "64.example"]).await.contains("subject=CN = 64.example"));
        assert!(!tls(&client, &["-tls1_1"]).await.contains("X-Forwarded-Proto"));

        // Keys are root's alone, and what is not used any more is gone.
        let below = path.join(&wanted.id).join("tls");
        let files = || std::fs::read_dir(&below).unwrap().map(Result::unwrap);
        assert_eq!(files().count(), 67 + 1);
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
