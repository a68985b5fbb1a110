//! The tree of a load balancer as the host's plan. Pure.

use std::net::IpAddr;

use host::balancer::{
    Algorithm, BalancerPlan, LinkPlan, ListenerPlan, ListenerProtocol, MemberPlan, MonitorKind, MonitorPlan,
    Persistence, PolicyAction, PolicyPlan, PoolPlan, PoolProtocol, RuleMatch, TlsPlan, Verify,
};
use ipnet::IpNet;
use neutron::PortView;
use serde_json::Value;

use crate::certificates::load::{self, Certificates};
use crate::providers;
use crate::request::{Fields, Look};
use crate::tree::{Node, Noun, PENDING_DELETE, Tree};

/// `port`: the VIP's; `legs`: those in other subnets. Listeners whose certificates cannot be read are left out.
pub fn balancer(
    tree: &Tree,
    root: &Node,
    port: &PortView,
    legs: &[PortView],
    known: &Certificates,
) -> BalancerPlan {
    let up = |node: &&Node| node.is_up() && node.provisioning != PENDING_DELETE;
    let mut listeners: Vec<ListenerPlan> = match root.is_up() {
        true => tree.of(Noun::Listener).filter(up).filter_map(|node| listener(tree, node, known)).collect(),
        false => Vec::new(),
    };
    let used = |pool: &&Node| {
        listeners.iter().any(|listener| {
            listener.default_pool.as_deref() == Some(&pool.id)
                || listener.policies.iter().any(|p| p.action == PolicyAction::ToPool(pool.id.clone()))
        })
    };
    let pools: Vec<PoolPlan> =
        tree.of(Noun::Pool).filter(up).filter(used).filter_map(|node| pool(tree, node, known)).collect();
    let there = |id: &String| pools.iter().any(|pool| pool.id == *id);
    for listener in &mut listeners {
        listener.default_pool.take_if(|id| !there(id));
        listener.policies.retain(|one| !matches!(&one.action, PolicyAction::ToPool(id) if !there(id)));
    }
    BalancerPlan {
        id: root.id.clone(),
        vip: link(port, root.text("vip_address").parse().ok(), true),
        legs: legs.iter().map(|port| link(port, None, false)).collect(),
        listeners,
        pools,
    }
}

/// `first`: the address that connections to members begin at. `leads_on`: what is nowhere else is reached by it.
fn link(port: &PortView, first: Option<IpAddr>, leads_on: bool) -> LinkPlan {
    let mut fixed: Vec<_> = port.fixed_ips.iter().collect();
    fixed.sort_by_key(|ip| Some(ip.address) != first);
    let mut routes = Vec::new();
    for ip in &fixed {
        let everywhere = if ip.address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        let default = everywhere.parse::<IpNet>().ok().zip(ip.gateway).filter(|_| leads_on);
        for (destination, next_hop) in ip.routes.iter().copied().chain(default) {
            if !routes.iter().any(|(known, _)| *known == destination) {
                routes.push((destination, next_hop));
            }
        }
    }
    LinkPlan {
        port_id: port.id.clone(),
        network_id: port.network_id.clone(),
        mac: port.mac.clone(),
        mtu: port.mtu,
        addresses: fixed.iter().filter_map(|ip| IpNet::new(ip.address, ip.prefix).ok()).collect(),
        routes,
    }
}

fn listener(tree: &Tree, node: &Node, known: &Certificates) -> Option<ListenerPlan> {
    let fields = &node.fields;
    let milliseconds =
        |name: &str| fields.number(name).and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
    let pool_is_up = |id: &str| {
        tree.get(Noun::Pool, id).is_some_and(|pool| pool.is_up() && pool.provisioning != PENDING_DELETE)
    };
    let headers = fields.get("insert_headers").and_then(Value::as_object);
    Some(ListenerPlan {
        id: node.id.clone(),
        protocol: match fields.text("protocol") {
            "HTTP" => ListenerProtocol::Http,
            "TERMINATED_HTTPS" => ListenerProtocol::TerminatedHttps,
            "HTTPS" => ListenerProtocol::Https,
            "TCP" => ListenerProtocol::Tcp,
            "UDP" => ListenerProtocol::Udp,
            "SCTP" => ListenerProtocol::Sctp,
            "PROMETHEUS" => ListenerProtocol::Prometheus,
            _ => return None,
        },
        port: u16::try_from(fields.number("protocol_port")?).ok()?,
        connection_limit: fields.number("connection_limit").and_then(|n| u32::try_from(n).ok()),
        default_pool: Some(node.pool_id.clone()).filter(|id| pool_is_up(id)),
        insert_headers: headers
            .into_iter()
            .flatten()
            .filter(|(_, value)| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
            .map(|(name, _)| name.clone())
            .collect(),
        timeout_client: milliseconds("timeout_client_data"),
        timeout_connect: milliseconds("timeout_member_connect"),
        timeout_server: milliseconds("timeout_member_data"),
        timeout_inspect: milliseconds("timeout_tcp_inspect"),
        allowed: texts(fields.list("allowed_cidrs")).filter_map(|text| text.parse().ok()).collect(),
        policies: tree
            .policies_of(&node.id)
            .into_iter()
            .filter(|policy| policy.is_up() && policy.provisioning != PENDING_DELETE)
            .filter_map(|node| policy(tree, node))
            .collect(),
        tls: match load::bundles(fields).as_slice() {
            [] => None,
            _ => Some(listener_tls(fields, known)?),
        },
        forwarded: is_forwarded(tree, fields),
    })
}

fn is_forwarded(tree: &Tree, fields: &Fields) -> bool {
    let provider = tree.root().and_then(|root| providers::of(root).ok());
    provider.is_some_and(|provider| provider.forwards(fields.text("protocol")))
}

fn listener_tls(fields: &Fields, known: &Certificates) -> Option<TlsPlan> {
    let verify = match fields.text("client_authentication") {
        "OPTIONAL" => Verify::Optional,
        "MANDATORY" => Verify::Required,
        _ => Verify::None,
    };
    let names = ["client_ca_tls_container_ref", "client_crl_container_ref"];
    let strict = fields.number("hsts_max_age").map(|age| {
        let more = [("hsts_include_subdomains", " includeSubDomains;"), ("hsts_preload", " preload;")];
        let more: String =
            more.into_iter().filter(|(name, _)| fields.flag(name)).map(|(_, words)| words).collect();
        format!("max-age={age};{more}")
    });
    Some(TlsPlan { verify, strict, ..tls(fields, names, known)? })
}

fn pool_tls(fields: &Fields, known: &Certificates) -> Option<TlsPlan> {
    let tls = tls(fields, ["ca_tls_container_ref", "crl_container_ref"], known)?;
    let verify = if tls.authority.is_some() { Verify::Required } else { Verify::None };
    Some(TlsPlan { verify, ..tls })
}

/// None: something of it cannot be read.
fn tls(fields: &Fields, [authority, revoked]: [&str; 2], known: &Certificates) -> Option<TlsPlan> {
    let one = |name: &str| match fields.text(name) {
        "" => Some(None),
        reference => known.get(reference).cloned().map(Some),
    };
    let strings = |name: &str| load::texts(fields.list(name)).map(ToOwned::to_owned).collect();
    Some(TlsPlan {
        certificates: load::bundles(fields)
            .into_iter()
            .map(|reference| known.get(reference).cloned())
            .collect::<Option<_>>()?,
        authority: one(authority)?,
        revoked: one(revoked)?,
        ciphers: fields.text("tls_ciphers").into(),
        versions: strings("tls_versions"),
        alpn: strings("alpn_protocols"),
        ..TlsPlan::default()
    })
}

fn texts(list: &[Value]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Value::as_str)
}

fn policy(tree: &Tree, node: &Node) -> Option<PolicyPlan> {
    let status =
        || node.fields.number("redirect_http_code").and_then(|n| u16::try_from(n).ok()).unwrap_or(302);
    let action = match node.text("action") {
        "REJECT" => PolicyAction::Reject,
        "REDIRECT_TO_POOL" => {
            tree.get(Noun::Pool, &node.pool_id).filter(|pool| pool.is_up())?;
            PolicyAction::ToPool(node.pool_id.clone())
        }
        "REDIRECT_TO_URL" => PolicyAction::ToUrl(node.text("redirect_url").into(), status()),
        "REDIRECT_PREFIX" => PolicyAction::ToPrefix(node.text("redirect_prefix").into(), status()),
        _ => return None,
    };
    let rules: Vec<RuleMatch> = tree
        .under(Noun::L7Rule, &node.id)
        .filter(|rule| rule.is_up() && rule.provisioning != PENDING_DELETE)
        .map(|rule| RuleMatch {
            kind: rule.text("type").into(),
            compare: rule.text("compare_type").into(),
            key: rule.text("key").into(),
            value: rule.text("value").into(),
            invert: rule.fields.flag("invert"),
        })
        .collect();
    // A policy without rules is about nothing.
    (!rules.is_empty()).then(|| PolicyPlan { id: node.id.clone(), action, rules })
}

fn pool(tree: &Tree, node: &Node, known: &Certificates) -> Option<PoolPlan> {
    let fields = &node.fields;
    let persistence = fields.get("session_persistence").and_then(Value::as_object);
    let alive = |member: &&Node| member.is_up() && member.provisioning != PENDING_DELETE;
    Some(PoolPlan {
        id: node.id.clone(),
        protocol: match fields.text("protocol") {
            "HTTP" => PoolProtocol::Http,
            "HTTPS" => PoolProtocol::Https,
            "TCP" => PoolProtocol::Tcp,
            "PROXY" => PoolProtocol::Proxy,
            "PROXYV2" => PoolProtocol::ProxyV2,
            "UDP" => PoolProtocol::Udp,
            "SCTP" => PoolProtocol::Sctp,
            _ => return None,
        },
        algorithm: match fields.text("lb_algorithm") {
            "LEAST_CONNECTIONS" => Algorithm::LeastConnections,
            "SOURCE_IP" => Algorithm::SourceIp,
            "SOURCE_IP_PORT" => Algorithm::SourceIpPort,
            _ => Algorithm::RoundRobin,
        },
        persistence: persistence.and_then(|p| match p.text("type") {
            "SOURCE_IP" => Some(Persistence::SourceIp),
            "HTTP_COOKIE" => Some(Persistence::HttpCookie),
            "APP_COOKIE" => Some(Persistence::AppCookie(p.text("cookie_name").into())),
            _ => None,
        }),
        granularity: persistence.and_then(|p| p.text("persistence_granularity").parse().ok()),
        forwarded: is_forwarded(tree, fields),
        tls: match fields.flag("tls_enabled") {
            true => Some(pool_tls(fields, known)?),
            false => None,
        },
        monitor: tree
            .monitor_of(&node.id)
            .filter(|node| node.is_up() && node.provisioning != PENDING_DELETE)
            .and_then(monitor),
        members: tree.under(Noun::Member, &node.id).filter(alive).filter_map(member).collect(),
    })
}

fn member(node: &Node) -> Option<MemberPlan> {
    let fields = &node.fields;
    let port = |name: &str| fields.number(name).and_then(|n| u16::try_from(n).ok());
    Some(MemberPlan {
        id: node.id.clone(),
        address: fields.text("address").parse().ok()?,
        port: port("protocol_port")?,
        weight: port("weight").unwrap_or(1),
        backup: fields.flag("backup"),
        monitor_address: fields.text("monitor_address").parse().ok(),
        monitor_port: port("monitor_port"),
    })
}

fn monitor(node: &Node) -> Option<MonitorPlan> {
    let fields = &node.fields;
    let number = |name: &str| fields.number(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
    Some(MonitorPlan {
        kind: match fields.text("type") {
            "TCP" => MonitorKind::Tcp,
            "HTTP" => MonitorKind::Http,
            "HTTPS" => MonitorKind::Https,
            "TLS-HELLO" => MonitorKind::TlsHello,
            "PING" => MonitorKind::Ping,
            "UDP-CONNECT" => MonitorKind::UdpConnect,
            "SCTP" => MonitorKind::Sctp,
            _ => return None,
        },
        delay: number("delay"),
        timeout: number("timeout"),
        rise: number("max_retries"),
        fall: number("max_retries_down"),
        method: fields.text("http_method").into(),
        path: fields.text("url_path").into(),
        expected: fields.text("expected_codes").into(),
        http_version: fields
            .get("http_version")
            .and_then(Value::as_f64)
            .map_or_else(|| "1.0".to_owned(), |version| format!("{version:.1}")),
        domain: Some(fields.text("domain_name").to_owned()).filter(|name| !name.is_empty()),
    })
}
