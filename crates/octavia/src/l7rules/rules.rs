//! What a rule may say. It ends up in the load balancer's configuration, so it may say nothing that ends a word there.

use base::{Error, Result};

use crate::request::{Fields, Look};

pub const MOST: usize = 50;

pub fn check_count(policy: &str, count: usize) -> Result<()> {
    match count > MOST {
        true => Err(Error::conflict(format!("Too many rules on L7 policy {policy}"))),
        false => Ok(()),
    }
}

fn bad(words: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Error parsing L7Rule: {words}"))
}

fn invalid(words: &str) -> Error {
    bad(format!("Invalid L7 Rule: {words}"))
}

pub fn check(rule: &Fields) -> Result<()> {
    let (kind, compare) = (rule.text("type"), rule.text("compare_type"));
    let (key, value) = (rule.text("key"), rule.text("value"));
    if value.is_empty() {
        return Err(invalid("L7 rule type requires a value"));
    }
    match kind {
        "HEADER" | "COOKIE" => {
            if key.is_empty() {
                return Err(invalid("L7 rule type requires a key"));
            }
            if !is_token(key) {
                return Err(bad("Invalid characters in key"));
            }
            let what = if kind == "HEADER" { "header value" } else { "cookie value" };
            check_value(compare, value, what)
        }
        "HOST_NAME" | "PATH" => check_value(compare, value, "comparison value"),
        "FILE_TYPE" if matches!(compare, "REGEX" | "EQUAL_TO") => {
            check_value(compare, value, "comparison value")
        }
        "FILE_TYPE" => Err(invalid("invalid comparison type for rule type")),
        "SSL_CONN_HAS_CERT" if !key.is_empty() => {
            Err(invalid("L7rule type SSL_CONN_HAS_CERT does not use the \"key\" field."))
        }
        "SSL_CONN_HAS_CERT" if value.eq_ignore_ascii_case("true") => equal(kind, compare),
        "SSL_CONN_HAS_CERT" => Err(invalid(&format!("L7rule value {value} is not a boolean True string."))),
        "SSL_VERIFY_RESULT" if !key.is_empty() => {
            Err(invalid("L7rule type SSL_VERIFY_RESULT does not use the \"key\" field."))
        }
        "SSL_VERIFY_RESULT" if value.bytes().all(|b| b.is_ascii_digit()) => equal(kind, compare),
        "SSL_VERIFY_RESULT" => Err(invalid("L7rule type SSL_VERIFY_RESULT needs a int value, which is >= 0")),
        "SSL_DN_FIELD" if key.is_empty() => {
            Err(invalid("L7rule type SSL_DN_FIELD needs to specify a key and a value."))
        }
        "SSL_DN_FIELD" if !is_name_field(key) => Err(invalid("Invalid L7rule distinguished name field.")),
        "SSL_DN_FIELD" => check_value(compare, value, "comparison value"),
        _ => Err(invalid("invalid rule type")),
    }
}

fn equal(kind: &str, compare: &str) -> Result<()> {
    match compare {
        "EQUAL_TO" => Ok(()),
        _ => Err(invalid(&format!("L7rule type {kind} only supports the EQUAL_TO compare type."))),
    }
}

/// A header's name in RFC 7230.
fn is_token(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_name_field(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn check_value(compare: &str, value: &str, what: &str) -> Result<()> {
    if compare == "REGEX" {
        return match fancy_regex::Regex::new(value) {
            Ok(_) => Ok(()),
            Err(_) => Err(bad(format!("Unable to parse regular expression: {value}"))),
        };
    }
    let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let inner = if quoted { &value[1..value.len() - 1] } else { value };
    match inner.bytes().all(|b| (b.is_ascii_graphic() && b != b'"') || (quoted && b == b' ')) {
        true => Ok(()),
        false => Err(bad(format!("Invalid characters in {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_rule_may_say() {
        let refused = |kind: &str, compare: &str, key: &str, value: &str| {
            let rule = json!({"type": kind, "compare_type": compare, "key": key, "value": value});
            check(rule.as_object().unwrap()).is_err()
        };
        assert!(!refused("PATH", "STARTS_WITH", "", "/api"));
        assert!(!refused("HEADER", "EQUAL_TO", "X-Kind", "\"two words\""));
        assert!(!refused("HOST_NAME", "REGEX", "", "^a.*\\.org$"));
        assert!(!refused("SSL_DN_FIELD", "EQUAL_TO", "CN", "x"));
        assert!(refused("SSL_DN_FIELD", "EQUAL_TO", "CN) -m found #", "x"));
        assert!(refused("HEADER", "EQUAL_TO", "", "x"));
        assert!(refused("HEADER", "EQUAL_TO", "a b", "x"));
        assert!(refused("PATH", "EQUAL_TO", "", "a b"));
        assert!(refused("PATH", "REGEX", "", "(("));
        // What Python and PCRE know, and only that.
        for known in ["^/(?!admin)", "(?<!x)y", r"(.)\1", "(?P<a>b)(?P=a)", "(?>a+)b"] {
            assert!(!refused("PATH", "REGEX", "", known), "{known}");
        }
        for unknown in ["a**", "(?<=a+)b", r"(a)\2", "(?!"] {
            assert!(refused("PATH", "REGEX", "", unknown), "{unknown}");
        }
        assert!(refused("FILE_TYPE", "STARTS_WITH", "", "jpg"));
        assert!(refused("COOKIE", "EQUAL_TO", "k", "a\nb"));
    }
}
