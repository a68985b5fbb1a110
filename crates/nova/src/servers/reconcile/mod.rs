//! The reconciler `nova.servers`: one activation reads a server's row and brings the machine to what it wishes.
//!
//! Every step may be the last one before a kill: a step first looks whether its effect is there already, and a row is
//! written only if its task is still the one that was read. Whoever replaced the task woke this server again.

mod build;
mod delete;
mod disks;
mod load;
mod observe;
mod plan;
mod plug;
mod power;
mod purge;
mod rebuild;
mod rescue;
mod resize;
mod shelve;
mod snapshot;
mod soft_delete;
mod suspend;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Auth, Ctx, DomainRef, Error, ProjectRef, Result, Scope, UserRef};
use reconcile::{Failure, Options, Outcome, Reconciler};

use super::{PowerState, Server, TaskState, VmState, store};
use crate::Nova;
use crate::instance_actions::store as actions;

/// Machines that are stopped gracefully wait inside an activation, and new ones for their networks, which are applied once
/// for all that wait: so there are many more of these than CPUs.
pub(crate) const OPTIONS: Options = Options { parallel: 64, period: Duration::from_secs(60) };

/// New machines that the host prepares or starts at once.
pub(crate) const STARTS: usize = 16;

/// A passing failure is tried again this often before the server is in ERROR.
const ATTEMPTS: i64 = 3;

const CUT_OFF: &str = "The request was cut off by a restart of the service.";

/// No request takes longer, so a task of one that is older has none any more.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Servers(pub Arc<Nova>);

#[async_trait]
impl Reconciler for Servers {
    fn name(&self) -> &'static str {
        "nova.servers"
    }

    async fn reconcile(&self, key: &str) -> std::result::Result<Outcome, Failure> {
        Ok(self.0.activate(key).await?)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        Ok(self.0.resync().await?)
    }
}

impl Nova {
    async fn activate(&self, id: &str) -> Result<Outcome> {
        let server = store::get(&mut *self.db.read().await?, id).await?;
        let Some(server) = server.filter(|s| s.deleted_at.is_none()) else {
            return self.remove_stray(id).await;
        };
        let outcome = self.work_on(&server).await?;
        match self.settle_disks(id).await? {
            Outcome::Done => Ok(outcome),
            again => Ok(again),
        }
    }

    async fn work_on(&self, server: &Server) -> Result<Outcome> {
        match server.task_state {
            Some(
                TaskState::Scheduling
                | TaskState::Networking
                | TaskState::BlockDeviceMapping
                | TaskState::Spawning,
            ) => self.build(server).await,
            Some(TaskState::Deleting) => self.delete(server).await,
            Some(TaskState::SoftDeleting) => self.soft_delete(server).await,
            Some(TaskState::Restoring) => self.restore(server).await,
            Some(TaskState::PoweringOn) => self.power_on(server).await,
            Some(TaskState::PoweringOff) => self.power_off(server).await,
            Some(TaskState::Rebooting) => self.reboot(server, false).await,
            Some(TaskState::RebootingHard) => self.reboot(server, true).await,
            Some(TaskState::Pausing) => self.pause(server).await,
            Some(TaskState::Unpausing) => self.unpause(server).await,
            Some(TaskState::Suspending) => self.suspend(server).await,
            Some(TaskState::Resuming) => self.wake_up(server).await,
            Some(TaskState::Rescuing) => self.rescue(server).await,
            Some(TaskState::Unrescuing) => self.unrescue(server).await,
            Some(TaskState::Rebuilding | TaskState::RebuildSpawning) => self.rebuild(server).await,
            Some(TaskState::ResizePrep | TaskState::ResizeMigrating | TaskState::ResizeFinish) => {
                self.resize(server).await
            }
            Some(TaskState::ResizeConfirming) => self.confirm_resize(server).await,
            Some(TaskState::ResizeReverting) => self.revert_resize(server).await,
            Some(TaskState::Shelving | TaskState::ShelvingImageUploading | TaskState::ShelvingOffloading) => {
                self.shelve(server).await
            }
            Some(TaskState::Unshelving) => self.unshelve(server).await,
            Some(TaskState::ImageSnapshotPending | TaskState::ImageBackup | TaskState::ImageUploading) => {
                self.snapshot(server).await
            }
            // Carried out by the request itself, which may not have lived to see its end.
            Some(TaskState::Migrating | TaskState::UpdatingPassword) => self.cut_off(server).await,
            None => self.observe(server).await,
        }
    }

    /// Writes a change if the row still wishes what `server` says. False: it wishes something else now.
    async fn settle(
        &self,
        server: &Server,
        change: impl Fn(&mut Server) + Send + Sync,
        spec: Option<&super::Spec>,
        end: Option<End<'_>>,
    ) -> Result<bool> {
        let ctx = acting_for(server);
        db::write!(self.db, |tx| {
            let Some(mut now) = store::get(tx, &server.id).await? else { return Ok(false) };
            if now.task_state != server.task_state || now.deleted_at.is_some() {
                return Ok(false);
            }
            change(&mut now);
            store::save(tx, &ctx, "server.update", &now).await?;
            if let Some(spec) = spec {
                store::save_spec(tx, &server.id, spec).await?;
            }
            match end {
                None => {}
                Some(End::Success) => actions::finish(tx, &server.id, None).await?,
                Some(End::Error(message, details)) => {
                    actions::finish(tx, &server.id, Some((message, details))).await?;
                }
            }
            Ok::<_, Error>(true)
        })
    }

    /// The next step of a task. False: the row wishes something else now.
    async fn move_on(&self, server: &mut Server, task: TaskState) -> Result<bool> {
        let moved = self.settle(server, |s| s.task_state = Some(task), None, None).await?;
        server.task_state = Some(task);
        Ok(moved)
    }

    /// The end of a task that the API itself carried out.
    pub(crate) async fn end_task(&self, server: &Server, error: Option<&str>) -> Result<()> {
        let end = error.map_or(End::Success, |told| End::Error(told, told));
        self.settle(server, |s| s.task_state = None, None, Some(end)).await?;
        self.waker.wake(&server.id);
        Ok(())
    }

    async fn cut_off(&self, server: &Server) -> Result<Outcome> {
        // From the future: the clock was set back since, and who knows by how much.
        let waited =
            u64::try_from(base::time::now() - server.updated_at).map_or(REQUEST_LIMIT, Duration::from_micros);
        if let Some(rest) = REQUEST_LIMIT.checked_sub(waited).filter(|rest| !rest.is_zero()) {
            return Ok(Outcome::Again(rest));
        }
        self.end_task(server, Some(CUT_OFF)).await?;
        Ok(Outcome::Done)
    }

    /// The task is done and the machine is in this state.
    async fn rest(&self, server: &Server, vm_state: VmState, power_state: PowerState) -> Result<Outcome> {
        let boot = self.boot_id.clone();
        let now = base::time::now();
        self.settle(
            server,
            |s| {
                s.vm_state = vm_state;
                s.power_state = power_state;
                s.task_state = None;
                s.attempts = 0;
                s.resume = false;
                s.boot_id = Some(boot.clone());
                if vm_state != VmState::Error {
                    s.fault = None;
                }
                if vm_state == VmState::Active && s.launched_at.is_none() {
                    s.launched_at = Some(now);
                }
            },
            None,
            Some(End::Success),
        )
        .await?;
        Ok(Outcome::Done)
    }

    /// A machine that no living row knows.
    async fn remove_stray(&self, id: &str) -> Result<Outcome> {
        if self.hypervisor.state(id).await.map_err(Error::internal)? != host::VmState::Absent {
            tracing::warn!(server = id, "a machine without a server is removed");
            self.hypervisor.destroy(id).await.map_err(Error::internal)?;
        }
        Ok(Outcome::Done)
    }
}

/// How the action under way ended.
#[derive(Clone, Copy)]
enum End<'a> {
    Success,
    /// Message and details.
    Error(&'a str, &'a str),
}

/// Nova acts with all rights, in the server's project and for its user: ports belong to whom the server belongs to.
pub(crate) fn acting_for(server: &Server) -> Ctx {
    let domain = DomainRef { id: "default".into(), name: "Default".into() };
    let internal = Ctx::internal("nova");
    Ctx {
        auth: Arc::new(Auth {
            user: UserRef { id: server.user_id.clone(), name: String::new(), domain: domain.clone() },
            scope: Scope::Project(ProjectRef { id: server.project_id.clone(), name: String::new(), domain }),
            roles: internal.auth.roles.clone(),
            expires_at: internal.auth.expires_at,
            is_admin: true,
        }),
        ..internal
    }
}
