//! The last that a living cluster does: give back what only its own controllers know how to, and say what shall stay.
//!
//! Whatever is not given back here is found in the cloud by the cluster's name. A cluster that does not answer at all is
//! no reason to stop.

use std::time::{Duration, Instant};

use openstack::Deadline;

use crate::kubernetes::{Kubernetes, Look};
use crate::progress::{Progress, step};
use crate::state::{ClusterState, Phase, Store};
use crate::{Addon, Error, Result};

const DRIVER: &str = "cinder.csi.openstack.org";
/// A controller that is alive answers in seconds; on a slow machine in some more.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_secs(2);

/// Services lose their load balancers by the controller that made them, which also cleans up in load balancers that it
/// shares with others. Volumes and addresses to be kept are written into `state`.
pub(super) async fn release(
    state: &mut ClusterState,
    store: &Store,
    deadline: Deadline,
    progress: &dyn Progress,
) -> Result<()> {
    let (Some(server), Some(secrets)) = (state.server.clone(), store.secrets(&state.wanted.name)?) else {
        return Ok(());
    };
    // Once machines may be gone already, asking would only cost time.
    if !state.wanted.acts() || state.phase == Phase::Deleting {
        return Ok(());
    }
    let kubernetes = Kubernetes::new(&state.wanted, &secrets.pki, &server)?;
    step(progress, "Services and volumes", async {
        if let Err(reason) = kubernetes.ready().await {
            tracing::info!(cluster = %state.wanted.name, reason, "the cluster is not asked what it holds");
            progress.note(&reason);
            return Ok(());
        }
        if state.wanted.addons.contains(&Addon::CinderCsi) {
            state.kept_volumes.extend(told(kubernetes.retained_volumes(DRIVER).await)?);
        }
        state.kept_addresses.extend(told(kubernetes.kept_addresses().await)?);
        if state.wanted.addons.contains(&Addon::CloudControllerManager) {
            give_back_services(&kubernetes, deadline, progress).await;
        }
        Ok(())
    })
    .await
}

/// A cluster that answers must say what is to be kept: what is deleted for want of an answer is lost.
fn told<T>(answer: Look<T>) -> Result<T> {
    answer.map_err(|reason| {
        Error::spec(format!(
            "the cluster does not say which volumes and addresses are to be kept ({reason}); nothing was deleted, run the \
             command again"
        ))
    })
}

async fn give_back_services(kubernetes: &Kubernetes, deadline: Deadline, progress: &dyn Progress) {
    let begin = Instant::now();
    loop {
        let services = match kubernetes.balanced_services().await {
            Ok(services) if services.is_empty() => return,
            Ok(services) => services,
            Err(reason) => return progress.note(&reason),
        };
        for (namespace, name) in &services {
            if let Err(reason) = kubernetes.delete_service(namespace, name).await {
                progress.note(&reason);
            }
        }
        if begin.elapsed() > PATIENCE || deadline.passed() {
            return progress.note(&format!("{} services keep their load balancers", services.len()));
        }
        progress.note(&format!("await the load balancers of {} services being gone", services.len()));
        tokio::time::sleep(POLL).await;
    }
}
