//! The way down. Everything that carries the mark goes, in an order in which nothing holds anything else.
//!
//! Load balancers and volumes that controllers inside the cluster make are to be removed first, before the servers:
//! that is where their steps go once the engine installs such controllers.

use std::fmt;

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
}

pub(crate) fn plan_removal(world: &World) -> Vec<Removal> {
    let mut steps = Vec::new();
    for server in &world.servers {
        steps.push(Removal::Server { id: server.id.clone(), name: server.name.clone() });
    }
    for server in &world.servers {
        steps.push(Removal::AwaitServerGone { id: server.id.clone(), name: server.name.clone() });
    }
    for ip in &world.floating_ips {
        steps.push(Removal::FloatingIp { id: ip.id.clone(), address: ip.floating_ip_address.clone() });
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
    for group in &world.security_groups {
        steps.push(Removal::SecurityGroup { id: group.id.clone(), name: group.name.clone() });
    }
    for group in &world.server_groups {
        steps.push(Removal::ServerGroup { id: group.id.clone(), name: group.name.clone() });
    }
    for keypair in &world.keypairs {
        steps.push(Removal::Keypair { name: keypair.name.clone() });
    }
    steps
}

impl Removal {
    /// The heading in the progress display.
    pub fn stage(&self) -> &'static str {
        match self {
            Removal::Server { .. } | Removal::AwaitServerGone { .. } => "Machines",
            Removal::FloatingIp { .. } | Removal::Port { .. } => "Ports and floating IP",
            Removal::RouterInterface { .. }
            | Removal::Router { .. }
            | Removal::Subnet { .. }
            | Removal::Network { .. } => "Network and router",
            Removal::SecurityGroup { .. } | Removal::ServerGroup { .. } | Removal::Keypair { .. } => {
                "Security groups and keys"
            }
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Removal::Server { name, .. } => write!(f, "delete server {name}"),
            Removal::AwaitServerGone { name, .. } => write!(f, "await server {name} being gone"),
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
        }
    }
}
