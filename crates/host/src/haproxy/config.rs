//! The configuration of one load balancer's HAProxy. Pure.

use std::fmt::Write;
use std::net::IpAddr;

use super::policies::policies;
use super::tls;
use super::words::{argument, formatted, line, word};
use crate::balancer::{
    Algorithm, BalancerPlan, ListenerPlan, ListenerProtocol, MemberPlan, MonitorKind, MonitorPlan,
    Persistence, PolicyAction, PoolPlan, PoolProtocol,
};

/// Names in the load balancer's directory, in which HAProxy is started.
pub const SOCKET: &str = "stats.sock";
pub const SERVERS: &str = "servers";
pub const JAIL: &str = "jail";
/// What it calls itself towards its successor, which learns from it who sticks to whom.
pub const PEER: &str = "own";
/// A program that names counters as Octavia does.
pub const METRICS: &str = "metrics.lua";
/// On loopback; nobody else is in the namespace.
const PEER_PORT: u16 = 1025;
/// As the program knows it.
const METRICS_PORT: u16 = 1026;

/// A session's variable: samples may join a variable to an address, and no second sample.
const SOURCE_PORT: &str = "sess.source_port";

/// Connections at most, of all listeners together.
pub const MOST: u32 = 50_000;
/// Old processes end when their last connection does, or after this.
const PATIENCE: &str = "1h";

/// `most`: connections that the machine bears. None: there is nothing to listen on.
#[must_use]
pub fn render(plan: &BalancerPlan, directory: &str, most: u32) -> Option<String> {
    let mut listeners = plan.listeners.iter().filter(|listener| !listener.forwarded).peekable();
    listeners.peek()?;
    let mut text = String::new();
    let out = &mut text;
    line(out, 0, "global");
    for setting in [
        "user haproxy".to_owned(),
        "group haproxy".to_owned(),
        format!("chroot {}", word(&format!("{directory}/{JAIL}"))),
        "nbthread 1".to_owned(),
        format!("maxconn {most}"),
        format!("hard-stop-after {PATIENCE}"),
        format!("stats socket unix@{SOCKET} mode 600 level admin expose-fd listeners"),
        format!("server-state-file {}", word(&format!("{directory}/{SERVERS}"))),
    ] {
        line(out, 1, &setting);
    }
    let tells = plan.listeners.iter().any(|listener| listener.protocol == ListenerProtocol::Prometheus);
    if tells {
        line(out, 1, &format!("lua-load {}", word(&format!("{directory}/{METRICS}"))));
    }
    line(out, 0, "defaults");
    for setting in ["option redispatch", "option splice-request", "option splice-response", "retries 3"] {
        line(out, 1, setting);
    }
    line(out, 0, &format!("peers {PEER}"));
    line(out, 1, &format!("peer {PEER} 127.0.0.1:{PEER_PORT}"));
    if tells {
        exporter(out);
    }
    for listener in listeners {
        frontend(out, plan, listener, most);
    }
    // Tables of IPv6 addresses take those of IPv4, too.
    let is_v6 = plan.vip.addresses.iter().any(|vip| vip.addr().is_ipv6());
    for pool in plan.pools.iter().filter(|pool| !pool.forwarded) {
        backend(out, plan, pool, is_v6);
    }
    Some(text)
}

/// HAProxy's own counters, which the program asks for.
fn exporter(out: &mut String) {
    line(out, 0, "frontend prometheus-exporter");
    for setting in [
        &format!("bind 127.0.0.1:{METRICS_PORT}"),
        "mode http",
        "timeout client 5s",
        "http-request use-service prometheus-exporter",
    ] {
        line(out, 1, setting);
    }
}

fn at(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    }
}

fn speaks_http(protocol: ListenerProtocol) -> bool {
    use ListenerProtocol::{Http, Prometheus, TerminatedHttps};
    matches!(protocol, Http | TerminatedHttps | Prometheus)
}

fn leads(listener: &ListenerPlan, pool: &PoolPlan) -> bool {
    listener.default_pool.as_deref() == Some(&pool.id)
        || listener.policies.iter().any(|p| p.action == PolicyAction::ToPool(pool.id.clone()))
}

/// What a pool speaks is decided by who leads to it: connections of a TCP listener are never looked into.
fn mode_of(plan: &BalancerPlan, pool: &PoolPlan) -> &'static str {
    match plan.listeners.iter().find(|listener| leads(listener, pool)) {
        Some(listener) if speaks_http(listener.protocol) => "http",
        _ => "tcp",
    }
}

fn frontend(out: &mut String, plan: &BalancerPlan, listener: &ListenerPlan, most: u32) {
    line(out, 0, &format!("frontend {}", listener.id));
    for address in &plan.vip.addresses {
        let tls = listener.tls.as_ref().map(tls::of_listener).unwrap_or_default();
        line(out, 1, &format!("bind {}{tls}", at(address.addr(), listener.port)));
    }
    let http = speaks_http(listener.protocol);
    line(out, 1, if http { "mode http" } else { "mode tcp" });
    if http {
        // A connection that rests when a successor takes over ends with its next answer, which says so. Its client would
        // otherwise send a request into a connection that is being closed.
        line(out, 1, "option idle-close-on-response");
    }
    if let Some(limit) = listener.connection_limit {
        line(out, 1, &format!("maxconn {}", limit.min(most)));
    }
    line(out, 1, &format!("timeout client {}", listener.timeout_client));
    if listener.protocol == ListenerProtocol::Prometheus {
        line(out, 1, "http-request use-service lua.metrics");
        return;
    }
    if listener.timeout_inspect > 0 {
        line(out, 1, &format!("tcp-request inspect-delay {}", listener.timeout_inspect));
    }
    if plan.pools.iter().any(|pool| pool.algorithm == Algorithm::SourceIpPort && leads(listener, pool)) {
        line(out, 1, &format!("tcp-request connection set-var({SOURCE_PORT}) src_port"));
    }
    if http {
        headers(out, &listener.insert_headers, listener.tls.is_some());
        if let Some(value) = listener.tls.as_ref().and_then(|tls| tls.strict.as_deref()) {
            line(out, 1, &format!("http-response set-header Strict-Transport-Security {}", formatted(value)));
        }
        policies(out, &listener.policies);
    }
    if let Some(pool) = &listener.default_pool {
        line(out, 1, &format!("default_backend {pool}"));
    }
}

fn headers(out: &mut String, names: &[String], is_tls: bool) {
    for name in names {
        let value = match name.as_str() {
            "X-Forwarded-For" => {
                line(out, 1, "option forwardfor");
                continue;
            }
            "X-Forwarded-Port" => "%[dst_port]",
            "X-Forwarded-Proto" if is_tls => "https",
            "X-Forwarded-Proto" => "http",
            name if is_tls => match tls::header(name) {
                Some(value) => value,
                None => continue,
            },
            // Those that speak of TLS.
            _ => continue,
        };
        line(out, 1, &format!("http-request set-header {name} {value}"));
    }
}

fn backend(out: &mut String, plan: &BalancerPlan, pool: &PoolPlan, is_v6: bool) {
    let mode = mode_of(plan, pool);
    line(out, 0, &format!("backend {}", pool.id));
    line(out, 1, &format!("mode {mode}"));
    let balance = match pool.algorithm {
        Algorithm::RoundRobin => "roundrobin".to_owned(),
        Algorithm::LeastConnections => "leastconn".to_owned(),
        Algorithm::SourceIp => "source".to_owned(),
        Algorithm::SourceIpPort => format!("hash src,concat(:,{SOURCE_PORT})"),
    };
    line(out, 1, &format!("balance {balance}"));
    line(out, 1, "option allbackups");
    line(out, 1, &format!("timeout connect {}", pool.timeout_connect));
    line(out, 1, &format!("timeout server {}", pool.timeout_server));
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
    let ends_tls = plan.listeners.iter().any(|listener| listener.tls.is_some() && leads(listener, pool));
    for member in &pool.members {
        line(out, 1, &server(pool, member, mode, ends_tls));
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
