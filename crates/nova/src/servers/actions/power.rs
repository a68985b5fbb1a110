//! Reboots, crash dumps, and what the guest wrote on its console.

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Response, Result};

use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};
use crate::servers::{PowerState, TaskState, VmState, policy, rules, store};

const REBOOT: &[Field] =
    &[Field::new("type", Kind::Enum(&["HARD", "Hard", "hard", "SOFT", "Soft", "soft"])).required()];

pub(super) async fn reboot(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "reboot", REBOOT, ctx.microversion.minor)?;
    let hard = fields["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case("hard"));
    nova.change(ctx, id, &policy::REBOOT, "reboot", |server| {
        if hard {
            rules::check_hard_reboot(server)?;
        } else {
            rules::check_state(server, "reboot", &[VmState::Active])?;
        }
        server.task_state = Some(if hard { TaskState::RebootingHard } else { TaskState::Rebooting });
        Ok(())
    })
    .await?;
    if hard {
        nova.preempt(id);
    }
    Ok(())
}

const DUMPABLE: &[VmState] =
    &[VmState::Active, VmState::Paused, VmState::Rescued, VmState::Resized, VmState::Error];

/// At once and without a trace in the row: what comes of it is the guest's affair.
pub(super) async fn crash_dump(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    if !body["trigger_crash_dump"].is_null() {
        let given = &body["trigger_crash_dump"];
        return Err(schema::invalid("trigger_crash_dump", given, &format!("{given} is not of type 'null'")));
    }
    let server = nova.seen(ctx, id, &policy::CRASH_DUMP).await?;
    rules::check_lock(ctx, &server)?;
    rules::check_state(&server, "trigger_crash_dump", DUMPABLE)?;
    let done = nova.hypervisor.interrupt(id).await;
    if let Err(error) = &done {
        tracing::warn!(server = id, %error, "the guest could not be interrupted");
    }
    let told = done.err().map(|error| error.to_string());
    db::write!(nova.db, |tx| {
        actions::start(tx, ctx, id, &server.project_id, "trigger_crash_dump").await?;
        let told = told.as_deref().map(|text| (text, text));
        actions::end(tx, id, &ctx.request_id, told).await
    })
}

const CONSOLE: &[Field] = &[Field::new("length", Kind::IntegerOrNull(-1, i64::MAX))];

pub(super) async fn console(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<Response> {
    let fields = schema::body(body, "os-getConsoleOutput", CONSOLE, ctx.microversion.minor)?;
    // -1, null and nothing: all of it.
    let lines = fields.get("length").and_then(schema::integer).and_then(|n| usize::try_from(n).ok());
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(&policy::CONSOLE, Some(&server.project_id))?;
    if server.host.is_none() || server.power_state == PowerState::NoState && server.launched_at.is_none() {
        return Err(Error::conflict(format!("Instance {id} is not ready")).into());
    }
    let text = nova.hypervisor.console_log(id, lines).await.map_err(|e| {
        tracing::warn!(server = id, error = %e, "the console log could not be read");
        Error::not_found("Guest does not have a console available.").because(e)
    })?;
    // Nova counts what is behind the last line break as a line too.
    let all: Vec<&str> = text.split('\n').collect();
    let tail = all[all.len() - lines.unwrap_or(all.len()).min(all.len())..].join("\n");
    let shown: String = tail.chars().filter(|c| matches!(c, '\t' | '\n') || u32::from(*c) >= 0x20).collect();
    Ok(web::json(200, &json!({"output": shown})))
}
