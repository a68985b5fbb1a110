//! What a listener may be.

use std::net::IpAddr;

use base::{Error, Result};
use ipnet::IpNet;
use serde_json::Value;

use crate::fault;
use crate::providers::Provider;
use crate::request::{Fields, Look};
use crate::tree::{Node, Noun, Tree};

const HEADERS: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"];
/// They speak of a client's certificate.
const TLS_HEADERS: [&str; 7] = [
    "X-SSL-Client-Verify",
    "X-SSL-Client-Has-Cert",
    "X-SSL-Client-DN",
    "X-SSL-Client-CN",
    "X-SSL-Issuer",
    "X-SSL-Client-SHA1",
    "X-SSL-Client-Not-Before",
];
const TLS_NOT_AFTER: &str = "X-SSL-Client-Not-After";

/// What it is on the wire.
pub fn transport(protocol: &str) -> &str {
    match protocol {
        "UDP" | "SCTP" => protocol,
        _ => "TCP",
    }
}

/// The pool's protocol must be one that the listener can lead to.
pub fn check_protocols(listener: &str, pool: &str) -> Result<()> {
    let fits: &[&str] = match listener {
        "TCP" => &["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"],
        "HTTP" | "TERMINATED_HTTPS" => &["HTTP", "PROXY", "PROXYV2"],
        "HTTPS" => &["HTTPS", "PROXY", "PROXYV2", "TCP"],
        "UDP" => &["UDP"],
        "SCTP" => &["SCTP"],
        _ => &[],
    };
    if fits.contains(&pool) {
        return Ok(());
    }
    Err(fault::invalid(format!(
        "The pool protocol '{pool}' is invalid while the listener protocol is '{listener}'."
    )))
}

pub fn check_has_children(protocol: &str) -> Result<()> {
    match protocol {
        "PROMETHEUS" => {
            Err(Error::bad_request(format!("Protocol {protocol} listeners cannot have child objects.")))
        }
        _ => Ok(()),
    }
}

/// Everybody is allowed by null alone.
pub fn tidy(fields: &mut Fields) {
    if let Some(list) =
        fields.get_mut("allowed_cidrs").filter(|list| list.as_array().is_some_and(Vec::is_empty))
    {
        *list = Value::Null;
    }
}

/// Of a new one: `given` is all of it.
pub fn create(tree: &Tree, provider: Provider, given: &Fields) -> Result<()> {
    let protocol = given.text("protocol");
    let port = given.number("protocol_port").unwrap_or_default();
    check(tree, protocol, given)?;
    if protocol == "TERMINATED_HTTPS" {
        return Err(fault::disabled("protocol", protocol));
    }
    provider.check_protocol(protocol)?;
    if (given.flag("hsts_include_subdomains") || given.flag("hsts_preload")) && !given.is_set("hsts_max_age")
    {
        return Err(fault::invalid(
            "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if \
             hsts_max_age is set as well.",
        ));
    }
    let same = |other: &&Node| {
        other.fields.number("protocol_port") == Some(port)
            && transport(other.text("protocol")) == transport(protocol)
    };
    match tree.of(Noun::Listener).find(same) {
        Some(other) => Err(Error::conflict(format!(
            "Another Listener on this Load Balancer is already using protocol {} and protocol_port {port}",
            other.text("protocol")
        ))),
        None => Ok(()),
    }
}

/// What holds for creates and updates alike.
pub fn check(tree: &Tree, protocol: &str, given: &Fields) -> Result<()> {
    if let Some(headers) = given.get("insert_headers").and_then(Value::as_object).filter(|h| !h.is_empty()) {
        check_headers(protocol, headers)?;
    }
    let mut refs: Vec<&str> = given.list("sni_container_refs").iter().filter_map(Value::as_str).collect();
    refs.extend(Some(given.text("default_tls_container_ref")).filter(|one| !one.is_empty()));
    refs.extend(Some(given.text("client_ca_tls_container_ref")).filter(|one| !one.is_empty()));
    if !refs.is_empty() && protocol != "TERMINATED_HTTPS" {
        return Err(fault::invalid(match transport(protocol) {
            "TCP" => {
                format!("Certificate container references are not allowed on {protocol} protocol listeners.")
            }
            _ => format!("{protocol} protocol listener does not support TLS."),
        }));
    }
    if !matches!(given.text("client_authentication"), "" | "NONE") {
        return Err(fault::invalid(format!(
            "Client authentication setting {} requires a client CA container reference.",
            given.text("client_authentication")
        )));
    }
    if given.is_set("client_crl_container_ref") {
        return Err(fault::invalid(
            "A client authentication CA reference is required to specify a client authentication revocation list.",
        ));
    }
    if given.number("hsts_max_age").is_some() && protocol != "TERMINATED_HTTPS" {
        return Err(fault::invalid(
            "The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.",
        ));
    }
    check_networks(tree, given)
}

fn check_headers(protocol: &str, headers: &serde_json::Map<String, Value>) -> Result<()> {
    if !matches!(protocol, "HTTP" | "TERMINATED_HTTPS") {
        return Err(match transport(protocol) {
            "TCP" => fault::invalid_option("insert-headers", &format!("a {protocol} protocol listener.")),
            _ => fault::invalid(format!(
                "{protocol} protocol listener does not support TLS or header insertion."
            )),
        });
    }
    let is_tls = |name: &&str| TLS_HEADERS.contains(name) || *name == TLS_NOT_AFTER;
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let listed = |names: &[&str]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("[{}]", quoted.join(", "))
    };
    if names.iter().any(|name| !HEADERS.contains(name) && !is_tls(name)) {
        return Err(fault::invalid_option(&listed(&names), "insert_headers"));
    }
    let tls: Vec<&str> = names.into_iter().filter(is_tls).collect();
    match tls.as_slice() {
        [] => Ok(()),
        _ => Err(fault::invalid_option(&listed(&tls), &format!("{protocol} protocol listener."))),
    }
}

fn check_networks(tree: &Tree, given: &Fields) -> Result<()> {
    let vip = tree.root().map_or("", |root| root.text("vip_address"));
    let is_v6 = matches!(vip.parse(), Ok(IpAddr::V6(_)));
    for one in given.list("allowed_cidrs").iter().filter_map(Value::as_str) {
        let other = matches!(one.parse(), Ok(IpNet::V6(_)));
        if other != is_v6 {
            return Err(fault::invalid(format!(
                "CIDR {one} IP version incompatible with all VIPs ['{vip}'] IP version."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::listeners::ATTRS;
    use crate::request::created;

    fn tree() -> Tree {
        let mut root = Node::new(Noun::LoadBalancer, "p", "", "", Fields::new());
        root.set("vip_address", "10.0.0.5");
        Tree { nodes: vec![root] }
    }

    fn refusal(body: &Value) -> Option<String> {
        let fields = created(ATTRS, body).map_err(|e| e.message);
        match fields {
            Ok(fields) => create(&tree(), Provider::Haproxy, &fields).err().map(|e| e.message),
            Err(message) => Some(message),
        }
    }

    #[test]
    fn what_a_listener_may_not_be() {
        assert_eq!(refusal(&json!({"protocol": "HTTP", "protocol_port": 80})), None);
        let disabled = "The selected protocol is not allowed in this deployment: TERMINATED_HTTPS";
        let network = "Validation failure: CIDR 2001:db8::/64 IP version incompatible with all VIPs ['10.0.0.5'] IP version.";
        let header = "insert-headers is not a valid option for a TCP protocol listener.";
        let other = "['X-Other'] is not a valid option for insert_headers";
        let refs = "Validation failure: Certificate container references are not allowed on HTTP protocol listeners.";
        for (more, words) in [
            (json!({"protocol": "TERMINATED_HTTPS"}), disabled),
            (json!({"allowed_cidrs": ["2001:db8::/64"]}), network),
            (json!({"protocol": "TCP", "insert_headers": {"X-Forwarded-For": "true"}}), header),
            (json!({"insert_headers": {"X-Other": "true"}}), other),
            (json!({"default_tls_container_ref": "http://x/secret"}), refs),
        ] {
            let mut body = json!({"protocol": "HTTP", "protocol_port": 80});
            for (key, value) in more.as_object().unwrap() {
                body[key] = value.clone();
            }
            assert_eq!(refusal(&body).as_deref(), Some(words));
        }
    }
}
