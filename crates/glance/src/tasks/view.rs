//! Task JSON.

use base::time::seconds_z;
use serde_json::{Value, json};

use super::Task;

/// As in a list.
pub fn brief(task: &Task) -> Value {
    let mut out = json!({
        "id": task.id, "type": task.kind, "status": task.status.as_str(), "owner": task.owner,
        "created_at": seconds_z(task.created_at), "updated_at": seconds_z(task.updated_at),
        "self": format!("/v2/tasks/{}", task.id), "schema": "/v2/schemas/task",
    });
    if let Some(at) = task.expires_at {
        out["expires_at"] = json!(seconds_z(at));
    }
    out
}

pub fn whole(task: &Task) -> Value {
    let mut out = brief(task);
    out["input"] = task.input.clone();
    out["result"] = task.result.clone().unwrap_or_default();
    out["message"] = json!(task.message);
    out["request_id"] = json!(task.request_id);
    out["user_id"] = json!(task.user_id);
    if let Some(id) = &task.image_id {
        out["image_id"] = json!(id);
    }
    out
}

/// As in the list of an image's tasks, which shows the rows as they are.
pub fn of_image(task: &Task) -> Value {
    json!({
        "id": task.id, "type": task.kind, "status": task.status.as_str(), "owner": task.owner,
        "input": task.input, "result": task.result, "message": task.message, "image_id": task.image_id,
        "request_id": task.request_id, "user_id": task.user_id, "deleted": false, "deleted_at": null,
        "expires_at": task.expires_at.map(base::time::micros_naive),
        "created_at": base::time::micros_naive(task.created_at),
        "updated_at": base::time::micros_naive(task.updated_at),
    })
}
