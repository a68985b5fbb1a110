//! Start, stop, reboot, pause, unpause.

use std::time::Duration;

use base::{Error, Result};
use reconcile::Outcome;

use super::load::Present;
use super::plan::{ids, networks};
use super::trouble::Trouble;
use super::{PowerState, Server, TaskState, VmState};
use crate::Nova;

/// Nova's default for a guest's own shutdown.
const GRACE: Duration = Duration::from_secs(60);

impl Nova {
    pub(super) async fn power_on(&self, server: &Server) -> Result<Outcome> {
        let done = self.run(server).await;
        self.finish(server, done, VmState::Active, PowerState::Running).await
    }

    pub(super) async fn power_off(&self, server: &Server) -> Result<Outcome> {
        let stop = self.hypervisor.stop(&server.id, Some(GRACE));
        let Some(stopped) = self.unless_preempted(server, stop).await else { return Ok(Outcome::Done) };
        let done = match stopped {
            Ok(()) => self.ports_down(server).await,
            Err(error) => Err(error.into()),
        };
        self.finish(server, done, VmState::Stopped, PowerState::Shutdown).await
    }

    pub(super) async fn reboot(&self, server: &Server, hard: bool) -> Result<Outcome> {
        let done = if hard {
            self.power_cycle(server).await
        } else {
            let asked = self.unless_preempted(server, self.ask_to_reboot(server)).await;
            let Some(done) = asked else { return Ok(Outcome::Done) };
            done
        };
        self.finish(server, done, VmState::Active, PowerState::Running).await
    }

    pub(super) async fn pause(&self, server: &Server) -> Result<Outcome> {
        let done = self.hypervisor.pause(&server.id).await.map_err(Trouble::from);
        self.finish(server, done, VmState::Paused, PowerState::Paused).await
    }

    pub(super) async fn unpause(&self, server: &Server) -> Result<Outcome> {
        let done = self.hypervisor.resume(&server.id).await.map_err(Trouble::from);
        self.finish(server, done, VmState::Active, PowerState::Running).await
    }

    /// A power action that fails leaves the server as it was, except that one whose machine ended in a reboot is in
    /// ERROR, as Nova has it.
    pub(super) async fn finish(
        &self,
        server: &Server,
        done: Result<(), Trouble>,
        vm_state: VmState,
        power_state: PowerState,
    ) -> Result<Outcome> {
        let trouble = match done {
            Ok(()) => return self.rest(server, vm_state, power_state).await,
            Err(trouble) => trouble,
        };
        if let Some(error) = self.again(server, &trouble).await {
            return Err(error);
        }
        let state = self.hypervisor.state(&server.id).await.map_err(Error::internal)?;
        let reboots = matches!(server.task_state, Some(TaskState::Rebooting | TaskState::RebootingHard));
        let stays = match server.task_state {
            None => false,
            _ if state == host::VmState::Absent => false,
            _ if reboots => state == host::VmState::Running,
            _ => true,
        };
        match stays {
            true => self.end_as_before(server, &trouble, None).await,
            false => self.give_up(server, &trouble).await,
        }
    }

    /// Stops the machine as its owner would, with time for the guest; what cannot hear is stopped at once.
    pub(super) async fn shut_down(&self, server: &Server) -> Result<(), Trouble> {
        let hears = server.vm_state == VmState::Active;
        Ok(self.hypervisor.stop(&server.id, hears.then_some(GRACE)).await?)
    }

    /// The machine of a built server runs afterwards.
    pub(super) async fn run(&self, server: &Server) -> Result<(), Trouble> {
        if self.hypervisor.state(&server.id).await? == host::VmState::Absent {
            // Starting it would make an empty disk from the image, as if nothing had been lost.
            return Err(Trouble::lasting(
                "The server's disk is gone from its host; delete the server and make it again.",
            ));
        }
        let Present { plan, ports, disks } = self.present(server).await?;
        self.neutron.ensure_plugged(&networks(&ports)).await?;
        self.hypervisor.start(&plan).await?;
        self.disks_are_in(server, disks).await?;
        Ok(self.neutron.set_port_status(&ids(&ports), true).await?)
    }

    async fn power_cycle(&self, server: &Server) -> Result<(), Trouble> {
        if self.hypervisor.state(&server.id).await? != host::VmState::Running {
            self.hypervisor.stop(&server.id, None).await?;
            return self.run(server).await;
        }
        let Present { plan, ports, disks } = self.present(server).await?;
        self.neutron.ensure_plugged(&networks(&ports)).await?;
        self.hypervisor.reboot(&plan, true).await?;
        self.disks_are_in(server, disks).await?;
        Ok(self.neutron.set_port_status(&ids(&ports), true).await?)
    }

    async fn ask_to_reboot(&self, server: &Server) -> Result<(), Trouble> {
        if self.hypervisor.state(&server.id).await? != host::VmState::Running {
            return self.run(server).await;
        }
        let Present { plan, disks, .. } = self.present(server).await?;
        self.hypervisor.reboot(&plan, false).await?;
        Ok(self.disks_are_in(server, disks).await?)
    }

    pub(super) async fn ports_down(&self, server: &Server) -> Result<(), Trouble> {
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        Ok(self.neutron.set_port_status(&ids(&ports), false).await?)
    }
}
