//! `POST /v2.1/servers/{id}/action`: the body's only key names the action.

mod admin;
mod fixed_ips;
mod images;
mod lock;
mod power;
mod rebuild;
mod rescue;
mod resize;
mod shelve;
mod volume_images;

use std::sync::Arc;

use base::{Ctx, Error, Policy};
use serde_json::Value;
use web::{Caller, Json, Origin, Path, Response, Result, State, no_content};

use super::{Server, Spec, TaskState, VmState, api, network_api, policy, rules, store};
use crate::instance_actions::store as actions;
use crate::{Nova, consoles, floating_ips};

/// The first microversion whose servers take no floating or fixed addresses by an action: ports do.
const ADDRESS_ACTIONS_GONE: u16 = 44;

use VmState::{Active, Error as Failed, Paused, Stopped, Suspended};

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
    let (nova, ctx, id) = (&*nova, &ctx, &*id);
    match name.as_str() {
        "os-start" => {
            nova.wish(ctx, id, &policy::START, "start", TaskState::PoweringOn, &[Stopped]).await?;
        }
        "os-stop" => {
            nova.wish(ctx, id, &policy::STOP, "stop", TaskState::PoweringOff, &[Active, Failed]).await?;
        }
        "pause" => nova.wish(ctx, id, &policy::PAUSE, "pause", TaskState::Pausing, &[Active]).await?,
        "unpause" => nova.wish(ctx, id, &policy::UNPAUSE, "unpause", TaskState::Unpausing, &[Paused]).await?,
        "suspend" => {
            nova.wish(ctx, id, &policy::SUSPEND, "suspend", TaskState::Suspending, &[Active]).await?;
        }
        "resume" => nova.wish(ctx, id, &policy::RESUME, "resume", TaskState::Resuming, &[Suspended]).await?,
        "reboot" => power::reboot(nova, ctx, id, &body).await?,
        "trigger_crash_dump" if ctx.at_least(2, 17) => power::crash_dump(nova, ctx, id, &body).await?,
        "lock" => lock::lock(nova, ctx, id, &body).await?,
        "unlock" => lock::unlock(nova, ctx, id).await?,
        "rebuild" => return rebuild::rebuild(nova, ctx, id, &body, &origin).await,
        "resize" => resize::resize(nova, ctx, id, &body).await?,
        "confirmResize" => {
            resize::settle(nova, ctx, id, true).await?;
            return Ok(no_content(204));
        }
        "revertResize" => resize::settle(nova, ctx, id, false).await?,
        "migrate" => resize::migrate(nova, ctx, id, &body).await?,
        "os-migrateLive" => resize::migrate_live(nova, ctx, id, &body).await?,
        "evacuate" => resize::evacuate(nova, ctx, id, &body).await?,
        "rescue" => return rescue::rescue(nova, ctx, id, &body).await,
        "unrescue" => {
            let states = &[VmState::Rescued];
            nova.wish(ctx, id, &policy::UNRESCUE, "unrescue", TaskState::Unrescuing, states).await?;
        }
        "shelve" => shelve::shelve(nova, ctx, id).await?,
        "shelveOffload" => shelve::offload(nova, ctx, id).await?,
        "unshelve" => shelve::unshelve(nova, ctx, id, &body).await?,
        "createImage" => return images::create_image(nova, ctx, id, &body, &origin).await,
        "createBackup" => return images::create_backup(nova, ctx, id, &body, &origin).await,
        "forceDelete" => {
            api::request_delete(nova, ctx, id, &policy::FORCE_DELETE, false).await?;
        }
        "restore" => admin::restore(nova, ctx, id).await?,
        "changePassword" => admin::change_password(nova, ctx, id, &body).await?,
        "os-resetState" => admin::reset_state(nova, ctx, id, &body).await?,
        "injectNetworkInfo" => admin::inject_network_info(nova, ctx, id).await?,
        "os-getConsoleOutput" => return power::console(nova, ctx, id, &body).await,
        "addSecurityGroup" => network_api::add_group(nova, ctx, id, &body).await?,
        "removeSecurityGroup" => network_api::remove_group(nova, ctx, id, &body).await?,
        "os-getVNCConsole" | "os-getSPICEConsole" | "os-getRDPConsole" | "os-getSerialConsole" => {
            return consoles::api::legacy(nova, ctx, &origin, id, &name, &body).await;
        }
        "addFloatingIp" => {
            crate::query::before(ctx, ADDRESS_ACTIONS_GONE)?;
            floating_ips::associate::add(nova, ctx, id, &body).await?;
        }
        "removeFloatingIp" => {
            crate::query::before(ctx, ADDRESS_ACTIONS_GONE)?;
            floating_ips::associate::remove(nova, ctx, id, &body).await?;
        }
        "addFixedIp" => {
            crate::query::before(ctx, ADDRESS_ACTIONS_GONE)?;
            fixed_ips::add(nova, ctx, id, &body).await?;
        }
        "removeFixedIp" => {
            crate::query::before(ctx, ADDRESS_ACTIONS_GONE)?;
            fixed_ips::remove(nova, ctx, id, &body).await?;
        }
        "resetNetwork" => return Err(crate::gone::removed()),
        other => {
            // Of a server that is not there nothing is an action: Nova answers so for the actions that are missing here.
            store::find(&mut *nova.db.read().await?, ctx, id).await?;
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
            accept(tx, ctx, &mut server, None, action).await
        })?;
        self.waker.wake(id);
        Ok(())
    }

    /// The same with what the machine is made from.
    async fn change_spec(
        &self,
        ctx: &Ctx,
        id: &str,
        policy: &Policy,
        action: &'static str,
        change: impl Fn(&mut Server, &mut Spec) -> base::Result<()> + Send + Sync,
    ) -> base::Result<()> {
        db::write!(self.db, |tx| {
            let mut server = store::find(tx, ctx, id).await?;
            ctx.authorize(policy, Some(&server.project_id))?;
            rules::check_lock(ctx, &server)?;
            let mut spec = store::spec(tx, id).await?;
            change(&mut server, &mut spec)?;
            accept(tx, ctx, &mut server, Some(&spec), action).await
        })?;
        self.waker.wake(id);
        Ok(())
    }

    /// A server that the caller may see and act on, for checks before anything is written.
    async fn seen(&self, ctx: &Ctx, id: &str, policy: &Policy) -> base::Result<Server> {
        let server = store::find(&mut *self.db.read().await?, ctx, id).await?;
        ctx.authorize(policy, Some(&server.project_id))?;
        Ok(server)
    }
}

/// Writes the accepted wish with its action.
async fn accept(
    tx: &mut db::Tx,
    ctx: &Ctx,
    server: &mut Server,
    spec: Option<&Spec>,
    action: &'static str,
) -> base::Result<()> {
    server.attempts = 0;
    store::save(tx, ctx, "server.update", server).await?;
    if let Some(spec) = spec {
        store::save_spec(tx, &server.id, spec).await?;
    }
    actions::start(tx, ctx, &server.id, &server.project_id, action).await
}
