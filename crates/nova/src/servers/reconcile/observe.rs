//! Servers at rest: does the machine agree with its row? And who is to be looked at.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use base::{Error, Result};
use reconcile::Outcome;

use super::trouble::Trouble;
use super::{PowerState, Server, VmState};
use crate::Nova;
use crate::servers::store;

impl Nova {
    /// A machine that stopped by itself is SHUTOFF if its guest did it, and is started again if the host went down
    /// under it (another boot since), `cumulet down` stopped it, or it was killed while nobody watched.
    pub(super) async fn observe(&self, server: &Server) -> Result<Outcome> {
        let found = self.hypervisor.state(&server.id).await.map_err(Error::internal)?;
        if matches!(found, host::VmState::Running | host::VmState::Paused) {
            self.finish_plugging(server).await?;
        }
        let power = PowerState::from(found);
        let fell = server.boot_id.as_deref() != Some(&*self.boot_id) || self.hypervisor.fell(&server.id);
        match (server.vm_state, found) {
            (VmState::SoftDeleted, found) => self.reclaim(server, found).await,
            (VmState::Building | VmState::Deleted | VmState::Error, _) => self.note(server, power).await,
            // Its host has nothing of it.
            (VmState::ShelvedOffloaded, host::VmState::Absent) => Ok(Outcome::Done),
            (VmState::ShelvedOffloaded, _) => self.remove_stray(&server.id).await,
            (_, host::VmState::Absent) => {
                let trouble = Trouble::lasting(
                    "The server's disk is gone from its host; delete the server and make it again.",
                );
                self.give_up(server, &trouble).await
            }
            (VmState::Active | VmState::Rescued, host::VmState::Running) => {
                let known = server.power_state == power && !server.resume;
                if known && !fell {
                    return Ok(Outcome::Done);
                }
                self.rest(server, server.vm_state, power).await
            }
            (VmState::Active, host::VmState::Stopped) => {
                if server.resume || fell {
                    self.power_on(server).await
                } else {
                    self.went_off(server).await
                }
            }
            // They run or do not run as they did, and stay what they are.
            (VmState::Rescued | VmState::Resized, host::VmState::Stopped)
                if server.power_state == PowerState::Running && (server.resume || fell) =>
            {
                let done = self.run(server).await;
                self.finish(server, done, server.vm_state, PowerState::Running).await
            }
            (VmState::Stopped, host::VmState::Running | host::VmState::Paused) => {
                // As Nova does: the row says off, so off it goes.
                self.hypervisor.stop(&server.id, None).await.map_err(Error::internal)?;
                self.note(server, PowerState::Shutdown).await
            }
            (VmState::Paused, host::VmState::Stopped) => self.went_off(server).await,
            _ => self.note(server, power).await,
        }
    }

    async fn went_off(&self, server: &Server) -> Result<Outcome> {
        if let Err(trouble) = self.ports_down(server).await {
            tracing::warn!(
                server = server.id,
                ?trouble,
                "the ports of a stopped server could not be told DOWN"
            );
        }
        self.rest(server, VmState::Stopped, PowerState::Shutdown).await
    }

    async fn note(&self, server: &Server, power: PowerState) -> Result<Outcome> {
        if server.power_state != power {
            self.settle(server, |s| s.power_state = power, None, None).await?;
        }
        Ok(Outcome::Done)
    }

    /// Rows with a wish, machines without a row, rows whose machine is missing; the first time everything, since
    /// nobody knows what happened while the daemon was away.
    pub(super) async fn resync(&self) -> Result<Vec<String>> {
        let machines: HashSet<String> =
            self.hypervisor.list().await.map_err(Error::internal)?.into_iter().collect();
        self.purge().await?;
        let mut conn = self.db.read().await?;
        let rows = store::living(&mut conn).await?;
        let volumes: HashSet<String> =
            crate::block_devices::store::unsettled(&mut conn).await?.into_iter().collect();
        drop(conn);
        let first = !self.looked_once.swap(true, Ordering::Relaxed);
        let missing = |row: &store::Brief| {
            let has_none =
                [VmState::Building, VmState::Error, VmState::ShelvedOffloaded, VmState::SoftDeleted];
            row.vm_state.is_some_and(|state| !has_none.contains(&state)) && !machines.contains(&row.id)
        };
        let mut keys: Vec<String> = rows
            .iter()
            .filter(|r| first || r.has_task || missing(r) || volumes.contains(&r.id))
            .map(|r| r.id.clone())
            .collect();
        let known: HashSet<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        keys.extend(machines.iter().filter(|id| !known.contains(id.as_str())).cloned());
        Ok(keys)
    }
}
