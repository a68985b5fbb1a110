//! Server groups as JSON, by microversion.

use base::Ctx;
use serde_json::{Value, json};

use super::ServerGroup;

pub(super) fn full(ctx: &Ctx, group: &ServerGroup, members: &[String]) -> Value {
    let mut out = json!({"id": group.id, "name": group.name, "members": members});
    if ctx.at_least(2, 64) {
        out["policy"] = json!(group.policy);
        out["rules"] = match group.max_server_per_host {
            Some(most) => json!({"max_server_per_host": most}),
            None => json!({}),
        };
    } else {
        out["policies"] = json!([group.policy]);
        out["metadata"] = json!({});
    }
    if ctx.at_least(2, 13) {
        out["project_id"] = json!(group.project_id);
        out["user_id"] = json!(group.user_id);
    }
    out
}
