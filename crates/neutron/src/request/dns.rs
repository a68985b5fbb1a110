//! Names of hosts and domains (RFC 1123), as Neutron checks them.

use serde_json::{Value, json};

use super::check::{Checked, shown};

const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;

pub fn name(value: &Value) -> Checked {
    let text = check(value)?;
    let given = shown(value);
    if given.trim().is_empty() {
        return Ok(json!(""));
    }
    labels(&text, &given)?;
    Ok(json!(text))
}

pub fn domain(value: &Value) -> Checked {
    let text = check(value)?;
    let given = shown(value);
    if text.is_empty() {
        return Ok(json!(""));
    }
    if !text.ends_with('.') {
        return Err(format!("'{given}' is not a FQDN"));
    }
    labels(&text, &given)?;
    Ok(json!(text))
}

/// Null is no name.
fn check(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.chars().count() > MAX_NAME => {
            Err(format!("'{text}' exceeds maximum length of {MAX_NAME}"))
        }
        Value::String(text) => Ok(text.trim().to_ascii_lowercase()),
        other => Err(format!("'{}' is not a valid string", shown(other))),
    }
}

fn labels(text: &str, given: &str) -> Result<(), String> {
    let refuse = |reason: String| Err(format!("'{given}' not a valid PQDN or FQDN. Reason: {reason}"));
    let bare = text.strip_suffix('.').unwrap_or(text);
    for label in bare.split('.') {
        if label.is_empty() {
            return refuse("Encountered an empty component".into());
        }
        if label.len() > MAX_LABEL
            || label.starts_with('-')
            || label.ends_with('-')
            || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return refuse(format!(
                "Name '{label}' must be 1-{MAX_LABEL} characters long, each of which can only be alphanumeric or a \
                 hyphen"
            ));
        }
    }
    let top = bare.rsplit('.').next().unwrap_or_default();
    if text.ends_with('.') && top.bytes().all(|b| b.is_ascii_digit()) {
        return refuse(format!("TLD '{top}' must not be all numeric"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_domains() {
        assert_eq!(name(&json!("Web-1")), Ok(json!("web-1")));
        assert_eq!(name(&json!("a.b.example.org.")), Ok(json!("a.b.example.org.")));
        assert_eq!(domain(&json!("Example.org.")), Ok(json!("example.org.")));
        assert_eq!((name(&json!("")), domain(&Value::Null)), (Ok(json!("")), Ok(json!(""))));
        for bad in ["-a", "a-", "a_b", "a..b", "a b", &"x".repeat(64)] {
            assert!(name(&json!(bad)).is_err(), "{bad}");
        }
        assert!(domain(&json!("example.org")).is_err() && domain(&json!("example.123.")).is_err());
    }
}
