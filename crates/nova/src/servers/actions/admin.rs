//! What mostly operators ask for: states set by hand, passwords, actions that this cloud has no use for.

use base::{Ctx, Error, Kind as ErrorKind};
use serde_json::Value;

use super::accept;
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::quotas::{self, Usage};
use crate::schema::{self, Field, Kind};
use crate::servers::{TaskState, VmState, policy, rules, store};

const RESET: &[Field] = &[Field::new("state", Kind::Enum(&["active", "error"])).required()];

/// An admin says what the state is; the reconciler then looks at the machine.
pub(super) async fn reset_state(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "os-resetState", RESET, ctx.microversion.minor)?;
    let active = fields["state"] == "active";
    let server = nova.seen(ctx, id, &policy::RESET_STATE).await?;
    let spec = store::spec(&mut *nova.db.read().await?, id).await?;
    if let Some(resize) = &spec.work.resize {
        // There is no way back any more, so nothing needs to be kept for it.
        nova.placement.release(&resize.uuid).await?;
    }
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        server.vm_state = if active { VmState::Active } else { VmState::Error };
        server.task_state = None;
        server.attempts = 0;
        store::save(tx, ctx, "server.update", &server).await?;
        let mut spec = store::spec(tx, id).await?;
        if let Some(resize) = spec.work.resize.take() {
            crate::migrations::set_status(tx, &resize.uuid, "error").await?;
            store::hold(tx, id, server.flavor.vcpus, server.flavor.memory_mib).await?;
            store::save_spec(tx, id, &spec).await?;
        }
        actions::finish(tx, id, None).await?;
        actions::record(tx, ctx, id, &server.project_id, "resetState").await
    })?;
    tracing::info!(server = id, active, was = server.vm_state.as_str(), "an admin set the state");
    nova.preempt(id);
    nova.waker.wake(id);
    Ok(())
}

/// A server that was deleted softly counts again.
pub(super) async fn restore(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::RESTORE, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, "restore", &[VmState::SoftDeleted])?;
        let (project, user) = (&server.project_id, &server.user_id);
        let more = Usage { instances: 1, cores: server.flavor.vcpus, ram: server.flavor.memory_mib };
        let limits = quotas::limits(tx, Some(project)).await?;
        quotas::check(&limits, quotas::usage(tx, project, None).await?, more)?;
        let limits = quotas::limits_for_user(tx, project, user).await?;
        quotas::check(&limits, quotas::usage(tx, project, Some(user)).await?, more)?;
        server.task_state = Some(TaskState::Restoring);
        accept(tx, ctx, &mut server, None, "restore").await
    })?;
    nova.waker.wake(id);
    Ok(())
}

/// Guests learn their addresses by DHCP, metadata or config drive: there is nothing to inject.
pub(super) async fn inject_network_info(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    let server = nova.seen(ctx, id, &policy::INJECT_NETWORK).await?;
    rules::check_lock(ctx, &server)
}

const PASSWORD: &[Field] =
    &[Field::new("adminPass", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")).required()];

/// The one action whose client waits for its end, because its refusal is told by the guest.
pub(super) async fn change_password(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> base::Result<()> {
    let fields = schema::body(body, "changePassword", PASSWORD, ctx.microversion.minor)?;
    let password = fields["adminPass"].as_str().unwrap_or_default();
    let server = db::write!(nova.db, |tx| {
        let mut server = store::find(tx, ctx, id).await?;
        ctx.authorize(&policy::CHANGE_PASSWORD, Some(&server.project_id))?;
        rules::check_lock(ctx, &server)?;
        rules::check_state(&server, "changePassword", &[VmState::Active])?;
        server.task_state = Some(TaskState::UpdatingPassword);
        accept(tx, ctx, &mut server, None, "changePassword").await?;
        Ok::<_, Error>(server)
    })?;
    let user = nova.admin_user(&server).await;
    let done = nova.hypervisor.set_password(id, &user, password).await;
    let told = done.as_ref().err().map(ToString::to_string);
    nova.end_task(&server, told.as_deref()).await?;
    done.map_err(|error| Error::new(ErrorKind::Conflict, error.to_string()).because(error))
}

impl Nova {
    /// Whose password it is: the image says, as its property `os_admin_user`.
    async fn admin_user(&self, server: &crate::servers::Server) -> String {
        let properties = self.image_properties(server).await;
        match properties.get("os_admin_user") {
            Some(user) => user.clone(),
            None if properties.get("os_type").is_some_and(|os| os == "windows") => "Administrator".into(),
            None => "root".into(),
        }
    }
}
