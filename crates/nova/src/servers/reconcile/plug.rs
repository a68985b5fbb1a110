//! Cards of running machines. Rows come first; this makes the machine agree with them.

use base::{Error, Result};
use neutron::PortView;

use super::Server;
use super::plan::nic;
use crate::Nova;

impl Nova {
    /// Connects a port that is bound to the server already.
    pub(crate) async fn plug(&self, server: &Server, port: &PortView) -> Result<()> {
        if !self.runs(server).await? {
            return Ok(());
        }
        self.neutron.ensure_plugged(std::slice::from_ref(&port.network_id)).await?;
        self.hypervisor.plug_nic(&server.id, &nic(port)).await.map_err(refused)?;
        self.neutron.set_port_status(std::slice::from_ref(&port.id), true).await
    }

    /// The machine has let go of the port afterwards.
    pub(crate) async fn unplug(&self, server: &Server, port_id: &str) -> Result<()> {
        self.hypervisor.unplug_nic(&server.id, port_id).await.map_err(refused)
    }

    async fn runs(&self, server: &Server) -> Result<bool> {
        let state = self.hypervisor.state(&server.id).await.map_err(Error::internal)?;
        Ok(matches!(state, host::VmState::Running | host::VmState::Paused))
    }
}

/// What the guest or the host would not do is told to the client; the rest is ours.
fn refused(error: host::Error) -> Error {
    match error {
        host::Error::Refused(_) => Error::conflict(error.to_string()).because(error),
        other => Error::internal(other),
    }
}
