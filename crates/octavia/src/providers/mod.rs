//! Providers: what load balancers are made of.

pub mod api;

use base::{Error, Result};

use serde_json::Value;

use crate::fault;
use crate::request::{Fields, Look, shown};
use crate::tree::{Node, Tree};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Haproxy,
    L4,
}

pub const DEFAULT: &str = "haproxy";

/// Name and description. Clients ask for the names that the reference driver of OpenStack has, so these lead to the
/// same as our own.
pub const ALL: [(&str, Provider, &str); 4] = [
    ("haproxy", Provider::Haproxy, "HAProxy in a network namespace of the load balancer's own."),
    ("amphora", Provider::Haproxy, "The provider haproxy by the name that clients expect."),
    ("octavia", Provider::Haproxy, "Deprecated alias of the provider haproxy."),
    ("l4", Provider::L4, "The kernel passes packets on and looks into none."),
];

/// Of a zone's profile: the networks in which VIPs may be.
pub const VIP_NETWORKS: &str = "valid_vip_networks";

/// What a flavor's profile may say. Load balancers of either topology are one process, which is healed.
pub const FLAVOR_CAPABILITIES: &[(&str, &str)] =
    &[("loadbalancer_topology", "The load balancer topology: SINGLE or ACTIVE_STANDBY.")];
pub const ZONE_CAPABILITIES: &[(&str, &str)] = &[
    ("compute_zone", "The compute availability zone: nova."),
    (VIP_NETWORKS, "List of network IDs that are allowed for VIP use."),
];
const VALUES: [(&str, &str); 3] = [
    ("loadbalancer_topology", "SINGLE"),
    ("loadbalancer_topology", "ACTIVE_STANDBY"),
    ("compute_zone", "nova"),
];

/// 501 for what a profile asks of a provider and nobody serves.
pub fn check_profile(provider: &str, data: &Fields, known: &[(&str, &str)]) -> Result<()> {
    named(provider)?;
    for (name, value) in data {
        if !known.iter().any(|(own, _)| own == name) {
            return Err(fault::unsupported(provider, name));
        }
        let is_network_list =
            name == VIP_NETWORKS && value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        let is_value = VALUES.iter().any(|(own, served)| own == name && value.as_str() == Some(served));
        if !(is_network_list || is_value) {
            return Err(fault::unsupported(provider, &format!("{name} {}", shown(value))));
        }
    }
    Ok(())
}

pub fn named(name: &str) -> Result<Provider> {
    ALL.iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, provider, _)| *provider)
        .ok_or_else(|| Error::bad_request(format!("Provider '{name}' is not enabled.")))
}

/// That of a load balancer.
pub fn of(root: &Node) -> Result<Provider> {
    named(root.text("provider"))
}

impl Provider {
    fn refuse(self, words: &str) -> Error {
        fault::unsupported(
            match self {
                Provider::Haproxy => "haproxy",
                Provider::L4 => "l4",
            },
            words,
        )
    }

    /// The kernel passes packets of this protocol on by itself.
    pub fn forwards(self, protocol: &str) -> bool {
        self == Provider::L4 || matches!(protocol, "UDP" | "SCTP")
    }

    /// 501 for listeners and pools that the provider does not know.
    pub fn check_protocol(self, protocol: &str) -> Result<()> {
        match (self, protocol) {
            (Provider::Haproxy, _) | (_, "TCP" | "UDP" | "SCTP") => Ok(()),
            (Provider::L4, _) => Err(self.refuse(&format!("protocol {protocol}"))),
        }
    }

    /// 501 for a member that packets cannot be passed on to: none of the VIPs is of its family.
    pub fn check_member(self, tree: &Tree, pool: &Node, address: &str) -> Result<()> {
        let protocol = pool.text("protocol");
        let Some(root) = tree.root() else { return Ok(()) };
        if !self.forwards(protocol) || tree.listeners_of(&pool.id).is_empty() {
            return Ok(());
        }
        let is_v6 = |text: &str| text.contains(':');
        if vips(root).iter().any(|vip| is_v6(vip) == is_v6(address)) {
            return Ok(());
        }
        Err(self.refuse(&format!(
            "This provider doesn't support mixing IPv4 and IPv6 addresses for its VIP and members in {protocol} load \
             balancers."
        )))
    }

    /// What a pool asks of who serves it.
    pub fn check_pool(self, protocol: &str, given: &Fields) -> Result<()> {
        self.check_protocol(protocol)?;
        let algorithm = given.text("lb_algorithm");
        let persistence = given.get("session_persistence").and_then(Value::as_object);
        let persistence = persistence.map_or("", |persistence| persistence.text("type"));
        match (self, algorithm) {
            // Nobody counts what is passed on.
            (Provider::L4, "LEAST_CONNECTIONS") => Err(self.refuse("lb_algorithm LEAST_CONNECTIONS")),
            (Provider::L4, _) if !matches!(persistence, "" | "SOURCE_IP") => {
                Err(self.refuse(&format!("session_persistence {persistence}")))
            }
            (Provider::L4, _) if given.flag("tls_enabled") => Err(self.refuse("tls_enabled")),
            _ => Ok(()),
        }
    }

    pub fn check_monitor(self, kind: &str) -> Result<()> {
        match (self, kind) {
            (Provider::L4, "HTTPS" | "TLS-HELLO") => Err(self.refuse(&format!("health monitor type {kind}"))),
            _ => Ok(()),
        }
    }

    /// `protocol`: of the listener that the policy is for.
    pub fn check_policy(self, protocol: &str) -> Result<()> {
        match (self, protocol) {
            (Provider::Haproxy, "HTTP" | "TERMINATED_HTTPS") => Ok(()),
            (Provider::Haproxy, _) => {
                Err(self.refuse(&format!("{protocol} protocol listeners do not support L7 policies")))
            }
            (Provider::L4, _) => Err(self.refuse("L7 policies")),
        }
    }
}

/// All addresses of a load balancer.
pub fn vips(root: &Node) -> Vec<&str> {
    let others = root.fields.list("additional_vips").iter().filter_map(Value::as_object);
    let mut vips = vec![root.text("vip_address")];
    vips.extend(others.map(|vip| vip.text("ip_address")));
    vips
}
