//! Bodies against tables of fields. Nova checks every body with JSON Schema and clients show (and test) its messages,
//! so the words here are those of jsonschema with Nova's frame around them.
//!
//! A body is a `const` list of [`Field`]s; a field may exist only from or until a microversion. Checking is separate
//! from reading: after it, handlers read the value knowing its shape.

mod check;
mod python;
#[cfg(test)]
mod tests;

use base::{Error, Result};
use serde_json::{Map, Value};

use self::check::{unexpected, walk};
use self::python::{bare, quoted, repr};

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Any,
    Null,
    /// Printable, 1 to 255 characters, no white space around.
    Name,
    /// A string of (least, most) characters that the test accepts; the text is the pattern told to the client.
    Text(usize, usize, fn(char) -> bool, &'static str),
    TextOrNull(usize, usize, fn(char) -> bool, &'static str),
    /// Any text but none, or an integer.
    TextOrInteger,
    /// A DNS label of 2 to 63 characters.
    Label,
    /// `/` and the length of a prefix, as the scheduler hint `cidr` has it.
    Prefix,
    /// true, "True", "on" and so on.
    Bool,
    /// An integer or its decimal digits, in (least, most).
    Integer(i64, i64),
    IntegerOrNull(i64, i64),
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
    /// The same with items that all differ, or null.
    SetOrNull(&'static Kind, usize, usize),
    Object(&'static [Field]),
    /// Known fields are checked, others pass.
    Open(&'static [Field]),
    OneOf(&'static [Kind]),
    /// A string, or what the other kind (a list or an object) asks of its like.
    TextOr(&'static Kind),
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
    let map = outer(body)?;
    // What is inside is looked at first, then what is missing, and then what there should not be.
    if let Some(inner) = map.get(key) {
        check(&Kind::Object(fields), inner, key, minor)?;
    }
    object(required(map, key)?, key).and_then(|inner| root(body, &[key]).map(|_| inner))
}

fn outer(body: &Value) -> Result<&Map<String, Value>> {
    body.as_object().ok_or_else(|| Error::bad_request(format!("{} is not of type 'object'", repr(body))))
}

pub fn required<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a Value> {
    map.get(key).ok_or_else(|| Error::bad_request(format!("{} is a required property", quoted(key))))
}

/// The outer object, which may have only these keys.
pub fn root<'a>(body: &'a Value, keys: &[&str]) -> Result<&'a Map<String, Value>> {
    let map = outer(body)?;
    let extra: Vec<&str> = map.keys().map(String::as_str).filter(|k| !keys.contains(k)).collect();
    if extra.is_empty() { Ok(map) } else { Err(Error::bad_request(unexpected(&extra))) }
}

/// One value under its name.
pub fn check(kind: &Kind, value: &Value, name: &str, minor: u16) -> Result<()> {
    walk(kind, value, name, minor).map_err(|wrong| {
        if wrong.whole {
            return Error::bad_request(wrong.message);
        }
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
