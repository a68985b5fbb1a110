//! The verbs. Each may be interrupted at any moment and simply run again.

mod create;
mod delete;
mod form;
mod release;
mod rotate;
#[cfg(test)]
mod tests;

pub use create::{Created, create_cluster};
pub use delete::{delete_cluster, forget_cluster, remains_of};

pub use rotate::rotate_credential;

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::state::{ClusterState, Phase, Store};
use crate::{Error, Result, kubeconfig, spec};

#[derive(Debug, Clone)]
pub struct Options {
    /// For the whole verb.
    pub timeout: Duration,
    /// Where the cluster's context goes; `None` is kubectl's own choice.
    pub kubeconfig: Option<Utf8PathBuf>,
    /// Deleting a cluster leaves the volumes of its claims.
    pub keep_volumes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3600), kubeconfig: None, keep_volumes: false }
    }
}

impl Options {
    fn kubeconfig_path(&self) -> Result<Utf8PathBuf> {
        self.kubeconfig.clone().map_or_else(kubeconfig::path, Ok)
    }
}

/// What is known here of a cluster, without asking its cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub name: String,
    pub uuid: String,
    pub phase: Phase,
    pub cloud: String,
    pub kubernetes: String,
    pub control_planes: u32,
    pub workers: u32,
    pub server: Option<String>,
    pub created: jiff::Timestamp,
}

/// # Errors
/// The state on this machine cannot be read.
pub fn list_clusters(store: &Store) -> Result<Vec<Summary>> {
    let summary = |state: ClusterState| Summary {
        name: state.wanted.name,
        uuid: state.wanted.uuid,
        phase: state.phase,
        cloud: state.cloud,
        kubernetes: state.wanted.kubernetes,
        control_planes: state.wanted.control_planes,
        workers: state.wanted.workers,
        server: state.server,
        created: state.created,
    };
    Ok(store.clusters()?.into_iter().map(summary).collect())
}

/// The administrator's kubeconfig, with this cluster alone.
///
/// # Errors
/// There is no such cluster, or it has no address yet.
pub fn kubeconfig_of(store: &Store, name: &str) -> Result<String> {
    spec::check_name(name)?;
    let no_cluster = || Error::NoCluster { name: name.to_owned() };
    let state = store.cluster(name)?.ok_or_else(no_cluster)?;
    let secrets = store.secrets(name)?.ok_or_else(no_cluster)?;
    let server = state.server.as_deref().ok_or_else(|| {
        Error::spec(format!(
            "cluster `{name}` has no address yet; run `cumulet cluster create {name}` to its end"
        ))
    })?;
    kubeconfig::render(&kubeconfig::Entry::of(&state, &secrets.pki, server))
}

/// A cluster's keys are here, its machines there: never look for them in another project.
fn same_cloud(state: &ClusterState, cloud: &dyn crate::Cloud) -> Result<()> {
    if state.project == cloud.project_id() {
        return Ok(());
    }
    Err(Error::spec(format!(
        "cluster `{}` is in cloud `{}`, project {}, and this is cloud `{}`, project {}; choose with \
         --os-cloud, or `cumulet cluster delete {} --forget` if that cloud no longer exists",
        state.wanted.name,
        state.cloud,
        state.project,
        cloud.cloud_name(),
        cloud.project_id(),
        state.wanted.name
    )))
}
