//! Soft deletion: the server stops, holds what it holds, and counts no more. It comes back, or its time is over.

use std::time::Duration;

use base::{Error, Result};
use reconcile::Outcome;

use super::trouble::Trouble;
use super::{End, PowerState, Server, TaskState, VmState};
use crate::Nova;
use crate::servers::{Spec, store};

impl Nova {
    pub(super) async fn soft_delete(&self, server: &Server) -> Result<Outcome> {
        let spec = match self.try_soft_delete(server).await {
            Ok(spec) => spec,
            Err(trouble) => return self.failed(server, trouble).await,
        };
        self.settle(
            server,
            |s| {
                s.vm_state = VmState::SoftDeleted;
                s.power_state = PowerState::Shutdown;
                s.task_state = None;
                s.attempts = 0;
                s.resume = false;
            },
            Some(&spec),
            Some(End::Success),
        )
        .await?;
        Ok(self.config.reclaim.map_or(Outcome::Done, Outcome::Again))
    }

    /// What was begun ends here: it comes back as itself, by its own disk.
    async fn try_soft_delete(&self, server: &Server) -> Result<Spec, Trouble> {
        self.hypervisor.stop(&server.id, None).await?;
        self.ports_down(server).await?;
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        spec.work.rescue = None;
        if let Some(snapshot) = spec.work.snapshot.take() {
            self.drop_image(server, &snapshot.image_id).await?;
        }
        if let Some(resize) = spec.work.resize.take() {
            self.confirm(server, &resize).await?;
        }
        Ok(spec)
    }

    pub(super) async fn restore(&self, server: &Server) -> Result<Outcome> {
        let done = self.run(server).await;
        self.finish(server, done, VmState::Active, PowerState::Running).await
    }

    /// Deletes a server that was deleted softly for long enough.
    pub(super) async fn reclaim(&self, server: &Server, found: host::VmState) -> Result<Outcome> {
        if matches!(found, host::VmState::Running | host::VmState::Paused) {
            self.hypervisor.stop(&server.id, None).await.map_err(Error::internal)?;
        }
        let Some(kept) = self.config.reclaim else { return Ok(Outcome::Done) };
        let since = server.soft_deleted_at.unwrap_or_default();
        // From the future, if the clock was set back since.
        let age = u64::try_from(base::time::now() - since).map_or(Duration::ZERO, Duration::from_micros);
        if let Some(rest) = kept.checked_sub(age).filter(|rest| !rest.is_zero()) {
            return Ok(Outcome::Again(rest));
        }
        tracing::info!(server = server.id, "a server that was deleted softly is deleted: its time is over");
        let mut server = server.clone();
        match self.move_on(&mut server, TaskState::Deleting).await? {
            true => self.delete(&server).await,
            false => Ok(Outcome::Done),
        }
    }
}
