//! What was asked for ([`ClusterSpec`]), and what that means on one cloud ([`Wanted`]).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use std::collections::BTreeSet;

use crate::node::{Node, Role};
use crate::{Addon, AddonChoice, Cni, Error, Result};

const MAX_NAME: usize = 40;
pub(crate) const MAX_WORKERS: u32 = 250;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    pub name: String,
    /// Otherwise one.
    pub workers: Option<u32>,
    /// Name or id; otherwise the newest image with Kubernetes in it.
    pub image: Option<String>,
    /// `v1.36.3` or `1.36.3`.
    pub kubernetes: Option<String>,
    /// Name or id; otherwise the smallest that fits.
    pub worker_flavor: Option<String>,
    pub control_plane_flavor: Option<String>,
    /// Name or id; otherwise the only external network there is.
    pub external_network: Option<String>,
    /// Name or id of a network of the user's own, with one IPv4 subnet that a router joins to the external network.
    /// It is used and never deleted.
    pub network: Option<String>,
    /// An address that the project already holds, for the API. It is used and never released.
    pub floating_ip: Option<Ipv4Addr>,
    pub ssh_public_key: Option<String>,
    pub availability_zone: Option<String>,
    /// Of nodes, without a network of the user's own; otherwise see [`Ranges`].
    pub node_cidr: Option<Ipv4Net>,
    pub pod_cidr: Option<Ipv4Net>,
    pub service_cidr: Option<Ipv4Net>,
    /// Otherwise the cloud's.
    pub dns_nameservers: Option<Vec<Ipv4Addr>>,
    /// From where NodePorts may be reached, otherwise from anywhere; `Some(None)` keeps them inside the cluster.
    pub node_ports_from: Option<Option<Ipv4Net>>,
    pub addons: AddonChoice,
    pub cni: Option<Cni>,
}

impl ClusterSpec {
    /// A cluster with every default.
    ///
    /// # Errors
    /// The name cannot be the first part of a host name.
    pub fn new(name: impl Into<String>, workers: impl Into<Option<u32>>) -> Result<Self> {
        let spec = Self {
            name: name.into(),
            workers: workers.into(),
            image: None,
            kubernetes: None,
            worker_flavor: None,
            control_plane_flavor: None,
            external_network: None,
            network: None,
            floating_ip: None,
            ssh_public_key: None,
            availability_zone: None,
            node_cidr: None,
            pod_cidr: None,
            service_cidr: None,
            dns_nameservers: None,
            node_ports_from: None,
            addons: AddonChoice::new(),
            cni: None,
        };
        spec.check()?;
        Ok(spec)
    }

    /// As asked for, or the defaults.
    pub(crate) fn ranges(&self) -> Ranges {
        let net = |a, b, c, d, len| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), len);
        Ranges {
            node: self.node_cidr.unwrap_or(net(10, 6, 0, 0, 24)),
            pod: self.pod_cidr.unwrap_or(net(10, 244, 0, 0, 16)),
            service: self.service_cidr.unwrap_or(net(10, 96, 0, 0, 12)),
        }
    }
    pub(crate) fn workers(&self) -> u32 {
        self.workers.unwrap_or(1)
    }
    pub(crate) fn node_ports_from(&self) -> Option<Ipv4Net> {
        self.node_ports_from.unwrap_or(Some(Ipv4Net::default()))
    }

    /// # Errors
    /// What is wrong with it, before anything is asked of the cloud.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        if let Some(workers) = self.workers.filter(|workers| *workers > MAX_WORKERS) {
            return Err(Error::spec(format!("{workers} workers are too many; at most {MAX_WORKERS}")));
        }
        // A network of the user's own has its range, which is looked at when the cloud has told it.
        match (&self.network, self.node_cidr) {
            (Some(_), Some(range)) => {
                return Err(Error::spec(format!(
                    "--network has addresses of its own, so that --node-cidr {range} means nothing; leave one of them out"
                )));
            }
            (Some(_), None) => {}
            (None, _) => self.ranges().check()?,
        }
        if let Some(version) = &self.kubernetes {
            normalize_version(version)?;
        }
        if self.cni == Some(Cni::Router) && self.addons.get(&Addon::CloudControllerManager) == Some(&false) {
            return Err(Error::spec(
                "pods are routed by the cloud's router (--cni router) only with the cloud-controller-manager, which \
                 tells it the routes",
            ));
        }
        if let Some(key) = &self.ssh_public_key
            && !(key.starts_with("ssh-") || key.starts_with("ecdsa-") || key.starts_with("sk-"))
        {
            return Err(Error::spec("the SSH key is not a public key; give the file that ends in .pub"));
        }
        Ok(())
    }
}

/// The addresses of a cluster, none of which may be two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub node: Ipv4Net,
    pub pod: Ipv4Net,
    pub service: Ipv4Net,
}

impl Ranges {
    pub fn check(&self) -> Result<()> {
        let ranges = [("node", self.node), ("pod", self.pod), ("service", self.service)];
        for (at, (what, one)) in ranges.iter().enumerate() {
            for (other_what, other) in &ranges[at + 1..] {
                if one.contains(&other.network()) || other.contains(&one.network()) {
                    return Err(Error::spec(format!(
                        "the {what} network {one} and the {other_what} network {other} overlap; choose another range"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The name becomes part of host names, file names and a kubeconfig context.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let good = !name.is_empty()
        && name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if good {
        return Ok(());
    }
    Err(Error::spec(format!(
        "`{name}` cannot be a cluster's name; use up to {MAX_NAME} lower-case letters, digits and hyphens, beginning \
         with a letter"
    )))
}

/// `v1.36.3` from `1.36.3` or `v1.36.3`.
pub(crate) fn normalize_version(text: &str) -> Result<String> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let parts: Vec<&str> = bare.split('.').collect();
    let numbers = parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok());
    if numbers {
        Ok(format!("v{bare}"))
    } else {
        Err(Error::spec(format!("`{text}` is not a Kubernetes version like v1.36.3")))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeImage {
    pub id: String,
    pub name: String,
    /// Flannel's CNI plugin is on the image's disk, so that no container has to bring it (from a registry that a
    /// closed cloud may not reach).
    pub flannel_plugin: bool,
}

/// A cluster on one cloud: names resolved, defaults filled in, the UUID given. It is stored before the first
/// resource is made and does not change afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub uuid: String,
    pub name: String,
    pub workers: u32,
    /// One for now: more need an endpoint that outlives each of them.
    pub control_planes: u32,
    /// With the leading `v`.
    pub kubernetes: String,
    pub image: NodeImage,
    pub control_plane_flavor: String,
    pub worker_flavor: String,
    pub external_network: String,
    pub adopted_network: Option<AdoptedNetwork>,
    pub adopted_floating_ip: Option<String>,
    pub ssh_public_key: Option<String>,
    pub availability_zone: Option<String>,
    pub node_cidr: Ipv4Net,
    pub pod_cidr: Ipv4Net,
    pub service_cidr: Ipv4Net,
    pub dns_nameservers: Vec<Ipv4Addr>,
    pub node_ports_from: Option<Ipv4Net>,
    /// `None` where the cloud knows no soft policy: a strict one fails on a cloud with fewer hosts than nodes.
    pub server_group_policy: Option<String>,
    /// The cloud has tags on network objects.
    pub tags: bool,
    /// None in clusters from before there were any.
    #[serde(default)]
    pub addons: BTreeSet<Addon>,
    #[serde(default)]
    pub cni: Cni,
    /// The router of a given network, for the routes to pods.
    #[serde(default)]
    pub adopted_router: Option<String>,
    /// Cinder's zones are not Nova's, so that a volume takes none.
    #[serde(default)]
    pub ignore_volume_zones: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedNetwork {
    pub network_id: String,
    pub subnet_id: String,
}

impl Wanted {
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let of = |role, count| (0..count).map(move |index| Node { role, index });
        of(Role::ControlPlane, self.control_planes).chain(of(Role::Worker, self.workers)).collect()
    }
    pub(crate) fn mark(&self) -> String {
        crate::node::mark(&self.uuid)
    }
    /// What the controllers call the cluster in the cloud: unique, or clusters of one name would take each other's load
    /// balancers.
    pub(crate) fn cluster_name(&self) -> String {
        crate::node::cluster_name(&self.name, &self.uuid)
    }
    /// Does anything in the cluster act on the cloud?
    pub(crate) fn acts(&self) -> bool {
        self.addons.iter().any(|addon| addon.acts())
    }
    pub(crate) fn node_name(&self, node: Node) -> String {
        node.name(&self.name)
    }

    /// In which of the values that a user gives does `other` differ? Empty when a run may go on with this one.
    pub(crate) fn differences(&self, other: &Wanted) -> Vec<&'static str> {
        let mut found = Vec::new();
        let mut check = |same: bool, what| {
            if !same {
                found.push(what);
            }
        };
        check(self.workers == other.workers, "--workers");
        check(self.kubernetes == other.kubernetes, "--kubernetes");
        check(self.image.id == other.image.id, "--image");
        check(self.control_plane_flavor == other.control_plane_flavor, "--control-plane-flavor");
        check(self.worker_flavor == other.worker_flavor, "--flavor");
        check(self.external_network == other.external_network, "--external-network");
        check(self.adopted_network == other.adopted_network, "--network");
        check(self.adopted_floating_ip == other.adopted_floating_ip, "--floating-ip");
        check(self.ssh_public_key == other.ssh_public_key, "--ssh-key");
        check(self.availability_zone == other.availability_zone, "--availability-zone");
        let node = |wanted: &Wanted| wanted.adopted_network.is_none().then_some(wanted.node_cidr);
        check(node(self) == node(other), "--node-cidr");
        check(self.pod_cidr == other.pod_cidr, "--pod-cidr");
        check(self.service_cidr == other.service_cidr, "--service-cidr");
        check(self.dns_nameservers == other.dns_nameservers, "--dns-nameserver");
        check(self.node_ports_from == other.node_ports_from, "--node-ports-from");
        check(self.addons == other.addons, "add-ons");
        check(self.cni == other.cni, "--cni");
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_host_names_are_refused() {
        for name in ["", "Demo", "1demo", "demo-", "-demo", "de mo", "dé", &"a".repeat(41), "../x"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["demo", "d", "demo-1", &"a".repeat(40)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn overlapping_ranges_are_named() {
        let mut spec = ClusterSpec::new("demo", 1).unwrap();
        spec.node_cidr = Some("10.244.3.0/24".parse().unwrap());
        assert_eq!(
            spec.check().unwrap_err().to_string(),
            "the node network 10.244.3.0/24 and the pod network 10.244.0.0/16 overlap; choose another range"
        );
    }

    #[test]
    fn a_given_network_has_addresses_of_its_own() {
        let mut spec =
            ClusterSpec { network: Some("mine".into()), ..ClusterSpec::new("demo", None).unwrap() };
        spec.service_cidr = Some("10.6.0.0/16".parse().unwrap());
        spec.check().unwrap();
        spec.node_cidr = Some("10.7.0.0/24".parse().unwrap());
        assert!(spec.check().unwrap_err().to_string().contains("leave one of them out"));
    }

    #[test]
    fn versions() {
        assert_eq!(normalize_version("1.36.3").unwrap(), "v1.36.3");
        assert_eq!(normalize_version("v1.36.3").unwrap(), "v1.36.3");
        for bad in ["1.36", "latest", "v1.36.x", ""] {
            assert!(normalize_version(bad).is_err(), "{bad}");
        }
    }
}
