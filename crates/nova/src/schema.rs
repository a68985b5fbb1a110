//! Bodies against tables of fields. Nova checks every body with JSON Schema and clients show (and test) its messages,
//! so the words here are those of jsonschema with Nova's frame around them.
//!
//! A body is a `const` list of [`Field`]s; a field may exist only from or until a microversion. Checking is separate
//! from reading: after it, handlers read the value knowing its shape.

use base::{Error, Result};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Any,
    /// Printable, 1 to 255 characters, no white space around.
    Name,
    /// A string of (least, most) characters that the test accepts; the text is the pattern told to the client.
    Text(usize, usize, fn(char) -> bool, &'static str),
    TextOrNull(usize, usize, fn(char) -> bool, &'static str),
    /// A DNS label of 2 to 63 characters.
    Label,
    /// true, "True", "on" and so on.
    Bool,
    /// An integer or its decimal digits, in (least, most).
    Integer(i64, i64),
    Number,
    Uuid,
    UuidOrEmpty,
    UuidOrNull,
    Ip,
    /// An address of the family, or nothing where (as for accessIPv4) empty means none.
    Ipv4,
    Ipv6,
    /// At most this many characters.
    Base64(usize),
    Enum(&'static [&'static str]),
    /// Keys of letters, digits and `-_:. `; values of up to 255 characters; null values where allowed.
    Metadata {
        null: bool,
        numbers: bool,
    },
    /// Items and the (least, most) number of them.
    List(&'static Kind, usize, usize),
    Object(&'static [Field]),
    /// Known fields are checked, others pass.
    Open(&'static [Field]),
    OneOf(&'static [Kind]),
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    kind: Kind,
    required: bool,
    from: u16,
    until: u16,
    required_from: u16,
}

impl Field {
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Field { name, kind, required: false, from: 0, until: u16::MAX, required_from: u16::MAX }
    }

    pub const fn required(self) -> Self {
        Field { required: true, ..self }
    }

    /// Must be there from this microversion on.
    pub const fn required_from(self, minor: u16) -> Self {
        Field { required_from: minor, ..self }
    }

    /// Exists from this microversion on.
    pub const fn from(self, minor: u16) -> Self {
        Field { from: minor, ..self }
    }

    /// Exists up to and including this microversion.
    pub const fn until(self, minor: u16) -> Self {
        Field { until: minor, ..self }
    }

    fn exists(&self, minor: u16) -> bool {
        (self.from..=self.until).contains(&minor)
    }
}

pub const ANY_CHAR: fn(char) -> bool = |_| true;
pub const PRINTABLE: fn(char) -> bool = printable;
pub const MAX_INT: i64 = 0x7FFF_FFFF;
pub const TAG: Kind = Kind::Text(1, 60, |c| c != '/' && c != ',', "^[^,/]*$");

fn printable(c: char) -> bool {
    !c.is_control() && c != '\u{2028}' && c != '\u{2029}'
}

/// `{key: {fields}}`; the answer is the inner object.
pub fn body<'a>(
    body: &'a Value,
    key: &str,
    fields: &'static [Field],
    minor: u16,
) -> Result<&'a Map<String, Value>> {
    let inner = root(body, &[key])?
        .get(key)
        .ok_or_else(|| Error::bad_request(format!("{} is a required property", quoted(key))))?;
    check(&Kind::Object(fields), inner, key, minor)?;
    object(inner, key)
}

/// The outer object, which may have only these keys.
pub fn root<'a>(body: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>> {
    let Some(map) = body.as_object() else {
        return Err(Error::bad_request(format!("{} is not of type 'object'", repr(body))));
    };
    let extra: Vec<&str> = map.keys().map(String::as_str).filter(|k| !keys.contains(k)).collect();
    if extra.is_empty() { Ok(map) } else { Err(Error::bad_request(unexpected(&extra))) }
}

/// One value under its name.
pub fn check(kind: &Kind, value: &Value, name: &str, minor: u16) -> Result<()> {
    walk(kind, value, name, minor).map_err(|wrong| {
        Error::bad_request(format!(
            "Invalid input for field/attribute {}. Value: {}. {}",
            wrong.field,
            bare(wrong.value),
            wrong.message
        ))
    })
}

/// Nova's frame around a message of our own.
pub fn invalid(field: &str, value: &Value, message: &str) -> Error {
    Error::bad_request(format!(
        "Invalid input for field/attribute {field}. Value: {}. {message}",
        bare(value)
    ))
}

fn object<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| invalid(name, value, &format!("{} is not of type 'object'", repr(value))))
}

struct Wrong<'a> {
    field: String,
    value: &'a Value,
    message: String,
}

fn walk<'a>(kind: &Kind, value: &'a Value, name: &str, minor: u16) -> Result<(), Wrong<'a>> {
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

fn unexpected(extra: &[&str]) -> String {
    let list = extra.iter().map(|k| quoted(k)).collect::<Vec<_>>().join(", ");
    let verb = if extra.len() == 1 { "was" } else { "were" };
    format!("Additional properties are not allowed ({list} {verb} unexpected)")
}

/// A checked boolean.
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(text) => match text.as_str() {
            "True" | "TRUE" | "true" | "1" | "ON" | "On" | "on" | "YES" | "Yes" | "yes" => Some(true),
            "False" | "FALSE" | "false" | "0" | "OFF" | "Off" | "off" | "NO" | "No" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A checked integer.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A string, or the digits of a number (flavorRef may be either).
pub fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// As Python's decoder: line breaks are fine, wrong padding is not.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(compact).ok()
}

/// The value as Nova interpolates it: a string bare, everything else as Python prints it.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| repr(value), str::to_owned)
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Python's repr of a JSON value.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let items: Vec<_> = map.iter().map(|(k, v)| format!("{}: {}", quoted(k), repr(v))).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        Field::new("name", Kind::Name).required(),
        Field::new("count", Kind::Integer(1, MAX_INT)),
        Field::new("description", Kind::TextOrNull(0, 255, PRINTABLE, "")).from(19),
        Field::new("personality", Kind::Any).until(56),
        Field::new("metadata", Kind::Metadata { null: false, numbers: false }),
        Field::new(
            "networks",
            Kind::OneOf(&[
                Kind::Enum(&["auto", "none"]),
                Kind::List(&Kind::Object(&[Field::new("uuid", Kind::Uuid)]), 0, 9),
            ]),
        )
        .required_from(37),
    ];

    fn told(value: Value, minor: u16) -> String {
        body(&json!({"server": value}), "server", FIELDS, minor).map_or_else(|e| e.message, |_| "fine".into())
    }

    #[test]
    fn messages_are_novas() {
        let is = |value, minor, text: &str| assert_eq!(told(value, minor), text);
        is(json!({"name": "a", "count": "2"}), 1, "fine");
        is(json!({"name": ""}), 1, "Invalid input for field/attribute name. Value: . '' is too short");
        is(
            json!({"name": 3}),
            1,
            "Invalid input for field/attribute name. Value: 3. 3 is not of type 'string'",
        );
        is(
            json!({"count": 0, "name": "a"}),
            1,
            "Invalid input for field/attribute count. Value: 0. 0 is less than the minimum of 1",
        );
        is(
            json!({"count": 1}),
            1,
            "Invalid input for field/attribute server. Value: {'count': 1}. 'name' is a required property",
        );
        is(
            json!({"name": "a", "description": null}),
            18,
            "Invalid input for field/attribute server. Value: {'name': 'a', 'description': None}. Additional \
             properties are not allowed ('description' was unexpected)",
        );
        is(json!({"name": "a", "description": null}), 19, "fine");
        is(
            json!({"name": "a", "metadata": {"k": 1}}),
            1,
            "Invalid input for field/attribute k. Value: 1. 1 is not of type 'string'",
        );
        assert!(told(json!({"name": "a"}), 37).ends_with("'networks' is a required property"));
        is(json!({"name": "a", "networks": "auto"}), 37, "fine");
        is(
            json!({"name": "a", "networks": [{"uuid": "x"}]}),
            37,
            "Invalid input for field/attribute uuid. Value: x. 'x' is not a 'uuid'",
        );
        assert_eq!(
            root(&json!({"a": 1, "b": 2, "server": {}}), &["server"]).unwrap_err().message,
            "Additional properties are not allowed ('a', 'b' were unexpected)"
        );
    }

    #[test]
    fn strings_print_as_python_prints_them() {
        assert_eq!(repr(&json!(["it's", "a\"b'c", "x\n"])), r#"["it's", 'a"b\'c', 'x\n']"#);
    }
}
