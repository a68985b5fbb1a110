//! A guest's file systems hold still for a moment if an agent in the guest can make them: what is taken of its disks then
//! needs no repair.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::agent::{self, Agent};
use super::machine::Machine;
use super::paths::VmFiles;
use crate::files::remove;
use crate::process::file_error;
use crate::qmp::Client;
use crate::{Error, Result, VmState};

const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// An agent that was silent for so long while its machine ran will not speak any more.
const PATIENCE: u32 = 300;

impl Machine {
    /// `then` is done meanwhile. A frozen guest must be thawed whatever becomes of the caller, so this goes on by itself;
    /// and whatever becomes of this process: see [`thaw_left`].
    pub(super) async fn while_quiet<T: Send + 'static>(
        &self,
        monitor: &Client,
        then: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (monitor, files) = (monitor.clone(), self.files.clone());
        let done = tokio::spawn(async move {
            let frozen = freeze(&monitor, &files).await;
            let done = then.await;
            match frozen {
                Ok(agent) => thaw(agent, &files).await,
                Err(error) => tracing::debug!(%error, "a disk is taken without the guest's help"),
            }
            done
        });
        done.await.map_err(|error| Error::Monitor(error.to_string()))?
    }
}

async fn freeze(monitor: &Client, files: &VmFiles) -> Result<Agent> {
    let status = monitor.execute("query-status", Value::Null).await?;
    if status["running"] != true {
        return Err(Error::NoAgent);
    }
    let mut agent = agent::connect(monitor, files).await?;
    let mark = files.frozen();
    File::create(&mark).map_err(|error| file_error("making", &mark, error))?;
    match agent.freeze().await {
        Ok(()) => Ok(agent),
        Err(error) => {
            // It may have begun, or begin late.
            thaw(agent, files).await;
            Err(error)
        }
    }
}

/// The mark stays if it fails.
async fn thaw(mut agent: Agent, files: &VmFiles) {
    let thawed = agent.thaw().await.and_then(|()| remove(&files.frozen()));
    if let Err(error) = thawed {
        tracing::warn!(%error, "a guest's file systems could not be thawed");
    }
}

/// A machine whose guest was frozen when the process that had it frozen ended, or when it was suspended.
pub(super) async fn thaw_left(machine: Arc<Machine>) {
    let mut tries = 0;
    while machine.files.frozen().exists() && !machine.process.has_ended() {
        // While it is paused nobody answers.
        if machine.state().await.is_ok_and(|state| state == VmState::Running) {
            if tries == PATIENCE {
                return;
            }
            tries += 1;
            if let Ok(monitor) = machine.monitor(super::GREETING_LIMIT).await
                && let Ok(agent) = agent::connect(&monitor, &machine.files).await
            {
                thaw(agent, &machine.files).await;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
