//! `POST /v2.1/servers/{id}/action`: the body's only key names the action.

use std::sync::Arc;

use base::{Ctx, Error, Policy};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Path, Response, Result, State, no_content};

use super::{PowerState, Server, TaskState, VmState, api, network_api, policy, rules, store};
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};
use crate::{Nova, consoles, floating_ips};

/// The first microversion whose servers take no floating or fixed addresses by an action: ports do.
const ADDRESS_ACTIONS_GONE: u16 = 44;

pub async fn action(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result<Response> {
    let name = match body.as_object().map(|m| (m.len(), m.keys().next())) {
        Some((1, Some(name))) => name.clone(),
        _ => return Err(Error::bad_request("Malformed request body").into()),
    };
    match name.as_str() {
        "os-start" => {
            let states = &[VmState::Stopped];
            nova.wish(&ctx, &id, &policy::START, "start", TaskState::PoweringOn, states).await?;
        }
        "os-stop" => {
            let states = &[VmState::Active, VmState::Error];
            nova.wish(&ctx, &id, &policy::STOP, "stop", TaskState::PoweringOff, states).await?;
        }
        "pause" => {
            let states = &[VmState::Active];
            nova.wish(&ctx, &id, &policy::PAUSE, "pause", TaskState::Pausing, states).await?;
        }
        "unpause" => {
            let states = &[VmState::Paused];
            nova.wish(&ctx, &id, &policy::UNPAUSE, "unpause", TaskState::Unpausing, states).await?;
        }
        "reboot" => reboot(&nova, &ctx, &id, &body).await?,
        "lock" => lock(&nova, &ctx, &id, &body).await?,
        "unlock" => unlock(&nova, &ctx, &id).await?,
        "forceDelete" => {
            api::request_delete(&nova, &ctx, &id, &policy::FORCE_DELETE).await?;
            return Ok(no_content(202));
        }
        "os-resetState" => reset_state(&nova, &ctx, &id, &body).await?,
        "os-getConsoleOutput" => return console(&nova, &ctx, &id, &body).await,
        "addSecurityGroup" => network_api::add_group(&nova, &ctx, &id, &body).await?,
        "removeSecurityGroup" => network_api::remove_group(&nova, &ctx, &id, &body).await?,
        "os-getVNCConsole" | "os-getSPICEConsole" | "os-getRDPConsole" | "os-getSerialConsole" => {
            return consoles::api::legacy(&nova, &ctx, &origin, &id, &name, &body).await;
        }
        "addFloatingIp" => {
            crate::query::before(&ctx, ADDRESS_ACTIONS_GONE)?;
            floating_ips::associate::add(&nova, &ctx, &id, &body).await?;
        }
        "removeFloatingIp" => {
            crate::query::before(&ctx, ADDRESS_ACTIONS_GONE)?;
            floating_ips::associate::remove(&nova, &ctx, &id, &body).await?;
        }
        other => {
            // Of a server that is not there nothing is an action: Nova answers so for the actions that are missing here.
            store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
            return Err(crate::query::no_such_action(other).into());
        }
    }
    Ok(no_content(202))
}

impl Nova {
    /// Writes a wish that needs the server to rest in one of these states.
    async fn wish(
        &self,
        ctx: &Ctx,
        id: &str,
        policy: &Policy,
        action: &'static str,
        task: TaskState,
        states: &[VmState],
    ) -> base::Result<()> {
        self.change(ctx, id, policy, action, |server| {
            rules::check_state(server, action, states)?;
            server.task_state = Some(task);
            Ok(())
        })
        .await
    }

    /// One change to one server, recorded as an action that the reconciler ends.
    async fn change(
        &self,
        ctx: &Ctx,
        id: &str,
        policy: &Policy,
        action: &'static str,
        change: impl Fn(&mut Server) -> base::Result<()> + Send + Sync,
    ) -> base::Result<()> {
        db::write!(self.db, |tx| {
            let mut server = store::find(tx, ctx, id).await?;
            ctx.authorize(policy, Some(&server.project_id))?;
            rules::check_lock(ctx, &server)?;
            change(&mut server)?;
            server.attempts = 0;
            store::save(tx, ctx, "server.update", &server).await?;
            actions::start(tx, ctx, id, &server.project_id, action).await
        })?;
        self.waker.wake(id);
        Ok(())
    }
}

const REBOOT: &[Field] =
    &[Field::new("type", Kind::Enum(&["HARD", "Hard", "hard", "SOFT", "Soft", "soft"])).required()];

async fn reboot(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
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

const LOCK: &[Field] = &[Field::new("locked_reason", Kind::Text(1, 255, schema::ANY_CHAR, ""))];

async fn lock(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let reason = match &body["lock"] {
        Value::Null => None,
        _ if !ctx.at_least(2, 73) => None,
        _ => {
            let fields = schema::body(body, "lock", LOCK, ctx.microversion.minor)?;
            fields.get("locked_reason").and_then(Value::as_str)
        }
    };
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::LOCK, Some(&server.project_id))?;
        // An owner does not take an admin's lock over.
        let is_owner = ctx.project().is_some_and(|p| p.id == server.project_id);
        if !(is_owner && server.locked_by.as_deref() == Some("admin")) {
            server.locked_by = Some(if is_owner { "owner" } else { "admin" }.into());
            server.locked_reason = reason.map(Into::into);
        }
        store::save(tx, ctx, "server.lock", &server).await?;
        actions::record(tx, ctx, id, &server.project_id, "lock").await
    })
}

async fn unlock(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::UNLOCK, Some(&server.project_id))?;
        if server.locked_by.as_deref() == Some("admin") && !ctx.is_admin() {
            return Err(rules::forbidden(&policy::UNLOCK_OVERRIDE));
        }
        server.locked_by = None;
        server.locked_reason = None;
        store::save(tx, ctx, "server.unlock", &server).await?;
        actions::record(tx, ctx, id, &server.project_id, "unlock").await
    })
}

const RESET: &[Field] = &[Field::new("state", Kind::Enum(&["active", "error"])).required()];

/// An admin says what the state is; the reconciler then looks at the machine.
async fn reset_state(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    ctx.authorize(&policy::RESET_STATE, None)?;
    let fields = schema::body(body, "os-resetState", RESET, ctx.microversion.minor)?;
    let active = fields["state"] == "active";
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        server.vm_state = if active { VmState::Active } else { VmState::Error };
        server.task_state = None;
        server.attempts = 0;
        store::save(tx, ctx, "server.update", &server).await?;
        actions::finish(tx, id, None).await?;
        actions::record(tx, ctx, id, &server.project_id, "resetState").await
    })?;
    nova.waker.wake(id);
    Ok(())
}

const CONSOLE: &[Field] =
    &[Field::new("length", Kind::OneOf(&[Kind::Integer(-1, i64::MAX), Kind::UuidOrNull]))];

async fn console(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<Response> {
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
