//! The configuration of one load balancer's HAProxy. Pure.

use super::policies::policies;
use super::words::{at, formatted, line, word};
use super::{backend, tls};
use crate::balancer::{Algorithm, BalancerPlan, ListenerPlan, ListenerProtocol, PolicyAction, PoolPlan};

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
pub const SOURCE_PORT: &str = "sess.source_port";

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
    for listener in plan.listeners.iter().filter(|listener| !listener.forwarded) {
        for pool in plan.pools.iter().filter(|pool| leads(listener, pool)) {
            backend::render(out, listener, pool, is_v6);
        }
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

pub fn speaks_http(protocol: ListenerProtocol) -> bool {
    use ListenerProtocol::{Http, Prometheus, TerminatedHttps};
    matches!(protocol, Http | TerminatedHttps | Prometheus)
}

pub fn leads(listener: &ListenerPlan, pool: &PoolPlan) -> bool {
    listener.default_pool.as_deref() == Some(&pool.id)
        || listener.policies.iter().any(|p| p.action == PolicyAction::ToPool(pool.id.clone()))
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
        policies(out, listener);
    }
    if let Some(pool) = &listener.default_pool {
        line(out, 1, &format!("default_backend {}", backend::name(pool, &listener.id)));
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
