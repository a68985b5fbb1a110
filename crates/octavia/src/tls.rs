//! How TLS is spoken: what listeners and pools have alike.

use base::Result;
use serde_json::{Value, json};

use crate::fault;
use crate::request::{Fields, Look};

/// Octavia's own choice, which is OWASP's.
const CIPHERS: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:\
    ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
    ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
    DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";
const VERSIONS: [&str; 5] = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// For what is null or not there.
pub fn fill(fields: &mut Fields) {
    let usual = [
        ("tls_ciphers", json!(CIPHERS)),
        ("tls_versions", json!(["TLSv1.2", "TLSv1.3"])),
        ("alpn_protocols", json!(["h2", "http/1.1", "http/1.0"])),
    ];
    for (name, value) in usual {
        if fields.get(name).is_none_or(Value::is_null) {
            fields.insert(name.into(), value);
        }
    }
}

/// Of what is given, whether TLS is spoken or not: it may be later.
pub fn check_ciphers(given: &Fields) -> Result<()> {
    let ciphers = given.text("tls_ciphers");
    if !ciphers.chars().all(|c| c.is_ascii_alphanumeric() || "-+!:@=_.".contains(c)) {
        return Err(fault::invalid(
            "Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed.",
        ));
    }
    Ok(())
}

/// Of what is given, where TLS is spoken.
pub fn check(given: &Fields) -> Result<()> {
    let empty = |name: &str| given.get(name).and_then(Value::as_array).is_some_and(Vec::is_empty);
    if empty("tls_versions") {
        return Err(fault::invalid(
            "Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the \
             default.",
        ));
    }
    let versions = given.list("tls_versions").iter().filter_map(Value::as_str);
    let unknown: Vec<&str> = versions.filter(|version| !VERSIONS.contains(version)).collect();
    if !unknown.is_empty() {
        return Err(fault::invalid(format!("Invalid TLS versions: {}", unknown.join(", "))));
    }
    if empty("alpn_protocols") {
        return Err(fault::invalid(
            "Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the \
             default.",
        ));
    }
    Ok(())
}
