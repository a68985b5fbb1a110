//! Request bodies against Keystone's schemas, with the messages of its validator.
//!
//! Keystone's objects are open: attributes that it does not know are kept and given back. [`Fields`] hands out the
//! known ones, each checked, and what is left over are the extra ones.

use base::Error;
use serde_json::{Map, Value};

pub struct Fields {
    map: Map<String, Value>,
}

/// A value as Python prints it, since that is what clients read in these messages.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => {
            let short: String = s.chars().take(300).collect();
            format!("'{short}'")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let inner: Vec<_> = map.iter().map(|(k, v)| format!("'{k}': {}", repr(v))).collect();
            format!("{{{}}}", inner.join(", "))
        }
    }
}

pub fn invalid(field: &str, detail: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid input for field '{field}': {detail}"))
}

pub fn wrong_type(field: &str, value: &Value, wanted: &str) -> Error {
    invalid(field, format!("{} is not of type {wanted}", repr(value)))
}

fn check_length(field: &str, text: &str, min: usize, max: usize) -> Result<(), Error> {
    let length = text.chars().count();
    if length < min {
        return Err(invalid(field, format!("'{text}' is too short")));
    }
    if length > max {
        return Err(invalid(field, format!("{} is too long", repr(&Value::String(text.into())))));
    }
    Ok(())
}

fn check_name(field: &str, text: &str, max: usize) -> Result<(), Error> {
    check_length(field, text, 1, max)?;
    if text.chars().all(char::is_whitespace) {
        return Err(invalid(field, format!("'{text}' does not match '[\\\\S]+'")));
    }
    Ok(())
}

pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Fields {
    /// The object under `noun` in a body.
    pub fn of(body: Value, noun: &str) -> Result<Self, Error> {
        let Value::Object(mut body) = body else {
            return Err(Error::bad_request(format!("{} is not of type 'object'", repr(&body))));
        };
        match body.shift_remove(noun) {
            Some(Value::Object(map)) => Ok(Fields { map }),
            Some(other) => Err(wrong_type(noun, &other, "'object'")),
            None => Err(Error::bad_request(format!("'{noun}' is a required property"))),
        }
    }

    /// One of several in a list.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Fields { map }),
            other => Err(Error::bad_request(format!("{} is not of type 'object'", repr(&other)))),
        }
    }

    /// As [`Fields::of`] for a PATCH: at least one attribute, and no other id than the URL's.
    pub fn patch(body: Value, noun: &str, id: &str) -> Result<Self, Error> {
        let mut fields = Fields::of(body, noun)?;
        if fields.map.is_empty() {
            return Err(Error::bad_request("{} does not have enough properties"));
        }
        match fields.map.shift_remove("id") {
            None => {}
            Some(Value::String(same)) if same == id => {}
            Some(_) => return Err(Error::bad_request(format!("Cannot change {noun} ID"))),
        }
        Ok(fields)
    }

    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key)
    }

    pub fn required(key: &str) -> Error {
        Error::bad_request(format!("'{key}' is a required property"))
    }

    /// A non-blank string up to `max` characters.
    pub fn name(&mut self, key: &str, max: usize) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => {
                check_name(key, &text, max)?;
                Ok(Some(text))
            }
            Some(other) => Err(wrong_type(key, &other, "'string'")),
        }
    }

    pub fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(key, &other, "'string'")),
        }
    }

    /// Outer None: not in the body; inner None: JSON null.
    pub fn nullable_text(&mut self, key: &str) -> Result<Option<Option<String>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text))),
            Some(other) => Err(wrong_type(key, &other, "'string', 'null'")),
        }
    }

    pub fn id(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => check_id(key, value).map(Some),
        }
    }

    pub fn nullable_id(&mut self, key: &str) -> Result<Option<Option<String>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => check_id(key, value).map(|id| Some(Some(id))),
        }
    }

    pub fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong_type(key, &other, "'boolean'")),
        }
    }

    pub fn integer(&mut self, key: &str, min: i64, max: i64) -> Result<Option<i64>, Error> {
        match self.nullable_integer(key, min, max)? {
            None => Ok(None),
            Some(Some(number)) => Ok(Some(number)),
            Some(None) => Err(wrong_type(key, &Value::Null, "'integer'")),
        }
    }

    /// Outer None: not in the body; inner None: JSON null.
    pub fn nullable_integer(&mut self, key: &str, min: i64, max: i64) -> Result<Option<Option<i64>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => match value.as_i64() {
                Some(number) if number < min => {
                    Err(invalid(key, format!("{number} is less than the minimum of {min}")))
                }
                Some(number) if number > max => {
                    Err(invalid(key, format!("{number} is greater than the maximum of {max}")))
                }
                Some(number) => Ok(Some(Some(number))),
                None => Err(wrong_type(key, &value, "'integer'")),
            },
        }
    }

    pub fn object(&mut self, key: &str) -> Result<Option<Map<String, Value>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(wrong_type(key, &other, "'object'")),
        }
    }

    pub fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, Error> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(wrong_type(key, &other, "'array'")),
        }
    }

    /// An absolute URL, leniently: templates like `$(project_id)s` are part of it.
    pub fn url(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.text(key)? {
            None => Ok(None),
            Some(url) => {
                check_length(key, &url, 0, 225)?;
                let good = url.split_once(':').is_some_and(|(scheme, rest)| {
                    !rest.is_empty()
                        && !scheme.is_empty()
                        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
                });
                if good {
                    Ok(Some(url))
                } else {
                    Err(invalid(key, format!("'{url}' does not match '^[a-zA-Z0-9+.-]+:.+'")))
                }
            }
        }
    }

    /// What no one asked for: the extra attributes. `links` and `id` are ours to say.
    pub fn extra(mut self) -> Map<String, Value> {
        self.map.shift_remove("links");
        self.map.shift_remove("id");
        self.map
    }

    /// For the closed schemas.
    pub fn nothing_else(self) -> Result<(), Error> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::bad_request(format!(
                "Additional properties are not allowed ('{key}' was unexpected)"
            ))),
        }
    }
}

/// `expires_at` of trusts and application credentials: an instant that is not over.
pub fn expiry(text: &str) -> Result<i64, Error> {
    const FAULT: &str = "The server could not comply with the request since it is either malformed or otherwise \
                         incorrect. The client is assumed to be in error.";
    let end = base::time::parse(text)
        .ok_or_else(|| Error::bad_request(format!("Timestamp not in expected format. {FAULT}")))?;
    if end <= base::time::now() {
        return Err(Error::bad_request(format!("The 'expires_at' must not be before now. {FAULT}")));
    }
    Ok(end)
}

/// The list under `noun` in a body, with something in it.
pub fn items(body: Value, noun: &str) -> Result<Vec<Value>, Error> {
    let mut fields = Fields::from_value(body)?;
    let items = fields.list(noun)?.ok_or_else(|| Fields::required(noun))?;
    fields.nothing_else()?;
    if items.is_empty() {
        return Err(invalid(noun, "[] is too short"));
    }
    Ok(items)
}

fn check_id(key: &str, value: Value) -> Result<String, Error> {
    match value {
        Value::String(text) if is_id(&text) => Ok(text),
        Value::String(text) => {
            check_length(key, &text, 1, 64)?;
            Err(invalid(key, format!("'{text}' does not match '^[a-zA-Z0-9-]+$'")))
        }
        other => Err(wrong_type(key, &other, "'string'")),
    }
}

/// A view with the extra attributes.
pub fn with_extra(mut view: Value, extra: &Map<String, Value>) -> Value {
    for (key, value) in extra {
        view[key] = value.clone();
    }
    view
}

/// Lays a PATCH's extra attributes over the stored ones.
pub fn merge(stored: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        stored.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn speaks_as_the_validator_does() {
        let message = |body: Value, f: fn(&mut Fields) -> Result<Option<String>, Error>| {
            f(&mut Fields::of(json!({"user": body}), "user").unwrap()).unwrap_err().message
        };
        let name = |f: &mut Fields| f.name("name", 255);
        assert_eq!(message(json!({"name": ""}), name), "Invalid input for field 'name': '' is too short");
        assert_eq!(
            message(json!({"name": 1}), name),
            "Invalid input for field 'name': 1 is not of type 'string'"
        );
        assert_eq!(
            message(json!({"name": null}), name),
            "Invalid input for field 'name': None is not of type 'string'"
        );
        assert!(message(json!({"name": "  "}), name).contains("does not match"));
        assert!(message(json!({"url": "nourl"}), |f| f.url("url")).contains("does not match"));
        assert!(Fields::of(json!([]), "user").is_err());
        assert!(Fields::patch(json!({"user": {}}), "user", "x").is_err());
        assert!(Fields::patch(json!({"user": {"id": "y"}}), "user", "x").is_err());
    }
}
