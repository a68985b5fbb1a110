//! Providers: what load balancers are made of.

pub mod api;

use base::{Error, Result};

use crate::fault;
use crate::tree::Node;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Haproxy,
}

pub const DEFAULT: &str = "haproxy";

/// Name and description. Clients ask for the names that the reference driver of OpenStack has, so these lead to the
/// same as our own.
pub const ALL: [(&str, Provider, &str); 3] = [
    ("haproxy", Provider::Haproxy, "HAProxy in a network namespace of the load balancer's own."),
    ("amphora", Provider::Haproxy, "The provider haproxy, by the name that clients expect."),
    ("octavia", Provider::Haproxy, "Deprecated alias of the provider haproxy."),
];

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
    /// 501 for listeners and pools that the provider does not know.
    pub fn check_protocol(self, protocol: &str) -> Result<()> {
        match (self, protocol) {
            (Provider::Haproxy, "UDP" | "SCTP") => {
                Err(fault::unsupported("haproxy", &format!("protocol {protocol}")))
            }
            _ => Ok(()),
        }
    }

    pub fn check_algorithm(self, algorithm: &str) -> Result<()> {
        match (self, algorithm) {
            (Provider::Haproxy, "SOURCE_IP_PORT") => {
                Err(fault::unsupported("haproxy", "lb_algorithm SOURCE_IP_PORT"))
            }
            _ => Ok(()),
        }
    }
}
