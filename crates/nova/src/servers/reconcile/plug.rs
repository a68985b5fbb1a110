//! Cards of running machines. Rows come first; this makes the machine agree with them.

use std::sync::PoisonError;

use base::{Error, Result};
use neutron::PortView;

use super::Server;
use super::plan::nic;
use crate::Nova;
use crate::instance_actions::store as actions;

const CARDS: [&str; 2] = ["attach_interface", "detach_interface"];

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

    /// Whose cards came or went when the daemon died: ports and machine may disagree.
    pub(crate) async fn remember_half_plugged(&self) -> Result<()> {
        let servers = actions::unfinished(&mut self.db.read().await?, &CARDS).await?;
        self.half_plugged.lock().unwrap_or_else(PoisonError::into_inner).extend(servers);
        Ok(())
    }

    /// A running machine of those has a card for each of its ports afterwards. It never has one too many: ports come
    /// before their cards and go after them.
    pub(super) async fn finish_plugging(&self, server: &Server) -> Result<()> {
        let half = |nova: &Self| {
            nova.half_plugged.lock().unwrap_or_else(PoisonError::into_inner).contains(&server.id)
        };
        if !half(self) {
            return Ok(());
        }
        let ports = self.ports(std::slice::from_ref(server)).await?.remove(&server.id).unwrap_or_default();
        for port in &ports {
            self.plug(server, port).await?;
        }
        let told = super::CUT_OFF;
        db::write!(self.db, |tx| actions::finish(tx, &server.id, Some((told, told))).await)?;
        self.half_plugged.lock().unwrap_or_else(PoisonError::into_inner).remove(&server.id);
        Ok(())
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
