//! Kubernetes on any OpenStack cloud, by its public APIs alone.
//!
//! ```text
//!   ClusterSpec --resolve--> Wanted ----+
//!   (what was asked)  (ids, stored)     |
//!                                       +--plan--> [Step] --execute--> cloud
//!   cloud --observe(uuid)--> World -----+
//! ```
//!
//! The plan is pure: from what is wanted and what exists it says what is missing. Whatever interrupts a run, the next
//! one observes again and plans the rest, so that there is no journal to trust. Every resource carries the cluster's
//! UUID from the moment it exists (Neutron's `description`, Nova's `metadata`, the name where there is neither);
//! tags, which need a second request, are added for people and other tools.
//!
//! Rooms
//! - `file`, `spec` and `resolve`: a request, and the same with names turned into ids and defaults filled in.
//! - `observe`, `plan`, `execute`: as drawn above; `cloud` is the trait between them and `openstack`.
//! - `pki`, `bootstrap`: the cluster's CA and admin certificate, cloud-init with kubeadm.
//! - `addon`, `addons`: which add-ons there are, and their objects: the pod network, the cloud's controllers.
//! - `kubernetes`: the few Kubernetes API calls that waiting and addons need.
//! - `state`, `kubeconfig`: what is kept on this machine.
//! - `cluster`: the verbs: create, list, kubeconfig, delete.
//!
//! A cluster's life
//! ```text
//!   (nothing) --create--> Creating --create (again, after any interruption)--> Ready --delete--> Deleting --> (nothing)
//! ```
//!
//! May call: `openstack`. Never another crate of this workspace: it must work against somebody else's cloud.

mod addon;
mod addons;
mod bootstrap;
mod cloud;
mod cluster;
mod error;
mod execute;
#[cfg(test)]
mod fake;
mod file;
mod kubeconfig;
mod kubernetes;
mod node;
mod observe;
mod pki;
mod plan;
mod progress;
mod resolve;
mod spec;
mod state;

pub use addon::{Addon, AddonChoice, Cni};
pub use addons::addon_images;
pub use cloud::Cloud;
pub use cluster::{
    Created, Options, Summary, create_cluster, delete_cluster, forget_cluster, kubeconfig_of, list_clusters,
    remains_of, rotate_credential,
};
pub use error::{Error, Result};
pub use file::ClusterFile;
pub use node::{Node, Role};
pub use progress::{Progress, Silent};
pub use spec::{ClusterSpec, NodeImage, Wanted};
pub use state::{ClusterState, Phase, Store};
