//! JSON Schema, as far as OpenStack's services use it: one document is published and checks bodies.
//!
//! Messages are those of the library the services use, because clients show them and tests compare them.

use regex::Regex;
use serde_json::{Map, Value};

/// A schema that is ready to check with.
#[derive(Debug)]
pub struct Schema {
    root: Result<Node, String>,
}

#[derive(Debug, Default)]
struct Node {
    types: Vec<String>,
    choices: Option<Vec<Value>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<Regex>,
    uuid: bool,
    min_items: Option<u64>,
    unique: bool,
    items: Option<Box<Node>>,
    min_properties: Option<u64>,
    required: Vec<String>,
    properties: Vec<(String, Node)>,
    patterns: Vec<(Regex, Node)>,
    additional: Additional,
    any_of: Vec<Node>,
    needs: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Default)]
enum Additional {
    #[default]
    Allowed,
    Refused,
    Checked(Box<Node>),
}

impl Schema {
    /// `document` with its own `definitions`. A document that is no schema refuses every value, and says why.
    pub fn new(document: &Value) -> Schema {
        let none = Map::new();
        let definitions = document.get("definitions").and_then(Value::as_object).unwrap_or(&none);
        Schema { root: Node::read(document, definitions) }
    }

    /// What is wrong with `value`, in one sentence; None when nothing is.
    pub fn complaint(&self, value: &Value) -> Option<String> {
        match &self.root {
            Ok(root) => root.check(value).err(),
            Err(broken) => Some(broken.clone()),
        }
    }
}

impl Node {
    fn read(document: &Value, definitions: &Map<String, Value>) -> Result<Node, String> {
        if let Some(name) = document.get("$ref").and_then(Value::as_str) {
            let name = name.trim_start_matches("#/definitions/");
            let target = definitions
                .get(name)
                .ok_or_else(|| format!("the schema refers to {name}, which it lacks"))?;
            return Node::read(target, definitions);
        }
        let texts = |value: &Value| -> Vec<String> {
            match value {
                Value::String(one) => vec![one.clone()],
                Value::Array(many) => many.iter().filter_map(|v| v.as_str().map(Into::into)).collect(),
                _ => Vec::new(),
            }
        };
        let number = |key: &str| document.get(key).and_then(Value::as_f64);
        let count = |key: &str| document.get(key).and_then(Value::as_u64);
        let regex = |text: &str| Regex::new(text).map_err(|e| e.to_string());
        let mut node = Node {
            types: document.get("type").map(texts).unwrap_or_default(),
            choices: document.get("enum").and_then(Value::as_array).cloned(),
            minimum: number("minimum"),
            maximum: number("maximum"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            pattern: document.get("pattern").and_then(Value::as_str).map(regex).transpose()?,
            uuid: document.get("format").is_some_and(|f| f == "uuid"),
            min_items: count("minItems"),
            unique: document.get("uniqueItems").is_some_and(|u| u == true),
            min_properties: count("minProperties"),
            required: document.get("required").map(texts).unwrap_or_default(),
            ..Node::default()
        };
        if let Some(items) = document.get("items") {
            node.items = Some(Box::new(Node::read(items, definitions)?));
        }
        for (name, inner) in document.get("properties").and_then(Value::as_object).into_iter().flatten() {
            node.properties.push((name.clone(), Node::read(inner, definitions)?));
        }
        for (text, inner) in
            document.get("patternProperties").and_then(Value::as_object).into_iter().flatten()
        {
            node.patterns.push((regex(text)?, Node::read(inner, definitions)?));
        }
        node.additional = match document.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Additional::Allowed,
            Some(Value::Bool(false)) => Additional::Refused,
            Some(inner) => Additional::Checked(Box::new(Node::read(inner, definitions)?)),
        };
        for inner in document.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            node.any_of.push(Node::read(inner, definitions)?);
        }
        for (name, others) in
            document.get("dependentRequired").and_then(Value::as_object).into_iter().flatten()
        {
            node.needs.push((name.clone(), texts(others)));
        }
        Ok(node)
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        if !self.types.is_empty() && !self.types.iter().any(|t| is_type(value, t)) {
            let types: Vec<String> = self.types.iter().map(|t| format!("'{t}'")).collect();
            return Err(format!("{} is not of type {}", shown(value), types.join(", ")));
        }
        if let Some(choices) = &self.choices
            && !choices.contains(value)
        {
            return Err(format!("{} is not one of {}", shown(value), shown(&Value::Array(choices.clone()))));
        }
        if !self.any_of.is_empty() && self.any_of.iter().all(|n| n.check(value).is_err()) {
            return Err(format!("{} is not valid under any of the given schemas", shown(value)));
        }
        match value {
            Value::Number(_) => self.check_number(value),
            Value::String(text) => self.check_text(value, text),
            Value::Array(list) => self.check_list(value, list),
            Value::Object(object) => self.check_object(value, object),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn check_number(&self, value: &Value) -> Result<(), String> {
        let n = value.as_f64().unwrap_or_default();
        match (self.minimum, self.maximum) {
            (Some(least), _) if n < least => {
                Err(format!("{} is less than the minimum of {least}", shown(value)))
            }
            (_, Some(most)) if n > most => {
                Err(format!("{} is greater than the maximum of {most}", shown(value)))
            }
            _ => Ok(()),
        }
    }

    fn check_text(&self, value: &Value, text: &str) -> Result<(), String> {
        let length = text.chars().count() as u64;
        if self.min_length.is_some_and(|n| length < n) {
            return Err(format!("{} is too short", shown(value)));
        }
        if self.max_length.is_some_and(|n| length > n) {
            return Err(format!("{} is too long", shown(value)));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|p| !p.is_match(text)) {
            return Err(format!("{} does not match '{}'", shown(value), pattern.as_str()));
        }
        if self.uuid && !base::id::is_uuid(text) {
            return Err(format!("{} is not a 'uuid'", shown(value)));
        }
        Ok(())
    }

    fn check_list(&self, value: &Value, list: &[Value]) -> Result<(), String> {
        if self.min_items.is_some_and(|n| (list.len() as u64) < n) {
            return Err(format!("{} is too short", shown(value)));
        }
        if self.unique && list.iter().enumerate().any(|(i, v)| list[..i].contains(v)) {
            return Err(format!("{} has non-unique elements", shown(value)));
        }
        self.items.as_ref().map_or(Ok(()), |items| list.iter().try_for_each(|v| items.check(v)))
    }

    fn check_object(&self, value: &Value, object: &Map<String, Value>) -> Result<(), String> {
        if self.min_properties.is_some_and(|n| (object.len() as u64) < n) {
            return Err(format!("{} does not have enough properties", shown(value)));
        }
        if let Some(name) = self.required.iter().find(|name| !object.contains_key(*name)) {
            return Err(format!("'{name}' is a required property"));
        }
        for (name, others) in self.needs.iter().filter(|(name, _)| object.contains_key(name)) {
            if let Some(other) = others.iter().find(|other| !object.contains_key(*other)) {
                return Err(format!("'{other}' is a dependency of '{name}'"));
            }
        }
        for (name, inner) in object {
            let mut known = false;
            if let Some((_, node)) = self.properties.iter().find(|(n, _)| n == name) {
                known = true;
                node.check(inner)?;
            }
            for (_, node) in self.patterns.iter().filter(|(pattern, _)| pattern.is_match(name)) {
                known = true;
                node.check(inner)?;
            }
            match &self.additional {
                Additional::Checked(node) if !known => node.check(inner)?,
                Additional::Refused if !known && self.patterns.is_empty() => {
                    return Err(format!("Additional properties are not allowed ('{name}' was unexpected)"));
                }
                Additional::Refused if !known => {
                    let patterns: Vec<String> =
                        self.patterns.iter().map(|(p, _)| format!("'{}'", p.as_str())).collect();
                    return Err(format!(
                        "'{name}' does not match any of the regexes: {}",
                        patterns.join(", ")
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// A value as Python writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => {
            let pairs: Vec<String> = object.iter().map(|(k, v)| format!("'{k}': {}", shown(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Schema;

    #[test]
    fn a_broken_schema_refuses_everything() {
        assert!(Schema::new(&json!({"$ref": "#/definitions/x"})).complaint(&json!({})).is_some());
        assert!(Schema::new(&json!({"pattern": "["})).complaint(&json!("")).is_some());
    }

    #[test]
    fn bodies_are_checked_and_complaints_are_the_known_ones() {
        let schema = Schema::new(&json!({
            "type": "object",
            "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "maxLength": 3, "pattern": "^[a-z]+$"},
                "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
                "ids": {"type": "array", "uniqueItems": true, "items": {"type": "string", "format": "uuid"}},
                "kind": {"enum": ["a", null]},
                "map": {"$ref": "#/definitions/map"},
            },
            "definitions": {"map": {"type": "object", "patternProperties": {"^[A-Z]+$": {"type": "number"}}, "additionalProperties": false}},
        }));
        let id = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
        assert_eq!(
            schema
                .complaint(&json!({"name": "a", "size": null, "ids": [id], "kind": null, "map": {"A": 1.5}})),
            None
        );
        for (body, complaint) in [
            (json!([]), "[] is not of type 'object'"),
            (json!({}), "'name' is a required property"),
            (json!({"name": "a", "x": 1}), "Additional properties are not allowed ('x' was unexpected)"),
            (json!({"name": "abcd"}), "'abcd' is too long"),
            (json!({"name": "A"}), "'A' does not match '^[a-z]+$'"),
            (json!({"name": "a", "size": 0}), "0 is less than the minimum of 1"),
            (json!({"name": "a", "size": true}), "True is not of type 'integer', 'null'"),
            (json!({"name": "a", "ids": [id, id]}), &*format!("['{id}', '{id}'] has non-unique elements")),
            (json!({"name": "a", "ids": ["x"]}), "'x' is not a 'uuid'"),
            (json!({"name": "a", "kind": "b"}), "'b' is not one of ['a', None]"),
            (json!({"name": "a", "map": {"a": 1}}), "'a' does not match any of the regexes: '^[A-Z]+$'"),
        ] {
            assert_eq!(schema.complaint(&body).as_deref(), Some(complaint), "{body}");
        }
    }
}
