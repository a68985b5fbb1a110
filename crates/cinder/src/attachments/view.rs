//! JSON of attachments.

use base::time::micros_naive;
use serde_json::{Value, json};

use super::Attachment;
use crate::compute::Connection;

pub fn summary(one: &Attachment) -> Value {
    json!({
        "id": one.id,
        "status": one.status,
        "instance": one.server_id,
        "volume_id": one.volume_id,
    })
}

/// `connection`: where the volume is, if the attachment was told.
pub fn detail(one: &Attachment, connection: Option<&Connection>) -> Value {
    let mut body = summary(one);
    body["attached_at"] = one.attached_at.map_or_else(|| json!(""), |at| json!(micros_naive(at)));
    body["detached_at"] = json!("");
    body["attach_mode"] = json!(one.mode.as_deref().unwrap_or("null"));
    body["connection_info"] = connection.map_or_else(|| json!({}), |connection| info(one, connection));
    body
}

/// Other than the older action's answer it is flat: what is in `data` there stands beside the rest.
fn info(one: &Attachment, connection: &Connection) -> Value {
    let mut info = connection.info();
    let mut flat = info["data"].take();
    let connector: Value =
        one.connector.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for (key, value) in info.as_object().into_iter().flatten().filter(|(key, _)| *key != "data") {
        flat[key] = value.clone();
    }
    flat["attachment_id"] = json!(one.id);
    flat["enforce_multipath"] = json!(connector["enforce_multipath"].as_bool().unwrap_or(false));
    flat
}
