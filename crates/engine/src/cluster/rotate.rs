//! A new credential for the cluster's controllers, and the old one revoked.

use openstack::{ApplicationCredential, Deadline};

use super::form::Forming;
use super::{Options, same_cloud};
use crate::execute::{Executor, remove};
use crate::kubernetes::Kubernetes;
use crate::observe::{Looking, observe};
use crate::plan::Removal;
use crate::progress::{Progress, step};
use crate::state::{Phase, Secrets, Store};
use crate::{Cloud, Error, Result, spec};

/// Make a new application credential, give it to the controllers, wait until they run by it, and only then delete all
/// others of this cluster. The answer is the id of the old one if it was not found among the user's own: nobody revokes
/// another user's. Interrupted, the controllers have one or the other, and both work; the next run ends it.
///
/// # Errors
/// There is no such cluster, it is not ready, or nothing in it acts on the cloud.
pub async fn rotate_credential(
    name: &str,
    cloud: &dyn Cloud,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Option<String>> {
    spec::check_name(name)?;
    let no_cluster = || Error::NoCluster { name: name.to_owned() };
    let state = store.cluster(name)?.ok_or_else(no_cluster)?;
    same_cloud(&state, cloud)?;
    let _lock = store.lock(name)?;
    let secrets = store.secrets(name)?.ok_or_else(no_cluster)?;
    let (Phase::Ready, Some(server)) = (state.phase, state.server.clone()) else {
        return Err(Error::spec(format!(
            "cluster `{name}` is {}; run `cumulet cluster create {name}` to its end first",
            state.phase
        )));
    };
    let wanted = &state.wanted;
    if !wanted.acts() {
        return Err(Error::spec(format!(
            "nothing in cluster `{name}` acts on the cloud, so it has no credential"
        )));
    }
    let deadline = Deadline::after(options.timeout);
    let world = observe(cloud, &Looking::to_create(wanted, None)).await?.world;
    let old = world.credentials.clone();
    let anothers = not_among(&secrets, &old);
    let kubernetes = Kubernetes::new(wanted, &secrets.pki, &server)?;
    let mut executor = Executor { cloud, wanted, store, secrets, world, deadline };
    step(progress, "New credential", executor.create_credential()).await?;
    let forming = Forming { executor: &executor, kubernetes: &kubernetes, server: &server, progress };
    step(progress, "Add-ons", forming.addons_in_turn()).await?;
    step(progress, "Cluster services", forming.services()).await?;
    step(progress, "Old credentials", async {
        for credential in old {
            remove(cloud, &Removal::Credential { id: credential.id }, deadline).await?;
        }
        Ok(())
    })
    .await?;
    Ok(anothers)
}

/// The credential that the controllers have, unless it is one of these.
pub(super) fn not_among(secrets: &Secrets, own: &[ApplicationCredential]) -> Option<String> {
    let held = secrets.credential.as_ref()?;
    (!own.iter().any(|credential| credential.id == held.id)).then(|| held.id.clone())
}
