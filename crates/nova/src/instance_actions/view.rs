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

/// Nova's names for the steps on the compute host.
fn event_names(action: &str) -> Vec<String> {
    let one = match action {
        "create" => "compute__do_build_and_run_instance",
        "delete" => "compute_terminate_instance",
        "resize" | "migrate" => {
            let steps = ["cold_migrate", "compute_prep_resize", "compute_resize_instance"];
            return steps.into_iter().chain(["compute_finish_resize"]).map(str::to_owned).collect();
        }
        "revertResize" => {
            return ["compute_revert_resize", "compute_finish_revert_resize"].map(str::to_owned).to_vec();
        }
        "confirmResize" => "compute_confirm_resize",
        "createImage" => "compute_snapshot_instance",
        "createBackup" => "compute_backup_instance",
        "changePassword" => "compute_set_admin_password",
        "shelveOffload" => "compute_shelve_offload_instance",
        "trigger_crash_dump" => "compute_trigger_crash_dump",
        "attach_interface" | "detach_interface" | "attach_volume" | "detach_volume" | "extend_volume" => {
            return vec![format!("compute_{action}")];
        }
        "live-migration" => "conductor_live_migrate_instance",
        "evacuate" => "conductor_rebuild_instance",
        "lock" | "unlock" => return vec![format!("api_{action}")],
        "resetState" => return Vec::new(),
        other => return vec![format!("compute_{}_instance", other.replace('-', "_"))],
    };
    vec![one.to_owned()]
}

pub(super) fn full(ctx: &Ctx, action: &Action, host: Option<&str>, host_id: &str) -> Value {
    let mut out = brief(ctx, action);
    // Users see events from 2.51 on, admins always; what went wrong inside is for admins.
    if !ctx.is_admin() && !ctx.at_least(2, 51) {
        return out;
    }
    let events = event_names(&action.action).into_iter().map(|name| event(ctx, action, &name, host, host_id));
    out["events"] = events.collect();
    out
}

fn event(ctx: &Ctx, action: &Action, name: &str, host: Option<&str>, host_id: &str) -> Value {
    let mut event = json!({
        "event": name,
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
    event
}
