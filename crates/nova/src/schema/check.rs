//! A value against its kind, in jsonschema's words.

use serde_json::Value;

use super::python::{bare, quoted, repr};
use super::{Kind, decode_base64, flag, printable};

pub(super) struct Wrong<'a> {
    pub field: String,
    pub value: &'a Value,
    pub message: String,
}

pub(super) fn walk<'a>(kind: &Kind, value: &'a Value, name: &str, minor: u16) -> Result<(), Wrong<'a>> {
    let wrong = |message: String| Err(Wrong { field: name.into(), value, message });
    let not_a = |kinds: &str| wrong(format!("{} is not of type {kinds}", repr(value)));
    match kind {
        Kind::Any => Ok(()),
        Kind::TextOrNull(..) | Kind::UuidOrNull if value.is_null() => Ok(()),
        Kind::Name => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            if let Some(message) = length(text, value, 1, 255) {
                return wrong(message);
            }
            if text.trim() != text || !text.chars().all(printable) {
                return wrong(
                    "An invalid 'name' value was provided. The name must be: printable characters. \
                     Can not start or end with whitespace."
                        .into(),
                );
            }
            Ok(())
        }
        Kind::Text(least, most, test, pattern) | Kind::TextOrNull(least, most, test, pattern) => {
            let Some(text) = value.as_str() else {
                return not_a(if matches!(kind, Kind::Text(..)) { "'string'" } else { "'string', 'null'" });
            };
            if let Some(message) = length(text, value, *least, *most) {
                return wrong(message);
            }
            if !text.chars().all(test) {
                return wrong(format!("{} does not match {}", repr(value), quoted(pattern)));
            }
            Ok(())
        }
        Kind::Label => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            if let Some(message) = length(text, value, 2, 63) {
                return wrong(message);
            }
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if !plain || text.starts_with('-') || text.ends_with('-') {
                return wrong(format!(
                    "{} does not match '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$'",
                    repr(value)
                ));
            }
            Ok(())
        }
        Kind::Bool => match flag(value) {
            Some(_) => Ok(()),
            None => wrong(format!(
                "{} is not one of [True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', \
                 False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']",
                repr(value)
            )),
        },
        Kind::Integer(least, most) => {
            let number = match value {
                Value::Number(n) => match n.as_i64() {
                    Some(n) => n,
                    None if n.is_u64() => i64::MAX,
                    None => return not_a("'integer', 'string'"),
                },
                Value::String(text) => {
                    let digits = text.strip_prefix('-').filter(|_| *least < 0).unwrap_or(text);
                    if text.is_empty() {
                        return wrong(format!("{} is too short", repr(value)));
                    }
                    if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() {
                        let pattern = if *least < 0 { "^-?[0-9]*$" } else { "^[0-9]*$" };
                        return wrong(format!("{} does not match '{pattern}'", repr(value)));
                    }
                    text.parse().unwrap_or(i64::MAX)
                }
                _ => return not_a("'integer', 'string'"),
            };
            if number < *least {
                return wrong(format!("{number} is less than the minimum of {least}"));
            }
            if number > *most {
                return wrong(format!("{} is greater than the maximum of {most}", bare(value)));
            }
            Ok(())
        }
        Kind::Number => match value {
            Value::Number(_) => Ok(()),
            Value::String(text) if text.parse::<f64>().is_ok() => Ok(()),
            _ => not_a("'number', 'string'"),
        },
        Kind::Uuid | Kind::UuidOrNull => match value.as_str() {
            None => not_a(if matches!(kind, Kind::Uuid) { "'string'" } else { "'string', 'null'" }),
            Some(text) if base::id::is_uuid(text) => Ok(()),
            Some(_) => wrong(format!("{} is not a 'uuid'", repr(value))),
        },
        Kind::UuidOrEmpty => match value.as_str() {
            Some(text) if text.is_empty() || base::id::is_uuid(text) => Ok(()),
            _ => wrong(format!("{} is not valid under any of the given schemas", repr(value))),
        },
        Kind::Ip => match value.as_str() {
            None => not_a("'string'"),
            Some(text) if text.parse::<std::net::IpAddr>().is_ok() => Ok(()),
            Some(_) => wrong(format!("{} is not valid under any of the given schemas", repr(value))),
        },
        Kind::Ipv4 => match value.as_str() {
            None => not_a("'string'"),
            Some(text) if text.parse::<std::net::Ipv4Addr>().is_ok() => Ok(()),
            Some(_) => wrong(format!("{} is not a 'ipv4'", repr(value))),
        },
        Kind::Ipv6 => match value.as_str() {
            None => not_a("'string'"),
            Some(text) if text.parse::<std::net::Ipv6Addr>().is_ok() => Ok(()),
            Some(_) => wrong(format!("{} is not a 'ipv6'", repr(value))),
        },
        Kind::Base64(most) => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            if text.len() > *most {
                return wrong(format!("{} is too long", repr(value)));
            }
            if decode_base64(text).is_none() {
                return wrong(format!("{} is not a 'base64'", repr(value)));
            }
            Ok(())
        }
        Kind::Enum(allowed) => match value.as_str() {
            Some(text) if allowed.contains(&text) => Ok(()),
            _ => {
                let list = allowed.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(", ");
                wrong(format!("{} is not one of [{list}]", repr(value)))
            }
        },
        Kind::Metadata { null, numbers } => {
            let Some(map) = value.as_object() else { return not_a("'object'") };
            let good = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
            for (key, item) in map {
                if key.is_empty() || key.len() > 255 || !key.chars().all(good) {
                    return wrong(format!(
                        "Additional properties are not allowed ({} was unexpected)",
                        quoted(key)
                    ));
                }
                let message = match item {
                    Value::String(text) if text.chars().count() <= 255 => continue,
                    Value::String(_) => format!("{} is too long", repr(item)),
                    Value::Null if *null => continue,
                    Value::Number(_) if *numbers => continue,
                    _ => format!("{} is not of type 'string'", repr(item)),
                };
                return Err(Wrong { field: key.clone(), value: item, message });
            }
            Ok(())
        }
        Kind::List(items, least, most) => {
            let Some(list) = value.as_array() else { return not_a("'array'") };
            if list.len() < *least {
                return wrong(format!("{} is too short", repr(value)));
            }
            if list.len() > *most {
                return wrong(format!("{} is too long", repr(value)));
            }
            for (i, item) in list.iter().enumerate() {
                walk(items, item, &i.to_string(), minor)?;
            }
            Ok(())
        }
        Kind::Object(fields) | Kind::Open(fields) => {
            let Some(map) = value.as_object() else { return not_a("'object'") };
            for field in fields.iter().filter(|f| f.exists(minor)) {
                match map.get(field.name) {
                    Some(item) => walk(&field.kind, item, field.name, minor)?,
                    None if field.required || minor >= field.required_from => {
                        return wrong(format!("{} is a required property", quoted(field.name)));
                    }
                    None => {}
                }
            }
            let known = |key: &str| fields.iter().any(|f| f.name == key && f.exists(minor));
            let extra: Vec<&str> = map.keys().map(String::as_str).filter(|k| !known(k)).collect();
            if matches!(kind, Kind::Object(_)) && !extra.is_empty() {
                return wrong(unexpected(&extra));
            }
            Ok(())
        }
        Kind::OneOf(kinds) => {
            if kinds.iter().any(|k| walk(k, value, name, minor).is_ok()) {
                return Ok(());
            }
            // The alternative of the value's own type tells more than "none of them".
            match kinds.iter().find(|k| same_type(k, value)) {
                Some(k) => walk(k, value, name, minor),
                None => wrong(format!("{} is not valid under any of the given schemas", repr(value))),
            }
        }
    }
}

fn same_type(kind: &Kind, value: &Value) -> bool {
    match value {
        Value::Array(_) => matches!(kind, Kind::List(..)),
        Value::Object(_) => matches!(kind, Kind::Object(_) | Kind::Open(_) | Kind::Metadata { .. }),
        _ => false,
    }
}

fn length(text: &str, value: &Value, least: usize, most: usize) -> Option<String> {
    let n = text.chars().count();
    if n < least {
        Some(format!("{} is too short", repr(value)))
    } else if n > most {
        Some(format!("{} is too long", repr(value)))
    } else {
        None
    }
}

pub(super) fn unexpected(extra: &[&str]) -> String {
    let list = extra.iter().map(|k| quoted(k)).collect::<Vec<_>>().join(", ");
    let verb = if extra.len() == 1 { "was" } else { "were" };
    format!("Additional properties are not allowed ({list} {verb} unexpected)")
}
