//! Create a cluster, or go on creating it.

use camino::Utf8PathBuf;
use openstack::Deadline;

use super::{Options, form, same_cloud};
use crate::addons::Time;
use crate::execute::{Executor, server_url};
use crate::kubernetes::Kubernetes;
use crate::observe::{Looking, observe};
use crate::pki::{Pki, Token};
use crate::plan::{Stage, plan_create};
use crate::progress::{Progress, step};
use crate::resolve::resolve;
use crate::state::{ClusterState, Phase, Secrets, Store};
use crate::{Addon, Cloud, ClusterSpec, Error, Result, kubeconfig};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub name: String,
    pub kubernetes: String,
    pub server: String,
    pub nodes: Vec<String>,
    /// The file that has the new context.
    pub kubeconfig: Utf8PathBuf,
}

/// Make what is missing of the cluster and wait until it works. Running it again after any interruption goes on where
/// the last run stopped; running it on a finished cluster checks it.
///
/// # Errors
/// See [`Error`]. What was made stays, for another try or for [`super::delete_cluster`].
pub async fn create_cluster(
    spec: &ClusterSpec,
    cloud: &dyn Cloud,
    store: &Store,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Created> {
    spec.check()?;
    let deadline = Deadline::after(options.timeout);
    let kubeconfig_path = options.kubeconfig_path()?;
    let lock = store.lock(&spec.name)?;
    let begun = step(progress, "Cloud and images", begin(spec, cloud, store, &kubeconfig_path)).await;
    let (mut state, secrets) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            drop(lock);
            store.forget_empty(&spec.name)?;
            return Err(error);
        }
    };
    let wanted = state.wanted.clone();
    let held = secrets.credential.as_ref().map(|credential| credential.id.as_str());
    let observed = observe(cloud, &Looking::to_create(&wanted, held)).await?;
    let plan = plan_create(&wanted, &observed)?;
    let mut executor = Executor { cloud, wanted: &wanted, store, secrets, world: observed.world, deadline };
    for stage in Stage::ALL {
        let steps: Vec<_> = plan.iter().filter(|step| step.stage() == stage).collect();
        if steps.is_empty() {
            continue;
        }
        let work = async {
            for step in steps {
                progress.note(&step.to_string());
                executor.run(step).await?;
            }
            Ok(())
        };
        step(progress, stage.title(), work).await?;
    }

    let address = executor.world.floating_ip().map(|ip| ip.floating_ip_address.clone());
    let server = server_url(&address.ok_or_else(|| Error::Internal("the floating IP is lost".to_owned()))?);
    state.server = Some(server.clone());
    state.auth_url = Some(cloud.connection()?.auth_url);
    store.save_cluster(&state)?;
    let kubernetes = Kubernetes::new(&wanted, &executor.secrets.pki, &server)?;
    let forming = form::Forming { executor: &executor, kubernetes: &kubernetes, server: &server, progress };
    step(progress, "Kubernetes API", forming.api()).await?;
    step(progress, "Pod network", forming.pod_network()).await?;
    if wanted.addons.contains(&Addon::CloudControllerManager) {
        step(progress, "Cloud controller manager", forming.addons(Time::BeforeNodes)).await?;
    }
    step(progress, "Nodes", forming.nodes()).await?;
    if !wanted.addons.is_empty() {
        step(progress, "Add-ons", async {
            // The secret is of both times; who has it already is told nothing new.
            forming.addons(Time::BeforeNodes).await?;
            forming.addons(Time::AfterNodes).await
        })
        .await?;
    }
    step(progress, "Cluster services", forming.services()).await?;

    let entry = kubeconfig::Entry::of(&state, &executor.secrets.pki, &server);
    kubeconfig::merge(&kubeconfig_path, &entry)?;
    state.phase = Phase::Ready;
    store.save_cluster(&state)?;
    Ok(Created {
        nodes: wanted.nodes().into_iter().map(|node| node.name(&wanted.name)).collect(),
        name: wanted.name,
        kubernetes: wanted.kubernetes,
        server,
        kubeconfig: kubeconfig_path,
    })
}

/// Decide, and write the decision down before anything is made.
async fn begin(
    spec: &ClusterSpec,
    cloud: &dyn Cloud,
    store: &Store,
    kubeconfig_path: &camino::Utf8Path,
) -> Result<(ClusterState, Secrets)> {
    let name = &spec.name;
    if let Some(state) = store.cluster(name)? {
        return resume(spec, cloud, store, state).await;
    }
    let wanted = resolve(spec, uuid::Uuid::new_v4().to_string(), cloud).await?;
    kubeconfig::check(kubeconfig_path, name, &wanted.uuid)?;
    let observed = observe(cloud, &Looking::to_create(&wanted, None)).await?;
    plan_create(&wanted, &observed)?;
    let secrets = Secrets { pki: Pki::generate()?, token: Token::generate(), credential: None };
    let state = ClusterState {
        phase: Phase::Creating,
        cloud: cloud.cloud_name(),
        project: cloud.project_id(),
        created: jiff::Timestamp::now(),
        server: None,
        auth_url: None,
        wanted,
        kept_volumes: std::collections::BTreeSet::new(),
        kept_addresses: std::collections::BTreeSet::new(),
    };
    store.save_secrets(name, &secrets)?;
    store.save_cluster(&state)?;
    Ok((state, secrets))
}

async fn resume(
    spec: &ClusterSpec,
    cloud: &dyn Cloud,
    store: &Store,
    state: ClusterState,
) -> Result<(ClusterState, Secrets)> {
    let name = &spec.name;
    same_cloud(&state, cloud)?;
    if state.phase == Phase::Deleting {
        return Err(Error::spec(format!(
            "cluster `{name}` is half deleted; run `cumulet cluster delete {name}` to the end first"
        )));
    }
    let secrets = store.secrets(name)?.ok_or_else(|| Error::State {
        path: store.dir(name),
        message: "the cluster's keys are missing".to_owned(),
    })?;
    // What was not said now is as it was decided then, even if today's choice would be another.
    let before = &state.wanted;
    let or = |now: &Option<String>, then: &str| now.clone().or_else(|| Some(then.to_owned()));
    let again = ClusterSpec {
        workers: spec.workers.or(Some(before.workers)),
        node_cidr: match &before.adopted_network {
            Some(_) => spec.node_cidr,
            None => spec.node_cidr.or(Some(before.node_cidr)),
        },
        pod_cidr: spec.pod_cidr.or(Some(before.pod_cidr)),
        service_cidr: spec.service_cidr.or(Some(before.service_cidr)),
        dns_nameservers: spec.dns_nameservers.clone().or_else(|| Some(before.dns_nameservers.clone())),
        node_ports_from: spec.node_ports_from.or(Some(before.node_ports_from)),
        image: or(&spec.image, &before.image.id),
        kubernetes: or(&spec.kubernetes, &before.kubernetes),
        worker_flavor: or(&spec.worker_flavor, &before.worker_flavor),
        control_plane_flavor: or(&spec.control_plane_flavor, &before.control_plane_flavor),
        external_network: or(&spec.external_network, &before.external_network),
        network: spec
            .network
            .clone()
            .or_else(|| before.adopted_network.as_ref().map(|it| it.network_id.clone())),
        ssh_public_key: spec.ssh_public_key.clone().or_else(|| before.ssh_public_key.clone()),
        availability_zone: spec.availability_zone.clone().or_else(|| before.availability_zone.clone()),
        addons: Addon::ALL
            .into_iter()
            .map(|addon| {
                let before = before.addons.contains(&addon);
                (addon, spec.addons.get(&addon).copied().unwrap_or(before))
            })
            .collect(),
        cni: spec.cni.or(Some(before.cni)),
        ..spec.clone()
    };
    let mut now = resolve(&again, before.uuid.clone(), cloud).await?;
    if spec.floating_ip.is_none() {
        now.adopted_floating_ip.clone_from(&before.adopted_floating_ip);
    }
    let differences = before.differences(&now);
    if !differences.is_empty() {
        return Err(Error::OtherSpec { name: name.clone(), differences: differences.join(", ") });
    }
    Ok((state, secrets))
}
