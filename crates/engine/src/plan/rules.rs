//! What may reach the nodes. Egress stays as Neutron makes it: everything.

use std::fmt;

use ipnet::Ipv4Net;
use openstack::SecurityGroupRule;

use crate::bootstrap::API_PORT;
use crate::node::Role;
use crate::{Cni, Wanted};

/// An ingress rule for IPv4; `None` means any protocol, any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub protocol: Option<&'static str>,
    pub ports: Option<(u16, u16)>,
    pub from: Remote,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remote {
    Range(Ipv4Net),
    Group(Role),
}

const NODE_PORTS: (u16, u16) = (30000, 32767);

pub(super) fn wanted(wanted: &Wanted, role: Role) -> Vec<Rule> {
    let anywhere = Remote::Range(Ipv4Net::default());
    let mut rules = Vec::new();
    // Between nodes everything: VXLAN, the kubelets, and whatever the next pod network speaks.
    for from in Role::ALL {
        rules.push(Rule { protocol: None, ports: None, from: Remote::Group(from) });
    }
    if wanted.cni == Cni::Router {
        // Pods come with their own addresses, which are no member's of any group.
        rules.push(Rule { protocol: None, ports: None, from: Remote::Range(wanted.pod_cidr) });
    }
    if role == Role::ControlPlane {
        rules.push(Rule { protocol: Some("tcp"), ports: Some((API_PORT, API_PORT)), from: anywhere.clone() });
    }
    if wanted.ssh_public_key.is_some() {
        rules.push(Rule { protocol: Some("tcp"), ports: Some((22, 22)), from: anywhere });
    }
    if let Some(range) = wanted.node_ports_from {
        for protocol in ["tcp", "udp"] {
            rules.push(Rule {
                protocol: Some(protocol),
                ports: Some(NODE_PORTS),
                from: Remote::Range(range),
            });
        }
    }
    rules
}

impl Rule {
    /// Does the cloud's rule say the same? Neutron writes "from anywhere" as `null` or as `0.0.0.0/0`.
    pub fn is<'a>(&self, existing: &SecurityGroupRule, group_id: impl Fn(Role) -> Option<&'a str>) -> bool {
        let ports = existing.port_range_min.zip(existing.port_range_max);
        let range = existing.remote_ip_prefix.as_deref().and_then(|text| text.parse::<Ipv4Net>().ok());
        let remote = match &self.from {
            Remote::Group(role) => {
                existing.remote_group_id.is_some() && existing.remote_group_id.as_deref() == group_id(*role)
            }
            Remote::Range(wanted) => {
                existing.remote_group_id.is_none() && range.unwrap_or_default() == *wanted
            }
        };
        remote
            && existing.direction == "ingress"
            && existing.ethertype.as_deref() == Some("IPv4")
            && existing.protocol.as_deref() == self.protocol
            && ports == self.ports
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol, self.ports) {
            (Some(protocol), Some((from, to))) if from == to => write!(f, "{protocol} {from}")?,
            (Some(protocol), Some((from, to))) => write!(f, "{protocol} {from}-{to}")?,
            (Some(protocol), None) => f.write_str(protocol)?,
            (None, _) => f.write_str("everything")?,
        }
        match &self.from {
            Remote::Range(range) => write!(f, " from {range}"),
            Remote::Group(role) => write!(f, " from {} nodes", role.as_str()),
        }
    }
}
