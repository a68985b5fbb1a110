//! Actions as JSON, by microversion.

use base::Ctx;
use base::time::micros_naive;
use serde_json::{Value, json};

use super::Action;

pub(super) fn brief(ctx: &Ctx, action: &Action) -> Value {
    let message = if action.result.as_deref() == Some("Error") { Some("Error") } else { None };
    let mut out = json!({
        "action": action.action,
        "instance_uuid": action.server_id,
        "request_id": action.request_id,
        "user_id": action.user_id,
        "project_id": action.project_id,
        "start_time": micros_naive(action.started_at),
        "message": message,
    });
    if ctx.at_least(2, 58) {
        out["updated_at"] = json!(micros_naive(action.updated_at));
    }
    out
}

/// Nova's name for the step on the compute host.
fn event_name(action: &str) -> String {
    match action {
        "create" => "compute__do_build_and_run_instance".into(),
        "delete" => "compute_terminate_instance".into(),
        "lock" | "unlock" => format!("api_{action}"),
        other => format!("compute_{}_instance", other.replace('-', "_")),
    }
}

pub(super) fn full(ctx: &Ctx, action: &Action, host: Option<&str>, host_id: &str) -> Value {
    let mut out = brief(ctx, action);
    // Users see events from 2.51 on, admins always; what went wrong inside is for admins.
    if !ctx.is_admin() && !ctx.at_least(2, 51) {
        return out;
    }
    let mut event = json!({
        "event": event_name(&action.action),
        "start_time": micros_naive(action.started_at),
        "finish_time": action.finished_at.map(micros_naive),
        "result": action.result,
    });
    if ctx.is_admin() {
        event["traceback"] = json!(action.details);
    }
    if ctx.at_least(2, 62) {
        if ctx.is_admin() {
            event["host"] = json!(host);
        }
        event["hostId"] = json!(host_id);
    }
    if ctx.at_least(2, 84) {
        event["details"] = json!(action.message);
    }
    out["events"] = json!([event]);
    out
}
