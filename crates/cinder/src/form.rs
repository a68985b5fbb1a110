//! Bodies: `{"volume": {..}}`, checked key by key, in the words of Cinder's own validation.

use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use serde_json::{Map, Value};

/// 404 for a call that the asked microversion does not have yet.
pub fn since(ctx: &Ctx, minor: u16) -> Result<()> {
    match ctx.at_least(3, minor) {
        true => Ok(()),
        false => Err(Error::not_found("The resource could not be found.")),
    }
}

pub struct Form<'a> {
    map: &'a Map<String, Value>,
}

fn refused(key: &str, value: &Value, complaint: &str) -> Error {
    Error::bad_request(format!("Invalid input for field/attribute {key}. Value: {value}. {complaint}"))
}

/// OpenStack's spellings of a boolean in bodies.
pub fn boolean(key: &str, value: &Value) -> Result<bool> {
    let known = match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
            "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    known.ok_or_else(|| refused(key, value, &format!("{value} is not a boolean")))
}

/// A map of texts: metadata, specs. `None` for null values, where they are allowed.
pub fn texts(key: &str, value: &Value, nulls: bool) -> Result<BTreeMap<String, String>> {
    let Value::Object(map) = value else {
        return Err(refused(key, value, &format!("{value} is not of type 'object'")));
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:. /".contains(c);
    let mut found = BTreeMap::new();
    for (name, value) in map {
        if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
            return Err(refused(key, value, &format!("'{name}' is not a valid key")));
        }
        match value {
            Value::String(text) if text.chars().count() <= 255 => found.insert(name.clone(), text.clone()),
            Value::String(_) => return Err(refused(name, value, "It is too long")),
            Value::Null if nulls => found.insert(name.clone(), String::new()),
            other => return Err(refused(name, value, &format!("{other} is not of type 'string'"))),
        };
    }
    Ok(found)
}

impl<'a> Form<'a> {
    /// The body holds `key` and nothing else, and that is an object of `known` keys (none: of any).
    pub fn of(body: &'a Value, key: &str, known: &[&str]) -> Result<Form<'a>> {
        let Value::Object(outer) = body else {
            return Err(Error::bad_request(format!("{body} is not of type 'object'")));
        };
        let Some(inner) = outer.get(key) else {
            return Err(Error::bad_request(format!("'{key}' is a required property")));
        };
        if let Some(other) = outer.keys().find(|k| *k != key) {
            return Err(Error::bad_request(format!(
                "Additional properties are not allowed ('{other}' was unexpected)"
            )));
        }
        Self::inner(inner, key, known)
    }

    pub fn inner(value: &'a Value, key: &str, known: &[&str]) -> Result<Form<'a>> {
        let Value::Object(map) = value else {
            return Err(refused(key, value, &format!("{value} is not of type 'object'")));
        };
        if !known.is_empty()
            && let Some(other) = map.keys().find(|k| !known.contains(&k.as_str()))
        {
            let complaint = format!("Additional properties are not allowed ('{other}' was unexpected)");
            return Err(refused(key, value, &complaint));
        }
        Ok(Form { map })
    }

    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// None when absent or null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn require(&self, key: &str) -> Result<&'a Value> {
        self.map.get(key).ok_or_else(|| Error::bad_request(format!("'{key}' is a required property")))
    }

    pub fn text(&self, key: &str, least: usize) -> Result<Option<&'a str>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Some(text) = value.as_str() else {
            return Err(refused(key, value, &format!("{value} is not of type 'string', 'null'")));
        };
        if text.chars().count() > 255 {
            return Err(refused(key, value, &format!("{value} is too long")));
        }
        if text.chars().count() < least {
            return Err(refused(key, value, &format!("{value} is too short")));
        }
        Ok(Some(text))
    }

    pub fn required_text(&self, key: &str) -> Result<&'a str> {
        let value = self.require(key)?;
        self.text(key, 1)?.ok_or_else(|| refused(key, value, "None is not of type 'string'"))
    }

    pub fn uuid(&self, key: &str) -> Result<Option<&'a str>> {
        let Some(text) = self.text(key, 0)? else { return Ok(None) };
        match base::id::is_uuid(text) {
            true => Ok(Some(text)),
            false => Err(refused(key, &self.map[key], &format!("'{text}' is not a 'uuid'"))),
        }
    }

    pub fn required_uuid(&self, key: &str) -> Result<&'a str> {
        let value = self.require(key)?;
        self.uuid(key)?.ok_or_else(|| refused(key, value, "None is not a 'uuid'"))
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key).map(|value| boolean(key, value)).transpose()
    }

    pub fn required_flag(&self, key: &str) -> Result<bool> {
        boolean(key, self.require(key)?)
    }

    pub fn texts(&self, key: &str) -> Result<Option<BTreeMap<String, String>>> {
        self.get(key).map(|value| texts(key, value, false)).transpose()
    }

    /// A number from 1 to what a database's integer holds, or its digits.
    pub fn size(&self, key: &str) -> Result<Option<i64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (1..=i64::from(i32::MAX)).contains(&number) => Ok(Some(number)),
            Some(number) if number < 1 => {
                Err(refused(key, value, &format!("{number} is less than the minimum of 1")))
            }
            Some(number) => {
                Err(refused(key, value, &format!("{number} is greater than the maximum of {}", i32::MAX)))
            }
            None => Err(refused(key, value, &format!("{value} is not of type 'integer'"))),
        }
    }

    pub fn one_of(&self, key: &str, choices: &[&str]) -> Result<Option<&'a str>> {
        let Some(text) = self.text(key, 0)? else { return Ok(None) };
        match choices.contains(&text) {
            true => Ok(Some(text)),
            false => Err(refused(
                key,
                &self.map[key],
                &format!("'{text}' is not one of {choices:?}").replace('"', "'"),
            )),
        }
    }

    pub fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// `name` and `description`, by their older names as well: Some when given, and then maybe null.
    pub fn named(&self, names: [&str; 2]) -> Result<Option<Option<String>>> {
        for name in names {
            if self.has(name) {
                return Ok(Some(self.text(name, 0)?.map(|text| text.trim().to_owned())));
            }
        }
        Ok(None)
    }
}

/// The name of an action and its body: `{"os-extend": {..}}`.
pub fn action(body: &Value) -> Result<(&str, &Value)> {
    let map = body.as_object().filter(|map| map.len() == 1);
    let first = map.and_then(|map| map.iter().next());
    first.map(|(name, value)| (name.as_str(), value)).ok_or_else(|| {
        Error::bad_request("There is no such action: None. Verify the request body and Content-Type.")
    })
}
