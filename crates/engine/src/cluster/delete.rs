//! Delete a cluster: everything that carries its UUID, and nothing else.

use openstack::Deadline;

use super::release::release;
use super::rotate::not_among;
use super::{Options, same_cloud};
use crate::execute::remove;
use crate::observe::{Looking, World, clusters_named, observe};
use crate::plan::plan_removal;
use crate::progress::{Progress, step};
use crate::state::{ClusterState, Phase, Store};
use crate::{Cloud, Error, Result, kubeconfig, spec};

/// What was made while we deleted (by an interrupted create's last request) is found by looking again.
const ROUNDS: usize = 3;

/// What deleting the cluster would remove, a line each.
///
/// # Errors
/// No such cluster, or the cloud does not answer.
pub async fn remains_of(
    name: &str,
    cloud: &dyn Cloud,
    store: &Store,
    options: &Options,
) -> Result<Vec<String>> {
    let uuid = find(name, cloud, store).await?;
    let state = store.cluster(name)?;
    let router = state.as_ref().and_then(|state| state.wanted.adopted_router.as_deref());
    let looking = Looking::to_delete(&uuid, name, router);
    let world = to_remove(cloud, &looking, state.as_ref(), options).await?;
    let removals = plan_removal(&world);
    Ok(removals.iter().filter(|it| !it.waits()).map(ToString::to_string).collect())
}

/// Everything of the cluster but the volumes and addresses that shall stay.
async fn to_remove(
    cloud: &dyn Cloud,
    looking: &Looking<'_>,
    state: Option<&ClusterState>,
    options: &Options,
) -> Result<World> {
    let mut world = observe(cloud, looking).await?.world;
    let kept = state.map(|state| &state.kept_volumes);
    let stays = |id: &String| options.keep_volumes || kept.is_some_and(|kept| kept.contains(id));
    world.made.volumes.retain(|volume| !stays(&volume.id));
    world.made.snapshots.retain(|snapshot| !stays(&snapshot.volume_id));
    world.made.backups.retain(|backup| !stays(&backup.volume_id));
    if let Some(state) = state {
        world.made.floating_ips.retain(|ip| !state.kept_addresses.contains(&ip.floating_ip_address));
    }
    Ok(world)
}

/// Take the cluster down, its context out of the kubeconfig, and last of all its keys from this machine. The answer is the
/// id of its controllers' credential if that was not found among the user's own: nobody revokes another user's.
///
/// # Errors
/// See [`Error`]. Running it again goes on.
pub async fn delete_cluster(
    name: &str,
    cloud: &dyn Cloud,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Option<String>> {
    let uuid = find(name, cloud, store).await?;
    let deadline = Deadline::after(options.timeout);
    let _lock = store.lock(name)?;
    let mut state = store.cluster(name)?;
    let mut anothers = None;
    if let Some(state) = &mut state {
        // Once deletion has begun it may be gone by that.
        if let Some(secrets) = store.secrets(name)?.filter(|_| state.phase != Phase::Deleting) {
            anothers = not_among(&secrets, &cloud.application_credentials().await?);
        }
        release(state, store, deadline, progress).await?;
        state.phase = Phase::Deleting;
        store.save_cluster(state)?;
    }
    let router = state.as_ref().and_then(|state| state.wanted.adopted_router.as_deref());
    let looking = Looking::to_delete(&uuid, name, router);
    let look = || to_remove(cloud, &looking, state.as_ref(), options);
    for _ in 0..ROUNDS {
        let world = look().await?;
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
    let left = look().await?;
    if !left.is_empty() {
        let lines: Vec<String> = plan_removal(&left).iter().map(ToString::to_string).collect();
        return Err(Error::spec(format!(
            "{} things of cluster `{name}` are still there ({}); run the command again",
            left.count(),
            lines.join(", ")
        )));
    }
    kubeconfig::remove(&options.kubeconfig_path()?, name, &uuid)?;
    store.remove(name)?;
    Ok(anothers)
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
