//! What a pool may be.

use base::Result;
use serde_json::Value;

use crate::certificates::judge::Verdict;
use crate::request::{Fields, Look};
use crate::{fault, tls};

fn is_datagram(protocol: &str) -> bool {
    matches!(protocol, "UDP" | "SCTP")
}

/// Of a new one.
pub fn create(protocol: &str, given: &Fields, certificates: &Verdict) -> Result<()> {
    check(protocol, given)?;
    tls::check_ciphers(given)?;
    if given.is_set("crl_container_ref") && !given.is_set("ca_tls_container_ref") {
        return Err(fault::invalid("A CA certificate reference is required to specify a revocation list."));
    }
    certificates.check()?;
    if given.flag("tls_enabled") { tls::check(given) } else { Ok(()) }
}

/// Of one that is there.
pub fn update(before: &Fields, given: &Fields, certificates: &Verdict) -> Result<()> {
    check(before.text("protocol"), given)?;
    let is_there =
        |name: &str| if given.contains_key(name) { given.is_set(name) } else { before.is_set(name) };
    if is_there("crl_container_ref") && !is_there("ca_tls_container_ref") {
        return Err(fault::invalid(match before.is_set("ca_tls_container_ref") {
            true => "A CA reference cannot be removed when a certificate revocation list is present.",
            false => "A CA reference is required to specify a certificate revocation list.",
        }));
    }
    certificates.check()?;
    tls::check_ciphers(given)?;
    tls::check(given)
}

fn check(protocol: &str, given: &Fields) -> Result<()> {
    match given.get("session_persistence").and_then(Value::as_object) {
        Some(persistence) => check_persistence(protocol, persistence),
        None => Ok(()),
    }
}

/// How TLS is spoken to members, where the body does not say.
pub fn fill_tls(fields: &mut Fields) {
    if fields.flag("tls_enabled") {
        tls::fill(fields);
    }
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
