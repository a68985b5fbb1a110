//! Into rescue and out of it.

use base::{Error, Result};
use reconcile::Outcome;

use super::trouble::Trouble;
use super::{End, PowerState, Server, VmState, acting_for};
use crate::Nova;
use crate::servers::{Spec, store};

impl Nova {
    pub(super) async fn rescue(&self, server: &Server) -> Result<Outcome> {
        let Some(rescued) = self.unless_preempted(server, self.try_rescue(server)).await else {
            return Ok(Outcome::Done);
        };
        match rescued {
            Ok(spec) => {
                self.come_up(server, VmState::Rescued, &spec).await?;
                Ok(Outcome::Done)
            }
            Err(trouble) => self.failed(server, trouble).await,
        }
    }

    async fn try_rescue(&self, server: &Server) -> Result<Spec, Trouble> {
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        self.shut_down(server).await?;
        let mut rescue = spec.work.rescue.clone().unwrap_or_default();
        if rescue.file.is_none() {
            let wanted = rescue.image_id.as_deref().or(server.image_id.as_deref()).unwrap_or_default();
            match self.glance.image(&acting_for(server), wanted).await {
                Ok(image) => {
                    rescue.file = Some(self.glance.file(&image).into_string());
                    // A CD-ROM's image is nothing but its sectors.
                    let format = image.disk_format.filter(|format| format != "iso");
                    rescue.format = Some(format.unwrap_or_else(|| "raw".into()));
                }
                // What the server was made from is still below its disk.
                Err(error) if error.is_not_found() && rescue.image_id.is_none() => {
                    rescue.file.clone_from(&spec.image_file);
                    rescue.format.clone_from(&spec.image_format);
                }
                Err(error) => return Err(error.into()),
            }
            spec.work.rescue = Some(rescue);
            self.settle(server, |_| {}, Some(&spec), None).await?;
        }
        self.run(server).await?;
        spec.admin_pass = None;
        Ok(spec)
    }

    pub(super) async fn unrescue(&self, server: &Server) -> Result<Outcome> {
        match self.try_unrescue(server).await {
            Ok(spec) => {
                self.come_up(server, VmState::Active, &spec).await?;
                Ok(Outcome::Done)
            }
            Err(trouble) => self.failed(server, trouble).await,
        }
    }

    async fn try_unrescue(&self, server: &Server) -> Result<Spec, Trouble> {
        self.hypervisor.stop(&server.id, None).await?;
        self.run(server).await?;
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        spec.work.rescue = None;
        Ok(spec)
    }

    /// The machine runs, newly made in some way.
    pub(super) async fn come_up(&self, server: &Server, vm_state: VmState, spec: &Spec) -> Result<bool> {
        let (now, boot) = (base::time::now(), self.boot_id.clone());
        self.settle(
            server,
            |s| {
                s.vm_state = vm_state;
                s.power_state = PowerState::Running;
                s.task_state = None;
                s.attempts = 0;
                s.resume = false;
                s.fault = None;
                s.launched_at = Some(now);
                s.boot_id = Some(boot.clone());
            },
            Some(spec),
            Some(End::Success),
        )
        .await
    }
}
