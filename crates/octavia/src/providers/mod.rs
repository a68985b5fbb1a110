//! Providers: what load balancers are made of.

pub mod api;

use base::{Error, Result};

use serde_json::Value;

use crate::fault;
use crate::request::{Fields, Look, shown};
use crate::tree::Node;

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

/// What a flavor's profile may say. Load balancers of either topology are one process, which is healed.
pub const FLAVOR_CAPABILITIES: &[(&str, &str)] =
    &[("loadbalancer_topology", "The load balancer topology: SINGLE or ACTIVE_STANDBY.")];
pub const ZONE_CAPABILITIES: &[(&str, &str)] = &[("compute_zone", "The compute availability zone: nova.")];
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
        if !VALUES.iter().any(|(own, served)| own == name && value.as_str() == Some(served)) {
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

    /// What a pool asks of who serves it.
    pub fn check_pool(self, protocol: &str, given: &Fields) -> Result<()> {
        self.check_protocol(protocol)?;
        let algorithm = given.text("lb_algorithm");
        let persistence = given.get("session_persistence").and_then(Value::as_object);
        let persistence = persistence.map_or("", |persistence| persistence.text("type"));
        match (self, algorithm) {
            (Provider::Haproxy, "SOURCE_IP_PORT") if !self.forwards(protocol) => {
                Err(self.refuse("lb_algorithm SOURCE_IP_PORT"))
            }
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

    pub fn check_policy(self) -> Result<()> {
        match self {
            Provider::Haproxy => Ok(()),
            Provider::L4 => Err(self.refuse("L7 policies")),
        }
    }
}
