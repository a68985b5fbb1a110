//! Rebuild: the old disk goes, a new one is made from the row's image.

use base::{Error, Result};
use reconcile::Outcome;

use super::load::Present;
use super::plan::networks;
use super::trouble::Trouble;
use super::{End, PowerState, Server, TaskState, VmState, acting_for};
use crate::Nova;
use crate::servers::{Spec, store};

impl Nova {
    pub(super) async fn rebuild(&self, server: &Server) -> Result<Outcome> {
        let Some(rebuilt) = self.unless_preempted(server, self.try_rebuild(server.clone())).await else {
            return Ok(Outcome::Done);
        };
        match rebuilt {
            Ok(()) => Ok(Outcome::Done),
            Err(trouble) => {
                // The step may have moved the task on; what counts is the row as it is.
                let now = store::get(&mut *self.db.read().await?, &server.id).await?;
                match now {
                    Some(now) if now.task_state != Some(TaskState::Deleting) => {
                        self.failed(&now, trouble).await
                    }
                    _ => Ok(Outcome::Done),
                }
            }
        }
    }

    async fn try_rebuild(&self, mut server: Server) -> Result<(), Trouble> {
        if server.task_state == Some(TaskState::Rebuilding) {
            self.shut_down(&server).await?;
            self.hypervisor.reset(&server.id).await?;
            let spec = self.fill_root_volume(&server).await?;
            let next = TaskState::RebuildSpawning;
            if !self.settle(&server, |s| s.task_state = Some(next), spec.as_ref(), None).await? {
                return Ok(());
            }
            server.task_state = Some(next);
        }
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        self.find_image(&server, &mut spec).await?;
        let Present { plan, ports, disks } = self.present_of(&server, &spec).await?;
        spec.admin_pass = None;
        if server.vm_state == VmState::Stopped {
            self.hypervisor.prepare(&plan).await?;
            self.ports_down(&server).await?;
            self.settle(
                &server,
                |s| {
                    s.power_state = PowerState::Shutdown;
                    s.task_state = None;
                    s.attempts = 0;
                },
                Some(&spec),
                Some(End::Success),
            )
            .await?;
            return Ok(());
        }
        self.neutron.ensure_plugged(&networks(&ports)).await?;
        self.hypervisor.start(&plan).await?;
        self.disks_are_in(&server, disks).await?;
        self.neutron.set_port_status(&super::plan::ids(&ports), true).await?;
        self.come_up(&server, VmState::Active, &spec).await?;
        Ok(())
    }

    /// Twice is as good as once: nobody has written on it in between.
    async fn fill_root_volume(&self, server: &Server) -> Result<Option<Spec>, Trouble> {
        let mut spec = store::spec(&mut *self.db.read().await.map_err(Error::from)?, &server.id).await?;
        let Some(id) = spec.work.reimage.take() else { return Ok(None) };
        let ctx = acting_for(server);
        let image = self.glance.image(&ctx, &id).await?;
        let Some(volume) = self.root_volume(server).await? else {
            return Err(Trouble::lasting("The server has no disk to boot from."));
        };
        self.cinder.reimage(&ctx, &volume, &image).await?;
        Ok(Some(spec))
    }
}
