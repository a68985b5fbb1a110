//! What an inventory's JSON must be, and may say.

use std::sync::LazyLock;

use base::{Ctx, Error, Result};
use serde_json::{Value, json};
use web::schema::Schema;

use super::Inventory;

/// MySQL's INTEGER, which clients take for the largest amount.
const MOST: i64 = 2_147_483_647;

/// What is in a record: its own keys, and those of the call around it.
pub fn record(also: &[(&str, Value)], required: &[&str]) -> Value {
    let whole = |least: i64| json!({"type": "integer", "maximum": MOST, "minimum": least});
    let mut document = json!({
        "type": "object",
        "properties": {
            "resource_provider_generation": {"type": "integer"},
            "total": whole(1), "reserved": whole(0), "min_unit": whole(1), "max_unit": whole(1),
            "step_size": whole(1), "allocation_ratio": {"type": "number", "maximum": 3.402_82e38},
        },
        "required": required,
        "additionalProperties": false,
    });
    for (name, inner) in also {
        document["properties"][*name] = inner.clone();
    }
    document
}

/// All of a provider's inventories, as `PUT` takes them.
pub fn whole() -> Value {
    json!({
        "type": "object",
        "properties": {
            "resource_provider_generation": {"type": "integer"},
            "inventories": {"type": "object", "patternProperties": {"^[A-Z0-9_]+$": record(&[], &["total"])}},
        },
        "required": ["resource_provider_generation", "inventories"],
        "additionalProperties": false,
    })
}

pub static ONE: LazyLock<Schema> =
    LazyLock::new(|| Schema::new(&record(&[], &["total", "resource_provider_generation"])));
pub static NEW: LazyLock<Schema> = LazyLock::new(|| {
    let class = json!({"type": "string", "pattern": "^[A-Z0-9_]+$"});
    Schema::new(&record(&[("resource_class", class)], &["total", "resource_class"]))
});
pub static ALL: LazyLock<Schema> = LazyLock::new(|| Schema::new(&whole()));

pub fn read(class: &str, body: &Value) -> Inventory {
    let whole = |key: &str, default: i64| body.get(key).and_then(Value::as_i64).unwrap_or(default);
    Inventory {
        resource_class: class.into(),
        total: whole("total", 0),
        reserved: whole("reserved", 0),
        min_unit: whole("min_unit", 1),
        max_unit: whole("max_unit", MOST),
        step_size: whole("step_size", 1),
        allocation_ratio: body.get("allocation_ratio").and_then(Value::as_f64).unwrap_or(1.0),
        used: 0,
        updated_at: base::time::now(),
    }
}

pub fn read_all(body: &Value) -> Vec<Inventory> {
    let all = body.get("inventories").and_then(Value::as_object);
    all.into_iter().flatten().map(|(class, inner)| read(class, inner)).collect()
}

/// Reserving all of it is a way of closing a provider; it is understood since 1.26.
pub fn check_capacity(ctx: &Ctx, provider: &str, inventories: &[Inventory], words: &str) -> Result<()> {
    let all_may_be_reserved = ctx.at_least(1, 26);
    for i in inventories {
        let capacity = i.capacity() as i64;
        if capacity < 0 || (capacity == 0 && !all_may_be_reserved) {
            let than =
                if all_may_be_reserved { "greater than total." } else { "greater than or equal to total." };
            return Err(Error::bad_request(format!(
                "{words} {provider}: Invalid inventory for '{}' on resource provider '{provider}'. The reserved value is {than}",
                i.resource_class
            )));
        }
    }
    Ok(())
}
