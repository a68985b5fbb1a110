//! A value against its kind, in jsonschema's words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// A value, and where it stands in the body.
#[derive(Clone, Copy)]
struct Place<'a, 'n> {
    value: &'a Value,
    name: &'n str,
    minor: u16,
}

impl<'a> Place<'a, '_> {
    fn wrong(self, message: String) -> Result<(), Wrong<'a>> {
        Err(Wrong { field: self.name.into(), value: self.value, message, whole: false })
    }

    fn not_a(self, kinds: &str) -> Result<(), Wrong<'a>> {
        self.wrong(format!("{} is not of type {kinds}", repr(self.value)))
    }

    /// jsonschema's word for what fits none of several schemas.
    fn fits_none(self) -> Result<(), Wrong<'a>> {
        self.wrong(format!("{} {NO_SCHEMA}", repr(self.value)))
    }

    /// A text that is well formed, or no text, or one that is not: `why` goes after the value.
    fn text_that(self, kinds: &str, is_so: impl Fn(&str) -> bool, why: &str) -> Result<(), Wrong<'a>> {
        match self.value.as_str() {
            None => self.not_a(kinds),
            Some(text) if is_so(text) => Ok(()),
            Some(_) => self.wrong(format!("{} {why}", repr(self.value))),
        }
    }
}

const TEXT: &str = "'string'";
const NO_SCHEMA: &str = "is not valid under any of the given schemas";

pub(super) fn walk<'a>(kind: &Kind, value: &'a Value, name: &str, minor: u16) -> Result<(), Wrong<'a>> {
    let at = Place { value, name, minor };
    match kind {
        Kind::Any => Ok(()),
        Kind::TextOrNull(..) | Kind::UuidOrNull | Kind::IntegerOrNull(..) | Kind::SetOrNull(..)
            if value.is_null() =>
        {
            Ok(())
        }
        Kind::Null if value.is_null() => Ok(()),
        Kind::Null => at.not_a("'null'"),
        Kind::Name => server_name(at),
        Kind::Text(least, most, test, pattern) => text(at, TEXT, (*least, *most), *test, pattern),
        Kind::TextOrNull(least, most, test, pattern) => {
            text(at, "'string', 'null'", (*least, *most), *test, pattern)
        }
        Kind::TextOrInteger => match value {
            Value::String(text) if text.is_empty() => at.wrong("'' should be non-empty".into()),
            Value::String(_) => Ok(()),
            Value::Number(n) if n.is_i64() || n.is_u64() => Ok(()),
            _ => at.not_a("'string', 'integer'"),
        },
        Kind::Prefix => at.text_that(TEXT, is_prefix, "does not match '^/[0-9a-f.:]+$'"),
        Kind::Label => label(at),
        Kind::Bool => boolean(at),
        Kind::Integer(least, most) => integer(at, "'integer', 'string'", *least, *most),
        Kind::IntegerOrNull(least, most) => integer(at, "'integer', 'string', 'null'", *least, *most),
        Kind::Number => match value {
            Value::Number(_) => Ok(()),
            Value::String(text) if text.parse::<f64>().is_ok() => Ok(()),
            _ => at.not_a("'number', 'string'"),
        },
        Kind::Uuid => at.text_that(TEXT, base::id::is_uuid, "is not a 'uuid'"),
        Kind::UuidOrNull => at.text_that("'string', 'null'", base::id::is_uuid, "is not a 'uuid'"),
        Kind::UuidOrEmpty => match value.as_str() {
            Some(text) if text.is_empty() || base::id::is_uuid(text) => Ok(()),
            _ => at.fits_none(),
        },
        Kind::Ip => at.text_that(TEXT, parses::<IpAddr>, NO_SCHEMA),
        Kind::Ipv4 => at.text_that(TEXT, parses::<Ipv4Addr>, "is not a 'ipv4'"),
        Kind::Ipv6 => at.text_that(TEXT, parses::<Ipv6Addr>, "is not a 'ipv6'"),
        Kind::Base64(most) => {
            at.text_that(TEXT, |text| decode_base64(text).is_some(), "is not a 'base64'")?;
            at.text_that(TEXT, |text| text.len() <= *most, "is too long")
        }
        Kind::Enum(allowed) => {
            let list = allowed.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(", ");
            at.text_that(TEXT, |text| allowed.contains(&text), &format!("is not one of [{list}]"))
        }
        Kind::Metadata { null, numbers } => metadata(at, *null, *numbers),
        Kind::List(items, least, most) => list(at, items, *least, *most, false),
        Kind::SetOrNull(items, least, most) => list(at, items, *least, *most, true),
        Kind::Object(fields) => object(at, fields, false),
        Kind::Open(fields) => object(at, fields, true),
        Kind::TextOr(other) => match (value, other) {
            (Value::String(_), _) => Ok(()),
            (Value::Array(_), Kind::List(..)) | (Value::Object(_), Kind::Open(_)) => {
                walk(other, value, name, minor)
            }
            (_, Kind::List(..)) => at.not_a("'string', 'array'"),
            _ => at.not_a("'string', 'object'"),
        },
        Kind::OneOf(kinds) => match kinds.iter().any(|k| walk(k, value, name, minor).is_ok()) {
            true => Ok(()),
            false => at.fits_none(),
        },
    }
}

fn parses<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn server_name<'a>(at: Place<'a, '_>) -> Result<(), Wrong<'a>> {
    let Some(text) = at.value.as_str() else { return at.not_a(TEXT) };
    if text.trim() != text || !text.chars().all(printable) {
        let message = "An invalid 'name' value was provided. The name must be: printable characters. \
                       Can not start or end with whitespace.";
        return Err(Wrong { field: at.name.into(), value: at.value, message: message.into(), whole: true });
    }
    length(text, at.value, 1, 255).map_or(Ok(()), |message| at.wrong(message))
}

fn text<'a>(
    at: Place<'a, '_>,
    kinds: &str,
    (least, most): (usize, usize),
    test: fn(char) -> bool,
    pattern: &str,
) -> Result<(), Wrong<'a>> {
    let Some(text) = at.value.as_str() else { return at.not_a(kinds) };
    if let Some(message) = length(text, at.value, least, most) {
        return at.wrong(message);
    }
    if text.chars().all(test) {
        return Ok(());
    }
    // Nova tells its pattern, which for printable text is a list of all of Unicode.
    let why = match pattern {
        "" => "has characters that cannot be printed".to_owned(),
        pattern => format!("does not match {}", quoted(pattern)),
    };
    at.wrong(format!("{} {why}", repr(at.value)))
}

fn is_prefix(text: &str) -> bool {
    let good = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '.' | ':');
    text.strip_prefix('/').is_some_and(|rest| !rest.is_empty() && rest.chars().all(good))
}

fn label<'a>(at: Place<'a, '_>) -> Result<(), Wrong<'a>> {
    let is_label = |text: &str| {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain && text.len() >= 2 && !text.starts_with('-') && !text.ends_with('-')
    };
    at.text_that(TEXT, is_label, "does not match '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$'")?;
    at.text_that(TEXT, |text| text.len() <= 63, "is too long")
}

fn boolean<'a>(at: Place<'a, '_>) -> Result<(), Wrong<'a>> {
    match flag(at.value) {
        Some(_) => Ok(()),
        None if !at.value.is_string() => at.not_a("'boolean', 'string'"),
        None => at.wrong(format!(
            "{} is not one of [True, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', \
             False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']",
            repr(at.value)
        )),
    }
}

fn integer<'a>(at: Place<'a, '_>, kinds: &str, least: i64, most: i64) -> Result<(), Wrong<'a>> {
    let number = match at.value {
        Value::Number(n) => match n.as_i64() {
            Some(n) => n,
            None if n.is_u64() => i64::MAX,
            None => return at.not_a(kinds),
        },
        Value::String(text) => {
            let digits = text.strip_prefix('-').filter(|_| least < 0).unwrap_or(text);
            if text.is_empty() && least >= 0 {
                return at.wrong("'' should be non-empty".into());
            }
            if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() {
                let pattern = if least < 0 { "^-?[0-9]+$" } else { "^[0-9]*$" };
                return at.wrong(format!("{} does not match '{pattern}'", repr(at.value)));
            }
            text.parse().unwrap_or(i64::MAX)
        }
        _ => return at.not_a(kinds),
    };
    if number < least {
        return at.wrong(format!("{number} is less than the minimum of {least}"));
    }
    if number > most {
        return at.wrong(format!("{} is greater than the maximum of {most}", bare(at.value)));
    }
    Ok(())
}

fn metadata<'a>(at: Place<'a, '_>, null: bool, numbers: bool) -> Result<(), Wrong<'a>> {
    let Some(map) = at.value.as_object() else { return at.not_a("'object'") };
    let good = |c: char| c.is_ascii_alphanumeric() || "-_:. ".contains(c);
    let fits = |key: &str| !key.is_empty() && key.len() <= 255 && key.chars().all(good);
    for (key, item) in map.iter().filter(|(key, _)| fits(key)) {
        let message = match item {
            Value::String(text) if text.chars().count() <= 255 => continue,
            Value::String(_) => format!("{} is too long", repr(item)),
            Value::Null if null => continue,
            Value::Number(_) if numbers => continue,
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
    at.wrong(format!("{} {verb} not match any of the regexes: '^[a-zA-Z0-9-_:. ]{{1,255}}$'", listed(&odd)))
}

/// `set`: null is a value, too, and nothing is there twice.
fn list<'a>(at: Place<'a, '_>, items: &Kind, least: usize, most: usize, set: bool) -> Result<(), Wrong<'a>> {
    let Some(list) = at.value.as_array() else {
        return at.not_a(if set { "'array', 'null'" } else { "'array'" });
    };
    if list.len() < least {
        return at.wrong(format!("{} {}", repr(at.value), short(least)));
    }
    if list.len() > most {
        return at.wrong(format!("{} is too long", repr(at.value)));
    }
    if set && list.iter().enumerate().any(|(i, item)| list[..i].contains(item)) {
        return at.wrong(format!("{} has non-unique elements", repr(at.value)));
    }
    for (i, item) in list.iter().enumerate() {
        walk(items, item, &i.to_string(), at.minor)?;
    }
    Ok(())
}

/// `open`: others than its fields may be there.
fn object<'a>(at: Place<'a, '_>, fields: &[Field], open: bool) -> Result<(), Wrong<'a>> {
    let Some(map) = at.value.as_object() else { return at.not_a("'object'") };
    let existing = || fields.iter().filter(|f| f.exists(at.minor));
    for field in existing() {
        if let Some(item) = map.get(field.name) {
            walk(&field.kind, item, field.name, at.minor)?;
        }
    }
    let needed = |f: &&Field| f.required || at.minor >= f.required_from;
    if let Some(field) = existing().filter(needed).find(|f| !map.contains_key(f.name)) {
        return at.wrong(format!("{} is a required property", quoted(field.name)));
    }
    let known = |key: &str| fields.iter().any(|f| f.name == key && f.exists(at.minor));
    let extra: Vec<&str> = map.keys().map(String::as_str).filter(|k| !known(k)).collect();
    if !open && !extra.is_empty() {
        return at.wrong(unexpected(&extra));
    }
    Ok(())
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
