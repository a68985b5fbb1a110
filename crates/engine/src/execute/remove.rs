//! Removing what is of a cluster.

use openstack::{Deadline, poll};

use super::POLL;
use crate::plan::Removal;
use crate::{Cloud, Result};

/// Remove one thing. What is gone already is fine; what is still held by something that is just going is tried again.
pub(crate) async fn remove(cloud: &dyn Cloud, step: &Removal, deadline: Deadline) -> Result<()> {
    tracing::debug!(%step, "removal");
    let what = step.to_string();
    let done = poll(&what, deadline, POLL, async || match remove_once(cloud, step).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_not_found() => Ok(Ok(())),
        Err(error) if error.is_conflict() => Ok(Err(error.to_string())),
        // Cinder says 400 to what is in use, for instance by a server that is just going.
        Err(error) if error.status() == Some(400) && of_storage(step) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    });
    Ok(done.await?)
}

fn of_storage(step: &Removal) -> bool {
    matches!(step, Removal::Volume { .. } | Removal::Snapshot { .. })
}

async fn remove_once(
    cloud: &dyn Cloud,
    step: &Removal,
) -> openstack::Result<std::result::Result<(), String>> {
    match step {
        Removal::Server { id, .. } => cloud.delete_server(id).await?,
        Removal::AwaitServerGone { id, .. } => {
            let server = cloud.server(id).await?;
            return Ok(match server.status.as_str() {
                "DELETED" | "SOFT_DELETED" => Ok(()),
                status => Err(format!("it is {status}")),
            });
        }
        Removal::LoadBalancer { id, .. } => cloud.delete_load_balancer(id).await?,
        Removal::AwaitLoadBalancerGone { id, .. } => {
            let status = cloud.load_balancer(id).await?.provisioning_status;
            return Ok(if status == "DELETED" { Ok(()) } else { Err(format!("it is {status}")) });
        }
        Removal::Snapshot { id, .. } => cloud.delete_volume_snapshot(id).await?,
        Removal::AwaitSnapshotGone { id, .. } => {
            return Ok(Err(format!("it is {}", cloud.volume_snapshot(id).await?.status)));
        }
        Removal::Volume { id, .. } => cloud.delete_volume(id).await?,
        Removal::AwaitVolumeGone { id, .. } => {
            return Ok(Err(format!("it is {}", cloud.volume(id).await?.status)));
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
