//! What a health monitor may be.

use base::Result;
use serde_json::Value;

use crate::fault;
use crate::providers::Provider;
use crate::request::{Fields, Look};
use crate::tree::Node;

/// Seconds between two questions over UDP.
const LEAST_DELAY: i64 = 3;

fn speaks_http(kind: &str) -> bool {
    matches!(kind, "HTTP" | "HTTPS")
}

/// A new one's fields, with what is usual for HTTP.
pub fn create(pool: &Node, provider: Provider, given: &Fields) -> Result<Fields> {
    let mut fields = given.clone();
    fields.remove("pool_id");
    let kind = given.text("type").to_owned();
    let protocol = pool.text("protocol");
    if matches!(protocol, "UDP" | "SCTP") {
        if !matches!(kind.as_str(), "UDP-CONNECT" | "SCTP" | "TCP" | "HTTP") {
            return Err(fault::invalid(format!(
                "The associated pool protocol is {protocol}, so only a UDP-CONNECT/SCTP/TCP/HTTP health \
                 monitor is supported."
            )));
        }
        check_delay(&kind, given)?;
    } else if matches!(kind.as_str(), "UDP-CONNECT" | "SCTP") {
        return Err(fault::invalid(format!("The {kind} type is only supported for pools of type UDP/SCTP.")));
    }
    provider.check_monitor(&kind)?;
    for (name, usual) in [("http_method", "GET"), ("url_path", "/"), ("expected_codes", "200")] {
        match (speaks_http(&kind), fields.is_set(name)) {
            (true, false) => drop(fields.insert(name.into(), usual.into())),
            (false, true) => return Err(not_for(name, &kind)),
            _ => {}
        }
    }
    check_host(&fields)?;
    Ok(fields)
}

/// What an update makes of it.
pub fn update(node: &Node, given: &Fields) -> Result<Fields> {
    let kind = node.text("type");
    check_delay(kind, given)?;
    let mut fields = node.fields.clone();
    for (name, usual) in [("http_method", "GET"), ("url_path", "/"), ("expected_codes", "200")] {
        match given.get(name) {
            Some(_) if !speaks_http(kind) => return Err(not_for(name, kind)),
            Some(Value::Null) => drop(fields.insert(name.into(), usual.into())),
            Some(value) => drop(fields.insert(name.into(), value.clone())),
            None => {}
        }
    }
    let rest = given
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "http_method" | "url_path" | "expected_codes"));
    fields.extend(rest.map(|(name, value)| (name.clone(), value.clone())));
    check_host(&fields)?;
    Ok(fields)
}

/// Whoever asks over UDP waits for an answer that should not come.
fn check_delay(kind: &str, given: &Fields) -> Result<()> {
    match given.number("delay") {
        Some(delay) if kind == "UDP-CONNECT" && delay < LEAST_DELAY => Err(fault::invalid(format!(
            "The request delay value {delay} should be larger than {LEAST_DELAY} for UDP-CONNECT health monitor type."
        ))),
        _ => Ok(()),
    }
}

fn not_for(name: &str, kind: &str) -> base::Error {
    fault::invalid_option(name, &format!("health monitors of type {kind}"))
}

fn check_host(fields: &Fields) -> Result<()> {
    let version = fields.get("http_version").and_then(Value::as_f64);
    match (fields.is_set("domain_name"), version) {
        (true, None) => {
            Err(fault::invalid("'http_version' must be specified when 'domain_name' is provided."))
        }
        (true, Some(version)) if version < 1.1 => Err(fault::invalid_option(
            &format!("http_version {version:.1}"),
            "health monitors HTTP 1.1 domain name health check",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::Noun;

    #[test]
    fn http_has_its_usual_values_and_others_have_none() {
        let mut pool = Node::new(Noun::Pool, "p", "lb", "lb", Fields::new());
        pool.set("protocol", "HTTP");
        let made = |body: Value| create(&pool, Provider::Haproxy, body.as_object().unwrap());
        let http = made(json!({"type": "HTTP"})).unwrap();
        assert_eq!(
            (http.text("http_method"), http.text("url_path"), http.text("expected_codes")),
            ("GET", "/", "200")
        );
        for refused in [
            json!({"type": "TCP", "url_path": "/"}),
            json!({"type": "UDP-CONNECT"}),
            json!({"type": "HTTP", "domain_name": "example.org"}),
            json!({"type": "HTTP", "domain_name": "example.org", "http_version": 1.0}),
        ] {
            assert!(made(refused.clone()).is_err(), "{refused}");
        }
    }
}
