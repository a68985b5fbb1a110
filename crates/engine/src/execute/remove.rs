//! Removing what is of a cluster.

use openstack::{Deadline, poll};

use super::POLL;
use crate::plan::Removal;
use crate::{Cloud, Result};

/// How often Cinder is asked for one thing before others have their turn, and it the next: a snapshot may have to wait for
/// a volume that was made of it, and that one's volume for the snapshot.
const STORAGE_TRIES: u32 = 120;

/// Remove one thing. What is gone already is fine; what is still held by something that is just going is tried again.
pub(crate) async fn remove(cloud: &dyn Cloud, step: &Removal, deadline: Deadline) -> Result<()> {
    tracing::debug!(%step, "removal");
    let what = step.to_string();
    let mut tries = 0;
    let done = poll(&what, deadline, POLL, async || match remove_once(cloud, step).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_not_found() => Ok(Ok(())),
        // Cinder says 400 to what is in use, for instance by a server that is just going.
        Err(error) if of_storage(step) && matches!(error.status(), Some(400 | 409)) => {
            tries += 1;
            if tries < STORAGE_TRIES { Ok(Err(error.to_string())) } else { Ok(Ok(())) }
        }
        Err(error) if error.is_conflict() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    });
    Ok(done.await?)
}

fn of_storage(step: &Removal) -> bool {
    matches!(step, Removal::Volume { .. } | Removal::Snapshot { .. } | Removal::Backup { .. })
}

async fn remove_once(
    cloud: &dyn Cloud,
    step: &Removal,
) -> openstack::Result<std::result::Result<(), String>> {
    match step {
        Removal::Server { id, .. } => cloud.delete_server(id).await?,
        Removal::AwaitServerGone { id, .. } => {
            let server = cloud.server(id).await?;
            return match server.status.as_str() {
                "DELETED" => Ok(Ok(())),
                "SOFT_DELETED" => really_delete(cloud, id).await,
                status => Ok(Err(format!("it is {status}"))),
            };
        }
        Removal::LoadBalancer { id, .. } => cloud.delete_load_balancer(id).await?,
        Removal::AwaitLoadBalancerGone { id, .. } => {
            let status = cloud.load_balancer(id).await?.provisioning_status;
            return Ok(if status == "DELETED" { Ok(()) } else { Err(format!("it is {status}")) });
        }
        Removal::Snapshot { id, .. } => cloud.delete_volume_snapshot(id).await?,
        Removal::AwaitSnapshotGone { id, .. } => {
            return Ok(going(&cloud.volume_snapshot(id).await?.status));
        }
        Removal::Backup { id, .. } => cloud.delete_volume_backup(id).await?,
        Removal::AwaitBackupGone { id, .. } => {
            return Ok(going(&cloud.volume_backup(id).await?.status));
        }
        Removal::Secret { id, .. } => cloud.delete_secret(id).await?,
        Removal::Volume { id, .. } => cloud.delete_volume(id).await?,
        Removal::AwaitVolumeGone { id, .. } => {
            return Ok(going(&cloud.volume(id).await?.status));
        }
        Removal::Routes { router, left } => cloud.set_router_routes(router, left).await?,
        Removal::FloatingIp { id, .. } => cloud.delete_floating_ip(id).await?,
        Removal::Port { id, .. } => cloud.delete_port(id).await?,
        Removal::RouterInterface { router, subnet } => cloud.remove_router_interface(router, subnet).await?,
        Removal::Router { id, .. } => cloud.delete_router(id).await?,
        Removal::Subnet { id, .. } => cloud.delete_subnet(id).await?,
        Removal::Network { id, .. } => cloud.delete_network(id).await?,
        Removal::SecurityGroup { id, .. } => cloud.delete_security_group(id).await?,
        Removal::ServerGroup { id, .. } => cloud.delete_server_group(id).await?,
        Removal::Keypair { name } => cloud.delete_keypair(name).await?,
        Removal::Credential { id } => cloud.delete_application_credential(id).await?,
    }
    Ok(Ok(()))
}

/// Clouds that reclaim servers later keep their volumes and ports until then.
async fn really_delete(cloud: &dyn Cloud, id: &str) -> openstack::Result<std::result::Result<(), String>> {
    match cloud.force_delete_server(id).await {
        Ok(()) => Ok(Err("it is SOFT_DELETED".to_owned())),
        Err(error) if error.is_conflict() => Ok(Err(error.to_string())),
        Err(error) if error.status() == Some(403) => {
            tracing::warn!(%error, "the server goes when the cloud reclaims it");
            Ok(Ok(()))
        }
        Err(error) => Err(error),
    }
}

/// What rests again will not go now: Cinder took the request, found it in use, and gave up.
fn going(status: &str) -> std::result::Result<(), String> {
    match status {
        "available" | "error" | "error_deleting" => Ok(()),
        status => Err(format!("it is {status}")),
    }
}
