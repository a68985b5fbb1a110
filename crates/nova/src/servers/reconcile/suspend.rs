//! Suspend and resume: the machine's memory goes to the host's disk and comes back.

use base::Result;
use reconcile::Outcome;

use super::{PowerState, Server, VmState};
use crate::Nova;

impl Nova {
    pub(super) async fn suspend(&self, server: &Server) -> Result<Outcome> {
        let done = match self.hypervisor.suspend(&server.id).await {
            Ok(()) => self.ports_down(server).await,
            Err(error) => Err(error.into()),
        };
        self.finish(server, done, VmState::Suspended, PowerState::Shutdown).await
    }

    pub(super) async fn wake_up(&self, server: &Server) -> Result<Outcome> {
        let done = self.run(server).await;
        self.finish(server, done, VmState::Active, PowerState::Running).await
    }
}
