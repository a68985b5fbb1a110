//! Resize: room beside what is taken, the machine stopped, its disk grown, and the machine run as the new flavor says.
//! The old flavor's room and disk are kept until the owner confirms or reverts.

use base::{Error, Kind, Result};
use placement::Resources;
use reconcile::Outcome;

use super::trouble::Trouble;
use super::{End, PowerState, Server, TaskState, VmState};
use crate::flavors::Flavor;
use crate::servers::{Fault, Resize, Spec, store};
use crate::{Nova, migrations};

impl Nova {
    pub(super) async fn resize(&self, server: &Server) -> Result<Outcome> {
        let mut spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        let Some(resize) = spec.work.resize.clone() else {
            return self.give_up(server, &Trouble::lasting("What to resize to is not known any more.")).await;
        };
        let Some(done) = self.unless_preempted(server, self.try_resize(server.clone(), &resize)).await else {
            return Ok(Outcome::Done);
        };
        let Err(trouble) = done else { return Ok(Outcome::Done) };
        let Some(now) = store::get(&mut *self.db.read().await?, &server.id).await? else {
            return Ok(Outcome::Done);
        };
        if !now.task_state.is_some_and(TaskState::is_resize) {
            return Ok(Outcome::Done);
        }
        if let Some(error) = self.again(&now, &trouble).await {
            return Err(error);
        }
        self.set_migration(&now, &resize, "error", &resize.old).await?;
        spec.work.resize = None;
        if now.task_state == Some(TaskState::ResizeFinish) {
            // It has the new flavor and its disk, and does not run with them.
            self.placement.release(&resize.uuid).await?;
            self.settle(&now, |_| {}, Some(&spec), None).await?;
            return self.give_up(&now, &trouble).await;
        }
        self.call_off(&now, &resize, spec, &trouble).await
    }

    /// As before the request, but for what the action tells.
    async fn call_off(
        &self,
        server: &Server,
        resize: &Resize,
        spec: Spec,
        trouble: &Trouble,
    ) -> Result<Outcome> {
        self.hypervisor.settle_resize(&server.id, true).await.map_err(Error::internal)?;
        if server.task_state == Some(TaskState::ResizeMigrating) {
            self.take_back(server, resize).await?;
            if resize.ran && self.run(server).await.is_err() {
                tracing::warn!(server = server.id, "the server could not be started after a failed resize");
            }
        }
        self.end_as_before(server, trouble, Some(&spec)).await
    }

    async fn try_resize(&self, mut server: Server, resize: &Resize) -> Result<(), Trouble> {
        if server.task_state == Some(TaskState::ResizePrep) {
            self.find_room(&server, resize).await?;
            self.set_migration(&server, resize, "migrating", &larger(resize)).await?;
            if !self.move_on(&mut server, TaskState::ResizeMigrating).await? {
                return Ok(());
            }
        }
        if server.task_state == Some(TaskState::ResizeMigrating) {
            self.shut_down(&server).await?;
            let grown = Server { flavor: resize.new.clone(), ..server.clone() };
            let present = self.present(&grown).await?;
            self.hypervisor.resize(&present.plan).await?;
            drop(present);
            let next = TaskState::ResizeFinish;
            let moved = self.settle(
                &server,
                |s| {
                    s.flavor = resize.new.clone();
                    s.task_state = Some(next);
                },
                None,
                None,
            );
            if !moved.await? {
                return Ok(());
            }
            server = Server { task_state: Some(next), ..grown };
        }
        if resize.ran {
            self.run(&server).await?;
        } else {
            self.ports_down(&server).await?;
        }
        self.set_migration(&server, resize, "finished", &resize.new).await?;
        let (now, boot) = (base::time::now(), self.boot_id.clone());
        let power = if resize.ran { PowerState::Running } else { PowerState::Shutdown };
        self.settle(
            &server,
            |s| {
                s.vm_state = VmState::Resized;
                s.power_state = power;
                s.task_state = None;
                s.attempts = 0;
                s.fault = None;
                s.launched_at = Some(now);
                s.boot_id = Some(boot.clone());
            },
            None,
            Some(End::Success),
        )
        .await?;
        Ok(())
    }

    async fn find_room(&self, server: &Server, resize: &Resize) -> Result<(), Trouble> {
        if resize.is_move {
            return Err(Trouble::no_valid_host("There is no other host."));
        }
        let host = {
            let mut conn = self.db.read().await.map_err(Error::from)?;
            self.host_row(&mut conn).await?
        };
        if host.is_some_and(|h| h.disabled || h.forced_down) {
            return Err(Trouble::no_valid_host("The compute service of the only host is disabled."));
        }
        let (project, user) = (&server.project_id, &server.user_id);
        let wanted = resources(&resize.new, server);
        let claimed = self.placement.claim_beside(&server.id, &resize.uuid, project, user, wanted).await;
        claimed.map_err(|error| match error.kind {
            Kind::Conflict => Trouble::no_valid_host(&error.message),
            _ => error.into(),
        })
    }

    async fn take_back(&self, server: &Server, resize: &Resize) -> Result<()> {
        let (project, user) = (&server.project_id, &server.user_id);
        self.placement
            .claim_back(&server.id, &resize.uuid, project, user, resources(&resize.old, server))
            .await
    }

    /// Both are written before the row of the server, which decides: asked again, they are the same.
    async fn set_migration(
        &self,
        server: &Server,
        resize: &Resize,
        status: &'static str,
        held: &Flavor,
    ) -> Result<()> {
        db::write!(self.db, |tx| {
            migrations::set_status(tx, &resize.uuid, status).await?;
            store::hold(tx, &server.id, held.vcpus, held.memory_mib).await
        })
    }

    pub(super) async fn confirm_resize(&self, server: &Server) -> Result<Outcome> {
        let mut spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        if let Some(resize) = spec.work.resize.take() {
            self.confirm(server, &resize).await?;
        }
        let power = PowerState::from(self.hypervisor.state(&server.id).await.map_err(Error::internal)?);
        let runs = power != PowerState::Shutdown;
        self.settle(
            server,
            |s| {
                s.vm_state = if runs { VmState::Active } else { VmState::Stopped };
                s.power_state = power;
                s.task_state = None;
                s.attempts = 0;
            },
            Some(&spec),
            Some(End::Success),
        )
        .await?;
        Ok(Outcome::Done)
    }

    /// What was kept for the way back goes.
    pub(super) async fn confirm(&self, server: &Server, resize: &Resize) -> Result<()> {
        self.hypervisor.settle_resize(&server.id, false).await.map_err(Error::internal)?;
        self.placement.release(&resize.uuid).await?;
        self.set_migration(server, resize, "confirmed", &resize.new).await
    }

    pub(super) async fn revert_resize(&self, server: &Server) -> Result<Outcome> {
        match self.try_revert(server).await {
            Ok(()) => Ok(Outcome::Done),
            Err(trouble) => self.failed(server, trouble).await,
        }
    }

    async fn try_revert(&self, server: &Server) -> Result<(), Trouble> {
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        let Some(resize) = spec.work.resize.take() else {
            return Err(Trouble::lasting("What to go back to is not known any more."));
        };
        self.hypervisor.stop(&server.id, None).await?;
        self.hypervisor.settle_resize(&server.id, true).await?;
        self.take_back(server, &resize).await?;
        let before = Server { flavor: resize.old.clone(), ..server.clone() };
        if resize.ran {
            self.run(&before).await?;
        } else {
            self.ports_down(&before).await?;
        }
        self.set_migration(server, &resize, "reverted", &resize.old).await?;
        let (now, boot) = (base::time::now(), self.boot_id.clone());
        self.settle(
            server,
            |s| {
                s.flavor = resize.old.clone();
                s.vm_state = if resize.ran { VmState::Active } else { VmState::Stopped };
                s.power_state = if resize.ran { PowerState::Running } else { PowerState::Shutdown };
                s.task_state = None;
                s.attempts = 0;
                s.launched_at = Some(now);
                s.boot_id = Some(boot.clone());
            },
            Some(&spec),
            Some(End::Success),
        )
        .await?;
        Ok(())
    }

    /// The task is over and the server is as it was before; the action and the row's fault tell why.
    pub(super) async fn end_as_before(
        &self,
        server: &Server,
        trouble: &Trouble,
        spec: Option<&Spec>,
    ) -> Result<Outcome> {
        let (message, details) = trouble.told();
        tracing::warn!(server = server.id, reason = details, "the server stays as it was");
        let fault = Fault {
            code: 500,
            message: message.to_owned(),
            details: details.to_owned(),
            created: base::time::now(),
        };
        self.settle(
            server,
            |s| {
                s.task_state = None;
                s.attempts = 0;
                s.fault = Some(fault.clone());
            },
            spec,
            Some(End::Error(message, details)),
        )
        .await?;
        // Does the machine agree with the state that it fell back to?
        self.waker.wake(&server.id);
        Ok(Outcome::Done)
    }
}

fn larger(resize: &Resize) -> Flavor {
    let (old, new) = (&resize.old, &resize.new);
    Flavor { vcpus: old.vcpus.max(new.vcpus), memory_mib: old.memory_mib.max(new.memory_mib), ..new.clone() }
}

/// What this server takes of its host with such a flavor: a root disk that is a volume is none of the host's.
pub(super) fn resources(flavor: &Flavor, server: &Server) -> Resources {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let swap = number(flavor.swap_mib).div_ceil(1024);
    Resources {
        vcpus: u32::try_from(flavor.vcpus).unwrap_or(u32::MAX),
        memory_mib: number(flavor.memory_mib),
        disk_gib: server.image_id.as_ref().map_or(0, |_| number(flavor.root_gib))
            + number(flavor.ephemeral_gib)
            + swap,
    }
}
