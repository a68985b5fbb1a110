//! Delete a cluster: everything that carries its UUID, and nothing else.

use openstack::Deadline;

use super::{Options, same_cloud};
use crate::execute::remove;
use crate::observe::{Looking, clusters_named, observe};
use crate::plan::{Removal, plan_removal};
use crate::progress::{Progress, step};
use crate::state::{Phase, Store};
use crate::{Cloud, Error, Result, kubeconfig, spec};

/// What was made while we deleted (by an interrupted create's last request) is found by looking again.
const ROUNDS: usize = 3;

/// What deleting the cluster would remove, a line each.
///
/// # Errors
/// No such cluster, or the cloud does not answer.
pub async fn remains_of(name: &str, cloud: &dyn Cloud, store: &Store) -> Result<Vec<String>> {
    let uuid = find(name, cloud, store).await?;
    let observed = observe(cloud, &Looking { uuid: &uuid, name, adopted_floating_ip: None }).await?;
    let removals = plan_removal(&observed.world);
    Ok(removals
        .iter()
        .filter(|it| !matches!(it, Removal::AwaitServerGone { .. }))
        .map(ToString::to_string)
        .collect())
}

/// Take the cluster down, its context out of the kubeconfig, and last of all its keys from this machine.
///
/// # Errors
/// See [`Error`]. Running it again goes on.
pub async fn delete_cluster(
    name: &str,
    cloud: &dyn Cloud,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<()> {
    let uuid = find(name, cloud, store).await?;
    let deadline = Deadline::after(options.timeout);
    let _lock = store.lock(name)?;
    if let Some(mut state) = store.cluster(name)? {
        state.phase = Phase::Deleting;
        store.save_cluster(&state)?;
    }
    let looking = Looking { uuid: &uuid, name, adopted_floating_ip: None };
    for _ in 0..ROUNDS {
        let world = observe(cloud, &looking).await?.world;
        if world.is_empty() {
            break;
        }
        let plan = plan_removal(&world);
        for stage in plan.chunk_by(|one, next| one.stage() == next.stage()) {
            let work = async {
                for removal in stage {
                    progress.note(&removal.to_string());
                    remove(cloud, removal, deadline).await?;
                }
                Ok(())
            };
            step(progress, stage[0].stage(), work).await?;
        }
    }
    let left = observe(cloud, &looking).await?.world;
    if !left.is_empty() {
        let lines: Vec<String> = plan_removal(&left).iter().map(ToString::to_string).collect();
        return Err(Error::spec(format!(
            "{} things of cluster `{name}` are still there ({}); run the command again",
            left.count(),
            lines.join(", ")
        )));
    }
    kubeconfig::remove(&options.kubeconfig_path()?, name, &uuid)?;
    store.remove(name)
}

/// Take a cluster whose cloud no longer exists out of the kubeconfig and off this machine, asking no cloud.
///
/// # Errors
/// No such cluster, or a file cannot be changed.
pub fn forget_cluster(name: &str, store: &Store, options: &Options) -> Result<()> {
    spec::check_name(name)?;
    let state = store.cluster(name)?.ok_or_else(|| Error::NoCluster { name: name.to_owned() })?;
    let _lock = store.lock(name)?;
    kubeconfig::remove(&options.kubeconfig_path()?, name, &state.wanted.uuid)?;
    store.remove(name)
}

/// The UUID: from this machine, or from the cloud when this machine knows nothing of the cluster.
async fn find(name: &str, cloud: &dyn Cloud, store: &Store) -> Result<String> {
    spec::check_name(name)?;
    if let Some(state) = store.cluster(name)? {
        same_cloud(&state, cloud)?;
        return Ok(state.wanted.uuid);
    }
    let mut found = clusters_named(cloud, name).await?;
    match (found.pop(), found.is_empty()) {
        (Some(uuid), true) => Ok(uuid),
        (Some(uuid), false) => {
            found.push(uuid);
            Err(Error::spec(format!(
                "{} clusters are called `{name}` in this project ({}), and none of them was made from this machine; \
                 delete them from where they were made",
                found.len(),
                found.join(", ")
            )))
        }
        (None, _) => Err(Error::NoCluster { name: name.to_owned() }),
    }
}
