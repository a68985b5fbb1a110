//! Attachments as JSON.

use base::Ctx;
use serde_json::{Map, Value, json};

use super::BlockDevice;

pub(super) fn detail(ctx: &Ctx, device: &BlockDevice) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    if !ctx.at_least(2, 89) {
        put("id", json!(device.volume_id));
    }
    put("volumeId", json!(device.volume_id));
    put("serverId", json!(device.server_id));
    if let Some(name) = &device.device_name {
        put("device", json!(name));
    }
    if ctx.at_least(2, 70) {
        put("tag", json!(device.tag));
    }
    if ctx.at_least(2, 79) {
        put("delete_on_termination", json!(device.delete_on_termination));
    }
    if ctx.at_least(2, 89) {
        put("attachment_id", json!(device.attachment_id));
        put("bdm_uuid", json!(device.id));
    }
    Value::Object(out)
}

/// What the attaching call answers until 2.100: the device is told even where there is none yet.
pub(super) fn made(ctx: &Ctx, device: &BlockDevice) -> Value {
    let mut out = json!({
        "id": device.volume_id,
        "volumeId": device.volume_id,
        "serverId": device.server_id,
        "device": device.device_name,
    });
    if ctx.at_least(2, 70) {
        out["tag"] = json!(device.tag);
    }
    if ctx.at_least(2, 79) {
        out["delete_on_termination"] = json!(device.delete_on_termination);
    }
    out
}
