//! Which machines a cluster has, and how everything of it is called.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    ControlPlane,
    Worker,
}

impl Role {
    pub const ALL: [Role; 2] = [Role::ControlPlane, Role::Worker];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::ControlPlane => "control-plane",
            Role::Worker => "worker",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub role: Role,
    pub index: u32,
}

impl Node {
    /// The control-plane node that runs `kubeadm init`, and that the API's floating IP leads to.
    pub const FIRST: Node = Node { role: Role::ControlPlane, index: 0 };

    /// Server, port and Kubernetes node have the same name.
    #[must_use]
    pub fn name(self, cluster: &str) -> String {
        format!("{cluster}-{}-{}", self.role.as_str(), self.index)
    }
}

pub(crate) fn network(cluster: &str) -> String {
    format!("{cluster}-network")
}
pub(crate) fn subnet(cluster: &str) -> String {
    format!("{cluster}-subnet")
}
pub(crate) fn router(cluster: &str) -> String {
    format!("{cluster}-router")
}
pub(crate) fn security_group(cluster: &str, role: Role) -> String {
    format!("{cluster}-{}", role.as_str())
}
/// Server groups and key pairs have no field for an owner, hence the UUID in the name.
pub(crate) fn server_group(cluster: &str, uuid: &str) -> String {
    format!("{cluster}-nodes-{uuid}")
}
pub(crate) fn keypair(cluster: &str, uuid: &str) -> String {
    format!("{cluster}-key-{uuid}")
}

/// Begins the names, and ends the descriptions, of what controllers in the cluster make in the cloud.
pub(crate) fn cluster_name(cluster: &str, uuid: &str) -> String {
    format!("{cluster}-{uuid}")
}
/// Of application credentials; a user's may not have the same name, so each has an ending of its own.
pub(crate) fn credential(cluster: &str, uuid: &str) -> String {
    format!("{cluster}-{uuid}-")
}

/// Tag, and whole `description`, of what belongs to a cluster.
pub(crate) fn mark(uuid: &str) -> String {
    format!("{CLUSTER_KEY}={uuid}")
}
pub(crate) const CLUSTER_KEY: &str = "cumulet:cluster";
/// Metadata that the storage driver writes on volumes and snapshots.
pub(crate) const VOLUME_KEY: &str = "cinder.csi.openstack.org/cluster";
pub(crate) const NAME_KEY: &str = "cumulet:name";
pub(crate) const ROLE_KEY: &str = "cumulet:role";
