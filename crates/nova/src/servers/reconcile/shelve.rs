//! Onto the shelf and off it. A shelved server's disk is an image; its host forgets it at once.

use base::{Error, Kind, Result};
use reconcile::Outcome;

use super::resize::resources;
use super::trouble::Trouble;
use super::{End, PowerState, Server, TaskState, VmState, acting_for};
use crate::Nova;
use crate::servers::{Spec, store};

impl Nova {
    pub(super) async fn shelve(&self, server: &Server) -> Result<Outcome> {
        let spec = store::spec(&mut *self.db.read().await?, &server.id).await?;
        let image = spec.work.shelved.clone();
        let Some(done) =
            self.unless_preempted(server, self.try_shelve(server.clone(), image.as_deref())).await
        else {
            return Ok(Outcome::Done);
        };
        let trouble = match done {
            Ok(false) => return Ok(Outcome::Done),
            Ok(true) => return self.off_the_host(server).await,
            Err(trouble) => trouble,
        };
        let Some(now) = store::get(&mut *self.db.read().await?, &server.id).await? else {
            return Ok(Outcome::Done);
        };
        if !now.task_state.is_some_and(TaskState::is_shelve) {
            return Ok(Outcome::Done);
        }
        if let Some(error) = self.again(&now, &trouble).await {
            return Err(error);
        }
        if now.task_state == Some(TaskState::ShelvingOffloading) {
            // The host still has the machine, and another attempt may take it off.
            return self.end_as_before(&now, &trouble, None).await;
        }
        if let Some(image) = &image {
            self.drop_image(server, image).await?;
        }
        let mut spec = spec;
        spec.work.shelved = None;
        self.end_as_before(&now, &trouble, Some(&spec)).await
    }

    /// Up to where the host can forget the machine; false: the row wishes something else now. `image`: of its disk; None
    /// when that is a volume, which stays as it is.
    async fn try_shelve(&self, mut server: Server, image: Option<&str>) -> Result<bool, Trouble> {
        if server.task_state == Some(TaskState::Shelving) {
            self.shut_down(&server).await?;
            if let Some(image) = image {
                self.copy_disk(&server, image).await?;
            }
            if !self.move_on(&mut server, TaskState::ShelvingImageUploading).await? {
                return Ok(false);
            }
        }
        if server.task_state == Some(TaskState::ShelvingImageUploading) {
            if let Some(image) = image {
                self.fill_image(&server, image).await?;
                // Only an image that is there allows to forget the disk.
                self.glance.image(&acting_for(&server), image).await?;
            }
            let next = TaskState::ShelvingOffloading;
            let moved = self.settle(
                &server,
                |s| {
                    s.vm_state = VmState::Shelved;
                    s.power_state = PowerState::Shutdown;
                    s.task_state = Some(next);
                },
                None,
                None,
            );
            if !moved.await? {
                return Ok(false);
            }
            server.vm_state = VmState::Shelved;
            server.task_state = Some(next);
        }
        self.ports_down(&server).await?;
        self.park_volumes(&server).await?;
        Ok(true)
    }

    /// From the first step on the machine is not whole any more: this is tried until it is done.
    async fn off_the_host(&self, server: &Server) -> Result<Outcome> {
        let Some(server) = store::get(&mut *self.db.read().await?, &server.id).await? else {
            return Ok(Outcome::Done);
        };
        if server.task_state != Some(TaskState::ShelvingOffloading) {
            return Ok(Outcome::Done);
        }
        self.hypervisor.destroy(&server.id).await.map_err(Error::internal)?;
        self.placement.release(&server.id).await?;
        self.settle(
            &server,
            |s| {
                s.vm_state = VmState::ShelvedOffloaded;
                s.power_state = PowerState::Shutdown;
                s.task_state = None;
                s.attempts = 0;
                s.host = None;
            },
            None,
            Some(End::Success),
        )
        .await?;
        Ok(Outcome::Done)
    }

    pub(super) async fn unshelve(&self, server: &Server) -> Result<Outcome> {
        match self.try_unshelve(server).await {
            Ok(spec) => {
                self.come_up(server, VmState::Active, &spec).await?;
                Ok(Outcome::Done)
            }
            Err(trouble) if trouble.is_no_valid_host() => {
                self.placement.release(&server.id).await?;
                self.end_as_before(server, &trouble, None).await
            }
            Err(trouble) => self.failed(server, trouble).await,
        }
    }

    async fn try_unshelve(&self, server: &Server) -> Result<Spec, Trouble> {
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        let image = spec.work.shelved.take();
        if server.vm_state == VmState::ShelvedOffloaded {
            let (project, user) = (&server.project_id, &server.user_id);
            let claimed =
                self.placement.claim(&server.id, project, user, resources(&server.flavor, server)).await;
            claimed.map_err(|error| match error.kind {
                Kind::Conflict => Trouble::no_valid_host(&error.message),
                _ => error.into(),
            })?;
            self.restore_disk(server, &spec, image.as_deref()).await?;
        }
        self.run(server).await?;
        if let Some(image) = &image {
            // Its data lives on below the server's disk.
            self.drop_image(server, image).await?;
        }
        let spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        Ok(Spec { work: crate::servers::Work { shelved: None, ..spec.work }, ..spec })
    }

    /// A new disk over the image of the shelved one, unless it is there already, or is a volume.
    async fn restore_disk(&self, server: &Server, spec: &Spec, image: Option<&str>) -> Result<(), Trouble> {
        if self.hypervisor.state(&server.id).await? != host::VmState::Absent {
            return Ok(());
        }
        let host = &self.config.host;
        let Some(image) = image else {
            self.settle(server, |s| s.host = Some(host.clone()), None, None).await?;
            let present = self.present_of(server, spec).await?;
            return Ok(self.hypervisor.prepare(&present.plan).await?);
        };
        let found = self.glance.image(&acting_for(server), image).await.map_err(|error| {
            if error.is_not_found() {
                Trouble::lasting(format!(
                    "Error during unshelve instance {}: Image not found during unshelve.",
                    server.id
                ))
            } else {
                error.into()
            }
        })?;
        let mut spec = spec.clone();
        spec.work.shelved = Some(image.to_owned());
        spec.image_file = Some(self.glance.file(&found).into_string());
        spec.image_format = Some(found.disk_format.unwrap_or_else(|| "raw".into()));
        self.settle(server, |s| s.host = Some(host.clone()), Some(&spec), None).await?;
        let present = self.present_of(server, &spec).await?;
        Ok(self.hypervisor.prepare(&present.plan).await?)
    }
}
