//! Which add-ons there are, and what the pods' network is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What a cluster can get beside Kubernetes and a pod network: upstream's own controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addon {
    /// Nodes know their machines, and Services of type LoadBalancer get one.
    CloudControllerManager,
    /// PersistentVolumeClaims get volumes.
    CinderCsi,
    /// Ingresses get load balancers that route by host and path.
    OctaviaIngress,
    /// Users of the cloud are users of the cluster.
    KeystoneAuth,
}

impl Addon {
    pub const ALL: [Addon; 4] =
        [Addon::CloudControllerManager, Addon::CinderCsi, Addon::OctaviaIngress, Addon::KeystoneAuth];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Addon::CloudControllerManager => "cloud-controller-manager",
            Addon::CinderCsi => "cinder-csi",
            Addon::OctaviaIngress => "octavia-ingress",
            Addon::KeystoneAuth => "keystone-auth",
        }
    }

    /// Installed when nobody says anything.
    #[must_use]
    pub fn by_default(self) -> bool {
        matches!(self, Addon::CloudControllerManager | Addon::CinderCsi)
    }

    /// Acts on the cloud, and so needs a credential.
    #[must_use]
    pub(crate) fn acts(self) -> bool {
        self != Addon::KeystoneAuth
    }
}

impl fmt::Display for Addon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Addon {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Addon::ALL.into_iter().find(|addon| addon.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Addon::ALL.iter().map(|addon| addon.as_str()).collect();
            Error::spec(format!("there is no add-on `{text}` (there are: {})", known.join(", ")))
        })
    }
}

/// What was said of add-ons; of the others the default is taken, where the cloud has what they need.
pub type AddonChoice = BTreeMap<Addon, bool>;

/// How pods of different nodes reach each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cni {
    /// Flannel's tunnels between the nodes: works on any cloud.
    #[default]
    Flannel,
    /// The cloud's router knows each node's pods: no tunnel, full size of packets.
    Router,
}

impl Cni {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cni::Flannel => "flannel",
            Cni::Router => "router",
        }
    }
}

impl FromStr for Cni {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Cni::Flannel, Cni::Router].into_iter().find(|cni| cni.as_str() == text).ok_or_else(|| {
            Error::spec(format!("there is no pod network `{text}` (there are: flannel, router)"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for addon in Addon::ALL {
            assert_eq!(addon.as_str().parse::<Addon>().unwrap(), addon);
            assert_eq!(serde_json::to_value(addon).unwrap(), addon.as_str());
        }
        for cni in [Cni::Flannel, Cni::Router] {
            assert_eq!(cni.as_str().parse::<Cni>().unwrap(), cni);
        }
        let error = "csi".parse::<Addon>().unwrap_err().to_string();
        assert!(error.contains("cinder-csi"), "{error}");
    }
}
