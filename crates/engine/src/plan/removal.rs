//! The way down. Everything that carries the mark goes, in an order in which nothing holds anything else.
//!
//! What controllers inside the cluster made goes after the servers, or they would make it again, and before the network,
//! which it holds.

use std::fmt;

use openstack::Route;

use crate::observe::World;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Removal {
    Server {
        id: String,
        name: String,
    },
    /// Ports and server groups cannot go before the servers are really gone.
    AwaitServerGone {
        id: String,
        name: String,
    },
    /// With its listeners, pools and members.
    LoadBalancer {
        id: String,
        name: String,
    },
    /// Its port holds the network until it is gone.
    AwaitLoadBalancerGone {
        id: String,
        name: String,
    },
    Snapshot {
        id: String,
        name: String,
    },
    AwaitSnapshotGone {
        id: String,
        name: String,
    },
    Volume {
        id: String,
        name: String,
        gib: u64,
    },
    AwaitVolumeGone {
        id: String,
        name: String,
    },
    Backup {
        id: String,
        name: String,
    },
    AwaitBackupGone {
        id: String,
        name: String,
    },
    /// A certificate with its key, which load balancers had.
    Secret {
        id: String,
        name: String,
    },
    /// Leave a router these routes alone: the others lead to pods of the cluster.
    Routes {
        router: String,
        left: Vec<Route>,
    },
    FloatingIp {
        id: String,
        address: String,
    },
    Port {
        id: String,
        name: String,
    },
    RouterInterface {
        router: String,
        subnet: String,
    },
    Router {
        id: String,
        name: String,
    },
    Subnet {
        id: String,
        name: String,
    },
    Network {
        id: String,
        name: String,
    },
    SecurityGroup {
        id: String,
        name: String,
    },
    ServerGroup {
        id: String,
        name: String,
    },
    Keypair {
        name: String,
    },
    Credential {
        id: String,
    },
}

pub(crate) fn plan_removal(world: &World) -> Vec<Removal> {
    let mut steps = Vec::new();
    for server in &world.servers {
        steps.push(Removal::Server { id: server.id.clone(), name: server.name.clone() });
    }
    for server in &world.servers {
        steps.push(Removal::AwaitServerGone { id: server.id.clone(), name: server.name.clone() });
    }
    // Known as a load balancer's only while that is there.
    for ip in world.floating_ips.iter().chain(&world.made.floating_ips) {
        steps.push(Removal::FloatingIp { id: ip.id.clone(), address: ip.floating_ip_address.clone() });
    }
    for balancer in &world.made.load_balancers {
        steps.push(Removal::LoadBalancer { id: balancer.id.clone(), name: balancer.name.clone() });
    }
    for balancer in &world.made.load_balancers {
        steps.push(Removal::AwaitLoadBalancerGone { id: balancer.id.clone(), name: balancer.name.clone() });
    }
    for secret in &world.made.secrets {
        steps.push(Removal::Secret { id: secret.id().to_owned(), name: secret.name.clone() });
    }
    for backup in &world.made.backups {
        let (id, name) = (backup.id.clone(), backup.name.clone());
        steps.push(Removal::Backup { id: id.clone(), name: name.clone() });
        steps.push(Removal::AwaitBackupGone { id, name });
    }
    for snapshot in &world.made.snapshots {
        steps.push(Removal::Snapshot { id: snapshot.id.clone(), name: snapshot.name.clone() });
    }
    for snapshot in &world.made.snapshots {
        steps.push(Removal::AwaitSnapshotGone { id: snapshot.id.clone(), name: snapshot.name.clone() });
    }
    for volume in &world.made.volumes {
        steps.push(Removal::Volume { id: volume.id.clone(), name: volume.name.clone(), gib: volume.size });
    }
    for volume in &world.made.volumes {
        steps.push(Removal::AwaitVolumeGone { id: volume.id.clone(), name: volume.name.clone() });
    }
    for router in world.routers.iter().filter(|router| !router.routes.is_empty()) {
        steps.push(Removal::Routes { router: router.id.clone(), left: Vec::new() });
    }
    if let Some(router) = &world.adopted_router {
        let leads_to_us = |route: &Route| {
            world.ports.iter().any(|port| port.fixed_ips.iter().any(|ip| ip.ip_address == route.nexthop))
        };
        let left: Vec<Route> = router.routes.iter().filter(|route| !leads_to_us(route)).cloned().collect();
        if left.len() < router.routes.len() {
            steps.push(Removal::Routes { router: router.id.clone(), left });
        }
    }
    for port in &world.ports {
        steps.push(Removal::Port { id: port.id.clone(), name: port.name.clone() });
    }
    for interface in &world.router_interfaces {
        for ip in &interface.fixed_ips {
            let (router, subnet) = (interface.device_id.clone(), ip.subnet_id.clone());
            steps.push(Removal::RouterInterface { router, subnet });
        }
    }
    for router in &world.routers {
        steps.push(Removal::Router { id: router.id.clone(), name: router.name.clone() });
    }
    for subnet in &world.subnets {
        steps.push(Removal::Subnet { id: subnet.id.clone(), name: subnet.name.clone() });
    }
    for network in &world.networks {
        steps.push(Removal::Network { id: network.id.clone(), name: network.name.clone() });
    }
    for group in world.security_groups.iter().chain(&world.made.security_groups) {
        steps.push(Removal::SecurityGroup { id: group.id.clone(), name: group.name.clone() });
    }
    for group in &world.server_groups {
        steps.push(Removal::ServerGroup { id: group.id.clone(), name: group.name.clone() });
    }
    for keypair in &world.keypairs {
        steps.push(Removal::Keypair { name: keypair.name.clone() });
    }
    for credential in &world.credentials {
        steps.push(Removal::Credential { id: credential.id.clone() });
    }
    steps
}

impl Removal {
    /// Waits for what another step began.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            Removal::AwaitServerGone { .. }
                | Removal::AwaitLoadBalancerGone { .. }
                | Removal::AwaitSnapshotGone { .. }
                | Removal::AwaitBackupGone { .. }
                | Removal::AwaitVolumeGone { .. }
        )
    }

    /// The heading in the progress display.
    pub fn stage(&self) -> &'static str {
        match self {
            Removal::Server { .. } | Removal::AwaitServerGone { .. } => "Machines",
            Removal::LoadBalancer { .. } | Removal::AwaitLoadBalancerGone { .. } | Removal::Secret { .. } => {
                "Load balancers"
            }
            Removal::Snapshot { .. }
            | Removal::AwaitSnapshotGone { .. }
            | Removal::Backup { .. }
            | Removal::AwaitBackupGone { .. }
            | Removal::Volume { .. }
            | Removal::AwaitVolumeGone { .. } => "Volumes",
            Removal::FloatingIp { .. } => "Floating IPs",
            Removal::Routes { .. } | Removal::Port { .. } => "Ports and routes",
            Removal::RouterInterface { .. }
            | Removal::Router { .. }
            | Removal::Subnet { .. }
            | Removal::Network { .. } => "Network and router",
            Removal::SecurityGroup { .. }
            | Removal::ServerGroup { .. }
            | Removal::Keypair { .. }
            | Removal::Credential { .. } => "Security groups and keys",
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Removal::Server { name, .. } => write!(f, "delete server {name}"),
            Removal::AwaitServerGone { name, .. } => write!(f, "await server {name} being gone"),
            Removal::LoadBalancer { name, .. } => write!(f, "delete load balancer {name}"),
            Removal::AwaitLoadBalancerGone { name, .. } => write!(f, "await load balancer {name} being gone"),
            Removal::Snapshot { name, .. } => write!(f, "delete volume snapshot {name}"),
            Removal::AwaitSnapshotGone { name, .. } => write!(f, "await volume snapshot {name} being gone"),
            Removal::Volume { name, gib, .. } => write!(f, "delete volume {name} ({gib} GiB)"),
            Removal::AwaitVolumeGone { name, .. } => write!(f, "await volume {name} being gone"),
            Removal::Backup { name, .. } => write!(f, "delete volume backup {name}"),
            Removal::AwaitBackupGone { name, .. } => write!(f, "await volume backup {name} being gone"),
            Removal::Secret { name, .. } => write!(f, "delete secret {name}"),
            Removal::Routes { router, .. } => write!(f, "remove routes to pods from router {router}"),
            Removal::FloatingIp { address, .. } => write!(f, "delete floating IP {address}"),
            Removal::Port { name, .. } => write!(f, "delete port {name}"),
            Removal::RouterInterface { router, subnet } => {
                write!(f, "detach subnet {subnet} from router {router}")
            }
            Removal::Router { name, .. } => write!(f, "delete router {name}"),
            Removal::Subnet { name, .. } => write!(f, "delete subnet {name}"),
            Removal::Network { name, .. } => write!(f, "delete network {name}"),
            Removal::SecurityGroup { name, .. } => write!(f, "delete security group {name}"),
            Removal::ServerGroup { name, .. } => write!(f, "delete server group {name}"),
            Removal::Keypair { name } => write!(f, "delete key pair {name}"),
            Removal::Credential { id } => write!(f, "delete application credential {id}"),
        }
    }
}
