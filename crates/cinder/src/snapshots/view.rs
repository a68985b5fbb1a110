//! JSON of snapshots.

use base::Ctx;
use base::time::micros_naive;
use serde_json::{Value, json};

use super::Snapshot;

pub fn summary(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id,
        "created_at": micros_naive(snapshot.created_at),
        "updated_at": snapshot.updated_at.map(micros_naive),
        "name": snapshot.name,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
        "status": snapshot.status,
        "size": snapshot.size,
        "metadata": snapshot.metadata,
    })
}

/// As an answer to its maker: without the attributes of extensions.
pub fn made(ctx: &Ctx, snapshot: &Snapshot) -> Value {
    let mut body = summary(snapshot);
    if ctx.at_least(3, 14) {
        body["group_snapshot_id"] = json!(snapshot.group_snapshot_id);
    }
    if ctx.at_least(3, 41) {
        body["user_id"] = json!(snapshot.user_id);
    }
    if ctx.at_least(3, 65) {
        body["consumes_quota"] = json!(true);
    }
    body
}

pub fn detail(ctx: &Ctx, snapshot: &Snapshot) -> Value {
    let mut body = made(ctx, snapshot);
    body["os-extended-snapshot-attributes:project_id"] = json!(snapshot.project_id);
    body["os-extended-snapshot-attributes:progress"] = json!(snapshot.progress);
    body
}
