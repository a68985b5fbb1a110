//! Pools: a backend for each listener that leads to one, as at Octavia's. Both say how its connections are treated. Pure.

use std::fmt::Write;

use super::config::{PEER, SOURCE_PORT, leads, speaks_http};
use super::tls;
use super::words::{argument, at, formatted, line, word};
use crate::balancer::{
    Algorithm, BalancerPlan, ListenerPlan, MemberPlan, MonitorKind, MonitorPlan, Persistence, PoolPlan,
    PoolProtocol,
};

/// What its socket and its statistics call it.
pub fn name(pool: &str, listener: &str) -> String {
    format!("{pool}:{listener}")
}

/// The pool of a backend of this name.
pub fn pool_of(name: &str) -> &str {
    name.split_once(':').map_or(name, |(pool, _)| pool)
}

/// All that the pool has.
pub fn names(plan: &BalancerPlan, pool: &PoolPlan) -> Vec<String> {
    let listeners = plan.listeners.iter().filter(|listener| !listener.forwarded && leads(listener, pool));
    listeners.map(|listener| name(&pool.id, &listener.id)).collect()
}

/// Requests cannot be led to a pool that does not speak HTTP; the PROXY protocol carries whatever comes.
fn mode(listener: &ListenerPlan, pool: &PoolPlan) -> &'static str {
    match pool.protocol {
        PoolProtocol::Http => "http",
        _ if speaks_http(listener.protocol) => "http",
        _ => "tcp",
    }
}

pub fn render(out: &mut String, listener: &ListenerPlan, pool: &PoolPlan, is_v6: bool) {
    let mode = mode(listener, pool);
    line(out, 0, &format!("backend {}", name(&pool.id, &listener.id)));
    line(out, 1, &format!("mode {mode}"));
    let balance = match pool.algorithm {
        Algorithm::RoundRobin => "roundrobin".to_owned(),
        Algorithm::LeastConnections => "leastconn".to_owned(),
        Algorithm::SourceIp => "source".to_owned(),
        Algorithm::SourceIpPort => format!("hash src,concat(:,{SOURCE_PORT})"),
    };
    line(out, 1, &format!("balance {balance}"));
    line(out, 1, "option allbackups");
    line(out, 1, &format!("timeout connect {}", listener.timeout_connect));
    line(out, 1, &format!("timeout server {}", listener.timeout_server));
    match &pool.persistence {
        None => {}
        Some(Persistence::SourceIp) => {
            let family = if is_v6 { "ipv6" } else { "ip" };
            line(out, 1, &format!("stick-table type {family} size 10k expire 30m peers {PEER}"));
            line(out, 1, "stick on src");
        }
        Some(Persistence::HttpCookie) if mode == "http" => {
            line(out, 1, "cookie SRV insert indirect nocache");
        }
        Some(Persistence::AppCookie(name)) if mode == "http" => {
            let name = argument(name);
            line(out, 1, &format!("stick-table type string len 64 size 10k expire 30m peers {PEER}"));
            line(out, 1, &format!("stick store-response res.cook({name})"));
            line(out, 1, &format!("stick match req.cook({name})"));
        }
        // TCP has no cookies.
        Some(_) => {}
    }
    if pool.monitor.is_some() {
        // Without one nobody would find out that who was down is up again.
        line(out, 1, "load-server-state-from-file global");
    }
    if let Some(monitor) = checked_here(pool) {
        checks(out, monitor);
    }
    for member in &pool.members {
        line(out, 1, &server(pool, member, mode, listener.tls.is_some()));
    }
}

/// Pings take rights that HAProxy has given away: they are our own.
fn checked_here(pool: &PoolPlan) -> Option<&MonitorPlan> {
    pool.monitor.as_ref().filter(|monitor| monitor.kind != MonitorKind::Ping)
}

fn checks(out: &mut String, monitor: &MonitorPlan) {
    line(out, 1, &format!("timeout check {}s", monitor.timeout));
    match monitor.kind {
        MonitorKind::Http | MonitorKind::Https => {
            line(out, 1, "option httpchk");
            let host = match &monitor.domain {
                Some(domain) => format!(" hdr Host {}", formatted(domain)),
                None => String::new(),
            };
            let (method, path, version) =
                (word(&monitor.method), word(&monitor.path), word(&monitor.http_version));
            line(out, 1, &format!("http-check send meth {method} uri {path} ver HTTP/{version}{host}"));
            line(out, 1, &format!("http-check expect rstatus {}", word(&statuses(&monitor.expected))));
        }
        MonitorKind::TlsHello => line(out, 1, "option ssl-hello-chk"),
        MonitorKind::Tcp | MonitorKind::Ping | MonitorKind::UdpConnect | MonitorKind::Sctp => {}
    }
}

/// `200,202` and `200-204` as a regular expression.
fn statuses(expected: &str) -> String {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| *code < 1000);
    let range = expected.split_once('-').and_then(|(from, to)| Some((code(from)?, code(to)?)));
    let all: Vec<u16> = match range {
        Some((from, to)) => (from..=to).collect(),
        None => expected.split(',').filter_map(code).collect(),
    };
    let all: Vec<String> = all.iter().map(|code| format!("{code:03}")).collect();
    format!("^({})$", all.join("|"))
}

/// `ends_tls`: members that are told whence a connection comes are told of its certificate, too.
fn server(pool: &PoolPlan, member: &MemberPlan, mode: &str, ends_tls: bool) -> String {
    let mut text =
        format!("server {} {} weight {}", member.id, at(member.address, member.port), member.weight);
    match pool.protocol {
        PoolProtocol::Proxy => text.push_str(" send-proxy"),
        PoolProtocol::ProxyV2 if ends_tls => text.push_str(" send-proxy-v2-ssl-cn"),
        PoolProtocol::ProxyV2 => text.push_str(" send-proxy-v2"),
        _ => {}
    }
    if let Some(tls) = &pool.tls {
        text.push_str(&tls::of_pool(tls));
    }
    if let Some(monitor) = checked_here(pool) {
        let _ = write!(text, " check inter {}s fall {} rise {}", monitor.delay, monitor.fall, monitor.rise);
        if let Some(address) = member.monitor_address {
            let _ = write!(text, " addr {address}");
        }
        if let Some(port) = member.monitor_port {
            let _ = write!(text, " port {port}");
        }
        if monitor.kind == MonitorKind::Https {
            // Checks that go elsewhere than connections do would not speak TLS of themselves.
            text.push_str(" check-ssl");
            if pool.tls.is_none() {
                text.push_str(" verify none");
            }
        }
        if let Some(tls) = pool.tls.as_ref().filter(|tls| !tls.alpn.is_empty()) {
            let _ = write!(text, " check-alpn {}", word(&tls.alpn.join(",")));
        }
    }
    if mode == "http" && pool.persistence == Some(Persistence::HttpCookie) {
        let _ = write!(text, " cookie {}", member.id);
    }
    if member.backup {
        text.push_str(" backup");
    }
    text
}
