//! What a machine is told at its first boot: cloud-init with kubeadm's configuration.
//!
//! All nodes are created at once. A worker's `kubeadm join` asks for the API every few seconds until it answers, so
//! it waits for the control plane by itself, and the engine need not stay alive for the cluster to form.
//!
//! User data is not a vault: whoever runs code on a node, pods included unless a network policy forbids
//! 169.254.169.254, can read it. A worker's holds a join token that dies after two hours; only a control-plane node's
//! holds the CA's key.

mod cloud_init;
mod kubeadm;
#[cfg(test)]
mod tests;

pub(crate) use kubeadm::{API_PORT, WEBHOOK_DIR, WEBHOOK_PORT};

use crate::node::{Node, Role};
use crate::pki::{Pki, Token};
use crate::{Result, Wanted};

/// The line on the console that says that a node gave up.
pub(crate) const FAILED: &str = "cumulet: bootstrap failed";

/// Everything that a node's start depends on.
pub(crate) struct Inputs<'a> {
    pub wanted: &'a Wanted,
    pub pki: &'a Pki,
    pub token: &'a Token,
    pub node: Node,
    /// The node's own address.
    pub address: &'a str,
    /// Where nodes find the API. Never the floating IP: that may move, and its path leads through the router.
    pub api_address: &'a str,
    /// Where everybody else finds it.
    pub floating_ip: &'a str,
}

/// The `user_data` of a server, in base64.
pub(crate) fn user_data(inputs: &Inputs<'_>) -> Result<String> {
    let text = match inputs.node.role {
        Role::ControlPlane => cloud_init::control_plane(inputs)?,
        Role::Worker => cloud_init::worker(inputs)?,
    };
    cloud_init::encode(&inputs.wanted.node_name(inputs.node), &text)
}
