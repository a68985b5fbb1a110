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
    body["connection_info"] = connection.map_or_else(
        || json!({}),
        |connection| {
            let mut info = connection.info();
            info["attachment_id"] = json!(one.id);
            info
        },
    );
    body
}
