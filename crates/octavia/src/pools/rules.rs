//! What a pool may be.

use base::Result;
use serde_json::Value;

use crate::fault;
use crate::request::{Fields, Look};

fn is_datagram(protocol: &str) -> bool {
    matches!(protocol, "UDP" | "SCTP")
}

/// `given`: what a create or an update says.
pub fn check(protocol: &str, given: &Fields) -> Result<()> {
    if let Some(persistence) = given.get("session_persistence").and_then(Value::as_object) {
        check_persistence(protocol, persistence)?;
    }
    if given.is_set("crl_container_ref") && !given.is_set("ca_tls_container_ref") {
        return Err(fault::invalid("A CA certificate reference is required to specify a revocation list."));
    }
    // Nobody is asked for certificates yet.
    let refs: Vec<&str> = ["tls_container_ref", "ca_tls_container_ref"]
        .into_iter()
        .map(|name| given.text(name))
        .filter(|one| !one.is_empty())
        .collect();
    if refs.is_empty() { Ok(()) } else { Err(fault::certificate(&refs)) }
}

fn check_persistence(protocol: &str, persistence: &Fields) -> Result<()> {
    let kind = persistence.text("type");
    let cookie = persistence.text("cookie_name");
    if is_datagram(protocol) {
        if !cookie.is_empty() {
            return Err(fault::invalid("Cookie names are not supported for UDP/SCTP pools."));
        }
        if kind != "SOURCE_IP" {
            return Err(fault::invalid(format!(
                "Session persistence of type {kind} is not supported for UDP/SCTP protocol pools."
            )));
        }
    } else if persistence.is_set("persistence_timeout") || persistence.is_set("persistence_granularity") {
        return Err(fault::invalid(
            "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.",
        ));
    }
    match (kind, cookie) {
        ("", _) => Err(fault::invalid("Invalid session_persistence provided.")),
        ("APP_COOKIE", "") => Err(fault::invalid(
            "Field \"cookie_name\" must be specified when using the \"APP_COOKIE\" session persistence type.",
        )),
        ("APP_COOKIE", name) if !is_cookie_name(name) => {
            Err(fault::invalid("Supplied \"cookie_name\" is invalid."))
        }
        ("APP_COOKIE", _) | (_, "") => Ok(()),
        _ => Err(fault::invalid(
            "Field \"cookie_name\" can only be specified with session persistence of type \"APP_COOKIE\".",
        )),
    }
}

/// A token of RFC 6265.
fn is_cookie_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn persistence_fits_the_protocol() {
        let refused = |protocol, persistence: Value| {
            let given = json!({"session_persistence": persistence});
            check(protocol, given.as_object().unwrap()).is_err()
        };
        assert!(!refused("HTTP", json!({"type": "HTTP_COOKIE"})));
        assert!(!refused("HTTP", json!({"type": "APP_COOKIE", "cookie_name": "JSESSIONID"})));
        assert!(!refused("UDP", json!({"type": "SOURCE_IP", "persistence_timeout": 3})));
        for (protocol, persistence) in [
            ("HTTP", json!({"type": "APP_COOKIE"})),
            ("HTTP", json!({"type": "APP_COOKIE", "cookie_name": "a=b"})),
            ("HTTP", json!({"type": "SOURCE_IP", "cookie_name": "a"})),
            ("TCP", json!({"type": "SOURCE_IP", "persistence_timeout": 3})),
            ("UDP", json!({"type": "HTTP_COOKIE"})),
            ("TCP", json!({})),
        ] {
            assert!(refused(protocol, persistence.clone()), "{protocol} {persistence}");
        }
    }
}
