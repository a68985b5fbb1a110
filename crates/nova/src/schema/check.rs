//! A value against its kind, in jsonschema's words.

use serde_json::Value;

use super::python::{bare, quoted, repr};
use super::{Field, Kind, decode_base64, flag, printable};

pub(super) struct Wrong<'a> {
    pub field: String,
    pub value: &'a Value,
    pub message: String,
    /// The message says it all: Nova puts nothing around it.
    pub whole: bool,
}

pub(super) fn walk<'a>(kind: &Kind, value: &'a Value, name: &str, minor: u16) -> Result<(), Wrong<'a>> {
    let wrong = |message: String| Err(Wrong { field: name.into(), value, message, whole: false });
    let not_a = |kinds: &str| wrong(format!("{} is not of type {kinds}", repr(value)));
    match kind {
        Kind::Any => Ok(()),
        Kind::TextOrNull(..) | Kind::UuidOrNull | Kind::IntegerOrNull(..) | Kind::SetOrNull(..)
            if value.is_null() =>
        {
            Ok(())
        }
        Kind::Null => {
            if value.is_null() {
                Ok(())
            } else {
                not_a("'null'")
            }
        }
        Kind::Name => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            if text.trim() != text || !text.chars().all(printable) {
                let message = "An invalid 'name' value was provided. The name must be: printable characters. \
                               Can not start or end with whitespace.";
                return Err(Wrong { field: name.into(), value, message: message.into(), whole: true });
            }
            length(text, value, 1, 255).map_or(Ok(()), wrong)
        }
        Kind::Text(least, most, test, pattern) | Kind::TextOrNull(least, most, test, pattern) => {
            let Some(text) = value.as_str() else {
                return not_a(if matches!(kind, Kind::Text(..)) { "'string'" } else { "'string', 'null'" });
            };
            if let Some(message) = length(text, value, *least, *most) {
                return wrong(message);
            }
            if !text.chars().all(test) {
                // Nova tells its pattern, which for printable text is a list of all of Unicode.
                let why = match *pattern {
                    "" => "has characters that cannot be printed".to_owned(),
                    pattern => format!("does not match {}", quoted(pattern)),
                };
                return wrong(format!("{} {why}", repr(value)));
            }
            Ok(())
        }
        Kind::TextOrInteger => match value {
            Value::String(text) if text.is_empty() => wrong("'' should be non-empty".into()),
            Value::String(_) => Ok(()),
            Value::Number(n) if n.is_i64() || n.is_u64() => Ok(()),
            _ => not_a("'string', 'integer'"),
        },
        Kind::Prefix => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            let good = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '.' | ':');
            match text.strip_prefix('/') {
                Some(rest) if !rest.is_empty() && rest.chars().all(good) => Ok(()),
                _ => wrong(format!("{} does not match '^/[0-9a-f.:]+$'", repr(value))),
            }
        }
        Kind::Label => {
            let Some(text) = value.as_str() else { return not_a("'string'") };
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if !plain || text.len() < 2 || text.starts_with('-') || text.ends_with('-') {
                return wrong(format!(
                    "{} does not match '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$'",
                    repr(value)
                ));
            }
            length(text, value, 2, 63).map_or(Ok(()), wrong)
        }
        Kind::Bool => match flag(value) {
            Some(_) => Ok(()),
            None if !value.is_string() => not_a("'boolean', 'string'"),
            None => wrong(format!(
                "{} is not one of [True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', \
                 False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']",
                repr(value)
            )),
        },
        Kind::Integer(least, most) | Kind::IntegerOrNull(least, most) => {
            let kinds = match kind {
                Kind::Integer(..) => "'integer', 'string'",
                _ => "'integer', 'string', 'null'",
            };
            let number = match value {
                Value::Number(n) => match n.as_i64() {
                    Some(n) => n,
                    None if n.is_u64() => i64::MAX,
                    None => return not_a(kinds),
                },
                Value::String(text) => {
                    let digits = text.strip_prefix('-').filter(|_| *least < 0).unwrap_or(text);
                    if text.is_empty() && *least >= 0 {
                        return wrong("'' should be non-empty".into());
                    }
                    if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() {
                        let pattern = if *least < 0 { "^-?[0-9]+$" } else { "^[0-9]*$" };
                        return wrong(format!("{} does not match '{pattern}'", repr(value)));
                    }
                    text.parse().unwrap_or(i64::MAX)
                }
                _ => return not_a(kinds),
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
            if decode_base64(text).is_none() {
                return wrong(format!("{} is not a 'base64'", repr(value)));
            }
            if text.len() > *most {
                return wrong(format!("{} is too long", repr(value)));
            }
            Ok(())
        }
        Kind::Enum(allowed) => match value.as_str() {
            Some(text) if allowed.contains(&text) => Ok(()),
            None => not_a("'string'"),
            _ => {
                let list = allowed.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(", ");
                wrong(format!("{} is not one of [{list}]", repr(value)))
            }
        },
        Kind::Metadata { null, numbers } => {
            let Some(map) = value.as_object() else { return not_a("'object'") };
            let good = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
            let fits = |key: &str| !key.is_empty() && key.len() <= 255 && key.chars().all(good);
            for (key, item) in map.iter().filter(|(key, _)| fits(key)) {
                let message = match item {
                    Value::String(text) if text.chars().count() <= 255 => continue,
                    Value::String(_) => format!("{} is too long", repr(item)),
                    Value::Null if *null => continue,
                    Value::Number(_) if *numbers => continue,
                    _ => format!("{} is not of type 'string'", repr(item)),
                };
                return Err(Wrong { field: key.clone(), value: item, message, whole: false });
            }
            let mut odd: Vec<&str> = map.keys().map(String::as_str).filter(|key| !fits(key)).collect();
            odd.sort_unstable();
            if odd.is_empty() {
                return Ok(());
            }
            let verb = if odd.len() == 1 { "does" } else { "do" };
            wrong(format!(
                "{} {verb} not match any of the regexes: '^[a-zA-Z0-9-_:. ]{{1,255}}$'",
                listed(&odd)
            ))
        }
        Kind::List(items, least, most) | Kind::SetOrNull(items, least, most) => {
            let set = matches!(kind, Kind::SetOrNull(..));
            let Some(list) = value.as_array() else {
                return not_a(if set { "'array', 'null'" } else { "'array'" });
            };
            if list.len() < *least {
                return wrong(format!("{} {}", repr(value), short(*least)));
            }
            if list.len() > *most {
                return wrong(format!("{} is too long", repr(value)));
            }
            if set && list.iter().enumerate().any(|(i, item)| list[..i].contains(item)) {
                return wrong(format!("{} has non-unique elements", repr(value)));
            }
            for (i, item) in list.iter().enumerate() {
                walk(items, item, &i.to_string(), minor)?;
            }
            Ok(())
        }
        Kind::Object(fields) | Kind::Open(fields) => {
            let Some(map) = value.as_object() else { return not_a("'object'") };
            let existing = || fields.iter().filter(|f| f.exists(minor));
            for field in existing() {
                if let Some(item) = map.get(field.name) {
                    walk(&field.kind, item, field.name, minor)?;
                }
            }
            let needed = |f: &&Field| f.required || minor >= f.required_from;
            if let Some(field) = existing().filter(needed).find(|f| !map.contains_key(f.name)) {
                return wrong(format!("{} is a required property", quoted(field.name)));
            }
            let known = |key: &str| fields.iter().any(|f| f.name == key && f.exists(minor));
            let extra: Vec<&str> = map.keys().map(String::as_str).filter(|k| !known(k)).collect();
            if matches!(kind, Kind::Object(_)) && !extra.is_empty() {
                return wrong(unexpected(&extra));
            }
            Ok(())
        }
        Kind::TextOr(other) => match (value, other) {
            (Value::String(_), _) => Ok(()),
            (Value::Array(_), Kind::List(..)) | (Value::Object(_), Kind::Open(_)) => {
                walk(other, value, name, minor)
            }
            (_, Kind::List(..)) => not_a("'string', 'array'"),
            _ => not_a("'string', 'object'"),
        },
        Kind::OneOf(kinds) => {
            if kinds.iter().any(|k| walk(k, value, name, minor).is_ok()) {
                return Ok(());
            }
            wrong(format!("{} is not valid under any of the given schemas", repr(value)))
        }
    }
}

fn length(text: &str, value: &Value, least: usize, most: usize) -> Option<String> {
    let n = text.chars().count();
    if n < least {
        Some(format!("{} {}", repr(value), short(least)))
    } else if n > most {
        Some(format!("{} is too long", repr(value)))
    } else {
        None
    }
}

/// What jsonschema says of less than this.
fn short(least: usize) -> &'static str {
    if least == 1 { "should be non-empty" } else { "is too short" }
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|k| quoted(k)).collect::<Vec<_>>().join(", ")
}

pub(super) fn unexpected(extra: &[&str]) -> String {
    let mut sorted = extra.to_vec();
    sorted.sort_unstable();
    let verb = if extra.len() == 1 { "was" } else { "were" };
    format!("Additional properties are not allowed ({} {verb} unexpected)", listed(&sorted))
}
