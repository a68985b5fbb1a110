//! What a listener may be.

use std::net::IpAddr;

use base::{Error, Result};
use ipnet::IpNet;
use serde_json::Value;

use crate::certificates::judge::Verdict;
use crate::providers::Provider;
use crate::request::{Fields, Look};
use crate::tree::{Node, Noun, Tree};
use crate::{fault, providers, tls};

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

/// TLS ends at it.
pub fn ends_tls(protocol: &str, fields: &Fields) -> bool {
    protocol == "TERMINATED_HTTPS" || protocol == "PROMETHEUS" && has_certificates(fields)
}

fn has_certificates(fields: &Fields) -> bool {
    fields.is_set("default_tls_container_ref") || fields.is_set("sni_container_refs")
}

/// How TLS is spoken where the body does not say. What speaks none says none.
pub fn fill_tls(protocol: &str, fields: &mut Fields) {
    if ends_tls(protocol, fields) {
        tls::fill(fields);
    }
}

/// Of a new one: `given` is all of it. `certificates`: what was found of its references.
pub fn create(tree: &Tree, provider: Provider, given: &Fields, certificates: &Verdict) -> Result<()> {
    let protocol = given.text("protocol");
    let port = given.number("protocol_port").unwrap_or_default();
    check(protocol, given, true)?;
    let has_own = has_certificates(given);
    if given.is_set("client_ca_tls_container_ref") && !has_own {
        return Err(fault::invalid(
            "An SNI or default certificate container reference must be provided with a client CA container reference.",
        ));
    }
    if ends_tls(protocol, given) && !has_own {
        return Err(fault::invalid(format!(
            "An SNI or default certificate container reference must be provided for {protocol} protocol listeners."
        )));
    }
    check_client(given, given)?;
    tls::check_ciphers(given)?;
    certificates.check()?;
    provider.check_protocol(protocol)?;
    let same = |other: &&Node| {
        other.fields.number("protocol_port") == Some(port)
            && transport(other.text("protocol")) == transport(protocol)
    };
    if let Some(other) = tree.of(Noun::Listener).find(same) {
        return Err(Error::conflict(format!(
            "Another Listener on this Load Balancer is already using protocol {} and protocol_port {port}",
            other.text("protocol")
        )));
    }
    check_networks(tree, given)?;
    if ends_tls(protocol, given) {
        tls::check(given)?;
    }
    let more = given.flag("hsts_include_subdomains") || given.flag("hsts_preload");
    if more && !given.is_set("hsts_max_age") {
        return Err(fault::invalid(
            "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if \
             hsts_max_age is set as well.",
        ));
    }
    check_strict(protocol, given)
}

/// Of one that is there.
pub fn update(tree: &Tree, before: &Node, given: &Fields, certificates: &Verdict) -> Result<()> {
    let protocol = before.text("protocol");
    check(protocol, given, false)?;
    check_client(&before.fields, given)?;
    certificates.check()?;
    check_networks(tree, given)?;
    tls::check_ciphers(given)?;
    tls::check(given)?;
    let more = given.flag("hsts_include_subdomains") || given.flag("hsts_preload");
    if more && !before.fields.is_set("hsts_max_age") && !given.is_set("hsts_max_age") {
        return Err(fault::invalid(
            "Cannot enable hsts_include_subdomains or hsts_preload if hsts_max_age was not set as well.",
        ));
    }
    check_strict(protocol, given)
}

fn check_strict(protocol: &str, given: &Fields) -> Result<()> {
    if given.number("hsts_max_age").is_some() && protocol != "TERMINATED_HTTPS" {
        return Err(fault::invalid(
            "The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.",
        ));
    }
    Ok(())
}

/// Whom clients must be known to. `before`: where what is not given is looked for.
fn check_client(before: &Fields, given: &Fields) -> Result<()> {
    let has_authority = [before, given].iter().any(|fields| fields.is_set("client_ca_tls_container_ref"));
    let asked = given.text("client_authentication");
    if !matches!(asked, "" | "NONE") && !has_authority {
        return Err(fault::invalid(format!(
            "Client authentication setting {asked} requires a client CA container reference."
        )));
    }
    if given.is_set("client_crl_container_ref") && !has_authority {
        return Err(fault::invalid(
            "A client authentication CA reference is required to specify a client authentication revocation list.",
        ));
    }
    Ok(())
}

/// What holds for creates and updates alike, and what is said of datagrams, which have neither headers nor TLS.
fn check(protocol: &str, given: &Fields, is_new: bool) -> Result<()> {
    let headers = given.get("insert_headers").and_then(Value::as_object).filter(|h| !h.is_empty());
    let is_datagram = transport(protocol) != "TCP";
    if is_datagram && !is_new && (headers.is_some() || has_certificates(given)) {
        let words = format!("{protocol} protocol listener does not support TLS or header insertion.");
        return Err(fault::invalid(words));
    }
    if let Some(headers) = headers {
        check_headers(protocol, headers)?;
    }
    if has_certificates(given) && !ends_tls(protocol, given) {
        return Err(fault::invalid(match is_datagram {
            false => {
                format!("Certificate container references are not allowed on {protocol} protocol listeners.")
            }
            true => format!("{protocol} protocol listener does not support TLS."),
        }));
    }
    Ok(())
}

fn check_headers(protocol: &str, headers: &serde_json::Map<String, Value>) -> Result<()> {
    if !matches!(protocol, "HTTP" | "TERMINATED_HTTPS") {
        return Err(fault::invalid_option("insert-headers", &format!("a {protocol} protocol listener.")));
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
        _ if protocol == "TERMINATED_HTTPS" => Ok(()),
        [] => Ok(()),
        _ => Err(fault::invalid_option(&listed(&tls), &format!("{protocol} protocol listener."))),
    }
}

fn check_networks(tree: &Tree, given: &Fields) -> Result<()> {
    let Some(root) = tree.root() else { return Ok(()) };
    let vips = providers::vips(root);
    for one in given.list("allowed_cidrs").iter().filter_map(Value::as_str) {
        let is_v6 = matches!(one.parse(), Ok(IpNet::V6(_)));
        if !vips.iter().any(|vip| matches!(vip.parse(), Ok(IpAddr::V6(_))) == is_v6) {
            let vips: Vec<String> = vips.iter().map(|vip| format!("'{vip}'")).collect();
            return Err(fault::invalid(format!(
                "CIDR {one} IP version incompatible with all VIPs [{}] IP version.",
                vips.join(", ")
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
            Ok(fields) => {
                create(&tree(), Provider::Haproxy, &fields, &Verdict::default()).err().map(|e| e.message)
            }
            Err(message) => Some(message),
        }
    }

    #[test]
    fn what_a_listener_may_not_be() {
        assert_eq!(refusal(&json!({"protocol": "HTTP", "protocol_port": 80})), None);
        let without = "Validation failure: An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners.";
        let network = "Validation failure: CIDR 2001:db8::/64 IP version incompatible with all VIPs ['10.0.0.5'] IP version.";
        let header = "insert-headers is not a valid option for a TCP protocol listener.";
        let other = "['X-Other'] is not a valid option for insert_headers";
        let refs = "Validation failure: Certificate container references are not allowed on HTTP protocol listeners.";
        let client = "Validation failure: An SNI or default certificate container reference must be provided with a client CA container reference.";
        let datagram = "insert-headers is not a valid option for a UDP protocol listener.";
        for (more, words) in [
            (json!({"protocol": "TERMINATED_HTTPS"}), without),
            (json!({"allowed_cidrs": ["2001:db8::/64"]}), network),
            (json!({"protocol": "TCP", "insert_headers": {"X-Forwarded-For": "true"}}), header),
            (json!({"insert_headers": {"X-Other": "true"}}), other),
            (json!({"default_tls_container_ref": "http://x/secret"}), refs),
            (json!({"client_ca_tls_container_ref": "http://x/secret"}), client),
            (json!({"protocol": "UDP", "insert_headers": {"X-Forwarded-For": "true"}}), datagram),
        ] {
            let mut body = json!({"protocol": "HTTP", "protocol_port": 80});
            for (key, value) in more.as_object().unwrap() {
                body[key] = value.clone();
            }
            assert_eq!(refusal(&body).as_deref(), Some(words));
        }
    }
}
