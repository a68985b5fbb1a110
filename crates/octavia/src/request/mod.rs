//! Bodies in Octavia's manner: each noun has a table of its attributes, which checks what comes in.
//!
//! ```text
//! {"listener": {..}} ─► member() ─► Attr table ─► Fields (complete on create, what was given on update)
//! ```

mod check;
pub mod listing;

use base::{Error, Result};
pub use check::shown;
use serde_json::{Map, Value};

use crate::fault;

/// What an attribute's value must be.
#[derive(Debug, Clone, Copy)]
pub enum Is {
    Flag,
    /// From, to.
    Number(i64, i64),
    /// At most so many characters.
    Text(usize),
    Uuid,
    One(&'static [&'static str]),
    OneNumber(&'static [i64]),
    HttpVersion,
    Address,
    Networks,
    Texts(usize),
    Uuids,
    Choices(&'static [&'static str]),
    /// Header names to texts.
    Headers,
    UrlPath,
    Url,
    /// A text of this shape.
    Shape(&'static str),
    Object(&'static [Attr]),
    Objects(&'static [Attr]),
}

/// What an attribute is when a create does not say.
#[derive(Debug, Clone, Copy)]
pub enum Else {
    Null,
    Flag(bool),
    Number(i64),
    Text(&'static str),
    Empty,
    EmptyMap,
    /// Left out of the fields, too: not a property of the thing.
    Absent,
}

impl Else {
    pub fn value(self) -> Value {
        match self {
            Else::Null | Else::Absent => Value::Null,
            Else::Flag(flag) => flag.into(),
            Else::Number(number) => number.into(),
            Else::Text(text) => text.into(),
            Else::Empty => Value::Array(Vec::new()),
            Else::EmptyMap => Value::Object(Map::new()),
        }
    }
}

/// When an attribute may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Both,
    Create,
    /// On create, and must be.
    Required,
    /// Must be on create, and may be changed.
    Needed,
}

impl When {
    fn is_required(self) -> bool {
        matches!(self, When::Required | When::Needed)
    }

    fn is_updated(self) -> bool {
        matches!(self, When::Both | When::Needed)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Attr {
    pub name: &'static str,
    pub is: Is,
    pub when: When,
    pub otherwise: Else,
}

pub const fn attr(name: &'static str, is: Is, when: When, otherwise: Else) -> Attr {
    Attr { name, is, when, otherwise }
}

pub type Fields = Map<String, Value>;

/// What stands under `name` in a body.
pub fn member<'a>(body: &'a Value, name: &str) -> Result<&'a Value> {
    let Some(whole) = body.as_object() else {
        return Err(Error::bad_request(format!("Invalid JSON string: {}", shown(body))));
    };
    if let Some(other) = whole.keys().find(|key| *key != name) {
        return Err(Error::bad_request(format!("Unknown attribute: {other}")));
    }
    whole
        .get(name)
        .filter(|value| !value.is_null())
        .ok_or_else(|| Error::bad_request(format!("Missing argument: \"{name}\"")))
}

/// The fields of something new, with what is usual for those that were not given.
pub fn created(attrs: &[Attr], value: &Value) -> Result<Fields> {
    let given = object(attrs, value, |_| true)?;
    let mut fields = Fields::new();
    for attr in attrs {
        match given.get(attr.name) {
            None if attr.when.is_required() => {
                return Err(fault::input(attr.name, "None", "Mandatory field missing."));
            }
            Some(Value::Null) if attr.when.is_required() => {
                return Err(fault::input(attr.name, "None", "Mandatory field missing."));
            }
            Some(Value::Null) if matches!(attr.is, Is::Flag) => {
                fields.insert(attr.name.into(), false.into());
            }
            Some(Value::Null) | None => {
                if !matches!(attr.otherwise, Else::Absent) {
                    fields.insert(attr.name.into(), attr.otherwise.value());
                }
            }
            Some(given) => {
                fields.insert(attr.name.into(), check::value(attr, given)?);
            }
        }
    }
    Ok(fields)
}

/// What an update says. A null is what the attribute is when nobody says.
pub fn updated(attrs: &[Attr], value: &Value) -> Result<Fields> {
    let given = object(attrs, value, |attr| attr.when.is_updated())?;
    let mut fields = Fields::new();
    for attr in attrs.iter().filter(|attr| attr.when.is_updated()) {
        let value = match given.get(attr.name) {
            None => continue,
            Some(Value::Null) if attr.name == "admin_state_up" => false.into(),
            Some(Value::Null) if attr.when.is_required() => {
                return Err(fault::invalid_option("None", attr.name));
            }
            Some(Value::Null) => attr.otherwise.value(),
            Some(given) => check::value(attr, given)?,
        };
        fields.insert(attr.name.into(), value);
    }
    Ok(fields)
}

fn object<'a>(attrs: &[Attr], value: &'a Value, known: impl Fn(&Attr) -> bool) -> Result<&'a Fields> {
    let given =
        value.as_object().ok_or_else(|| Error::bad_request(format!("Invalid input: {}", shown(value))))?;
    let mut unknown: Vec<&str> = given
        .keys()
        .map(String::as_str)
        .filter(|key| !matches!(*key, "project_id" | "tenant_id"))
        .filter(|key| !attrs.iter().any(|attr| attr.name == *key && known(attr)))
        .collect();
    unknown.sort_unstable();
    match unknown.as_slice() {
        [] => Ok(given),
        [one] => Err(Error::bad_request(format!("Unknown attribute: {one}"))),
        many => Err(Error::bad_request(format!("Unknown attributes: {}", many.join(", ")))),
    }
}

/// What only a create of a whole load balancer says is unknown elsewhere.
pub fn refuse(fields: &Fields, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| fields.contains_key(**name)) {
        Some(name) => Err(Error::bad_request(format!("Unknown attribute: {name}"))),
        None => Ok(()),
    }
}

/// For what may be missing where a whole load balancer is created, and not elsewhere.
pub fn require<'a>(fields: &'a Fields, name: &str) -> Result<&'a str> {
    match fields.text(name) {
        "" => Err(fault::input(name, "None", "Mandatory field missing.")),
        text => Ok(text),
    }
}

/// Field access that does not care whether it is missing or null.
pub trait Look {
    fn text(&self, name: &str) -> &str;
    fn number(&self, name: &str) -> Option<i64>;
    fn flag(&self, name: &str) -> bool;
    fn list(&self, name: &str) -> &[Value];
    fn is_set(&self, name: &str) -> bool;
}

impl Look for Fields {
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn list(&self, name: &str) -> &[Value] {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_set(&self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        }
    }
}
