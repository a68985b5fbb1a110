//! What the bodies of allocations must be, by microversion, and what they say.

use std::sync::LazyLock;

use base::Ctx;
use serde_json::{Map, Value, json};
use web::schema::Schema;

use super::Change;

const UUID: &str = "^[0-9a-fA-F-]{36}$";
/// Projects and users of consumers that were made before 1.8, when nobody said whose they are.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

fn resources() -> Value {
    json!({
        "type": "object", "minProperties": 1, "additionalProperties": false,
        "patternProperties": {"^[A-Z0-9_]+$": {"type": "integer", "minimum": 1}},
    })
}

/// The body for one consumer at 1.`minor`. `may_be_empty`: taking everything away is a way of setting.
fn document(minor: u16, may_be_empty: bool) -> Value {
    let name = json!({"type": "string", "minLength": 1, "maxLength": 255});
    let mut properties = Map::new();
    let mut required = vec!["allocations"];
    let allocations = if minor < 12 {
        json!({"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["resource_provider", "resources"], "additionalProperties": false,
            "properties": {
                "resource_provider": {
                    "type": "object", "required": ["uuid"], "additionalProperties": false,
                    "properties": {"uuid": {"type": "string", "format": "uuid"}},
                },
                "resources": resources(),
            },
        }})
    } else {
        json!({
            "type": "object", "minProperties": u64::from(!may_be_empty), "additionalProperties": false,
            "patternProperties": {(UUID): {
                "type": "object", "required": ["resources"], "additionalProperties": false,
                "properties": {"generation": {"type": "integer"}, "resources": resources()},
            }},
        })
    };
    properties.insert("allocations".into(), allocations);
    if minor >= 8 {
        for key in ["project_id", "user_id"] {
            properties.insert(key.into(), name.clone());
            required.push(key);
        }
    }
    if minor >= 28 {
        properties.insert("consumer_generation".into(), json!({"type": ["integer", "null"]}));
        required.push("consumer_generation");
    }
    if minor >= 34 {
        properties.insert(
            "mappings".into(),
            json!({"type": "object", "minProperties": 1, "patternProperties": {
                "[a-zA-Z0-9_-]{1,64}": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "uuid"}},
            }}),
        );
    }
    if minor >= 38 {
        properties.insert(
            "consumer_type".into(),
            json!({"type": "string", "pattern": "^[A-Z0-9_]+$", "minLength": 1, "maxLength": 255}),
        );
        required.push("consumer_type");
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Many consumers at once.
pub fn many(minor: u16, least: u64) -> Value {
    json!({
        "type": "object", "minProperties": least, "additionalProperties": false,
        "patternProperties": {(UUID): document(minor, true)},
    })
}

/// (first minor version, schema), newest last.
pub type ByVersion = LazyLock<Vec<(u16, Schema)>>;

pub static ONE: ByVersion = LazyLock::new(|| {
    [0, 8, 12, 28, 34, 38].into_iter().map(|m| (m, Schema::new(&document(m, m >= 28)))).collect()
});
pub static MANY: ByVersion =
    LazyLock::new(|| [13, 28, 34, 38].into_iter().map(|m| (m, Schema::new(&many(m, 1)))).collect());

pub fn schema<'a>(all: &'a [(u16, Schema)], ctx: &Ctx) -> Option<&'a Schema> {
    all.iter().rev().find(|(minor, _)| ctx.at_least(1, *minor)).map(|(_, schema)| schema)
}

/// A body that was checked, as a value.
pub fn read(ctx: &Ctx, consumer: &str, body: &Value) -> Change {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let amounts = |resources: &Value| -> Vec<(String, i64)> {
        let pairs = resources.as_object().into_iter().flatten();
        pairs.map(|(class, n)| (class.clone(), n.as_i64().unwrap_or(i64::MAX))).collect()
    };
    let allocations = match body.get("allocations") {
        Some(Value::Array(list)) => list
            .iter()
            .map(|a| {
                let provider = a["resource_provider"]["uuid"].as_str().unwrap_or_default();
                (provider.to_owned(), amounts(&a["resources"]))
            })
            .collect(),
        Some(Value::Object(map)) => {
            map.iter().map(|(provider, a)| (provider.clone(), amounts(&a["resources"]))).collect()
        }
        _ => Vec::new(),
    };
    Change {
        consumer: consumer.to_owned(),
        project: text("project_id").unwrap_or_else(|| NOBODY.into()),
        user: text("user_id").unwrap_or_else(|| NOBODY.into()),
        generation: ctx.at_least(1, 28).then(|| body.get("consumer_generation").and_then(Value::as_i64)),
        kind: ctx.at_least(1, 38).then(|| text("consumer_type")).flatten(),
        allocations,
    }
}

pub fn read_many(ctx: &Ctx, body: &Value) -> Vec<Change> {
    body.as_object().into_iter().flatten().map(|(consumer, inner)| read(ctx, consumer, inner)).collect()
}
