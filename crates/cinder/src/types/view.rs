//! JSON of volume types.

use base::Ctx;
use serde_json::{Map, Value, json};

use super::VolumeType;
use crate::policy;

/// What anybody may know of a type's extra specs; the others may tell of the backend.
pub const VISIBLE_SPECS: [&str; 3] = ["RESKEY:availability_zones", "multiattach", "replication_enabled"];

pub fn specs(ctx: &Ctx, one: &VolumeType) -> Map<String, Value> {
    let seen =
        one.extra_specs.iter().filter(|(key, _)| ctx.is_admin() || VISIBLE_SPECS.contains(&key.as_str()));
    seen.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// As an answer to a change.
pub fn changed(ctx: &Ctx, one: &VolumeType) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "is_public": one.is_public,
        "description": one.description,
        "extra_specs": specs(ctx, one),
    })
}

/// As an answer to its maker.
pub fn made(ctx: &Ctx, one: &VolumeType) -> Value {
    let mut body = changed(ctx, one);
    body["os-volume-type-access:is_public"] = json!(one.is_public);
    body
}

pub fn detail(ctx: &Ctx, one: &VolumeType) -> Value {
    let mut body = changed(ctx, one);
    if ctx.is_admin() {
        body["qos_specs_id"] = json!(one.qos_id);
    }
    if ctx.authorize(&policy::TYPE_PUBLICITY, None).is_ok() {
        body["os-volume-type-access:is_public"] = json!(one.is_public);
    }
    body
}
