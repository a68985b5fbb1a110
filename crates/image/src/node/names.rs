//! The names of the container images: those that kubeadm of this version expects, and ours.

use crate::{Error, Result};

use super::product::{
    CLOUD_PROVIDER, CSI_ATTACHER, CSI_PROVISIONER, CSI_RESIZER, CSI_SNAPSHOTTER, FLANNEL, Product,
};

/// For pods of tests, and for a user who wants to look around in a cluster without a registry.
const TOOLBOX: &str = "cumulet.local/toolbox:1";

/// Kubernetes' own registrar is published as no Go module, so that there is no image of its name.
const REGISTRAR: &str = "cumulet.local/csi-registrar:1";

/// Where upstream's images of the cloud provider and of storage's sidecars are.
const PROVIDER_REGISTRY: &str = "registry.k8s.io/provider-os";
const STORAGE_REGISTRY: &str = "registry.k8s.io/sig-storage";

/// Programs that are one image each, with its name. Upstream's names, so that one manifest serves everybody's nodes.
pub(super) fn addons() -> Vec<(&'static str, String)> {
    let tagged =
        |registry: &str, name: &str, product: &Product| format!("{registry}/{name}:{}", product.pinned());
    let mut images: Vec<(&str, String)> = [
        "cinder-csi-plugin",
        "k8s-keystone-auth",
        "octavia-ingress-controller",
        "openstack-cloud-controller-manager",
    ]
    .map(|name| (name, tagged(PROVIDER_REGISTRY, name, &CLOUD_PROVIDER)))
    .into();
    for product in [&CSI_ATTACHER, &CSI_PROVISIONER, &CSI_RESIZER, &CSI_SNAPSHOTTER] {
        for program in product.programs {
            images.push((program.name, tagged(STORAGE_REGISTRY, program.name, product)));
        }
    }
    images.push(("csi-registrar", REGISTRAR.to_owned()));
    images
}

pub(super) fn flannel() -> String {
    format!("ghcr.io/flannel-io/flannel:{}", FLANNEL.pinned())
}

/// Full names, tag included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    kubernetes: Vec<String>,
    pub etcd: String,
    pub coredns: String,
    pub pause: String,
    pub flannel: String,
    pub toolbox: String,
    /// Of [`addons`].
    pub addons: Vec<(&'static str, String)>,
}

impl Names {
    /// From what `kubeadm config images list` says, a name a line.
    ///
    /// # Errors
    /// One that a cluster needs is not among them.
    pub fn from_kubeadm(said: &str) -> Result<Names> {
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| line.contains(':')).collect();
        let find = |component: &str| {
            let found = lines.iter().find(|line| repository(line).rsplit('/').next() == Some(component));
            found.map(|line| (*line).to_owned()).ok_or_else(|| Error::Invalid {
                what: "the list of images that kubeadm wants".into(),
                why: format!("{component} is not in it"),
            })
        };
        let kubernetes = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"];
        Ok(Names {
            kubernetes: kubernetes.into_iter().map(find).collect::<Result<_>>()?,
            etcd: find("etcd")?,
            coredns: find("coredns")?,
            pause: find("pause")?,
            flannel: flannel(),
            toolbox: TOOLBOX.into(),
            addons: addons(),
        })
    }

    pub fn kubernetes(&self, component: &str) -> String {
        let found = self.kubernetes.iter().find(|name| repository(name).ends_with(component));
        found.cloned().unwrap_or_default()
    }

    /// Version of the etcd module behind its tag: `v3.6.8` for `3.6.8-0`, whose `-0` counts builds of the image.
    pub fn etcd_version(&self) -> String {
        let tag = tag(&self.etcd);
        format!("v{}", tag.split('-').next().unwrap_or(tag).trim_start_matches('v'))
    }

    pub fn coredns_version(&self) -> String {
        format!("v{}", tag(&self.coredns).trim_start_matches('v'))
    }

    /// All of them.
    pub fn all(&self) -> Vec<&str> {
        let others = [&self.etcd, &self.coredns, &self.pause, &self.flannel, &self.toolbox];
        let addons = self.addons.iter().map(|(_, image)| image);
        self.kubernetes.iter().chain(others).chain(addons).map(String::as_str).collect()
    }
}

fn repository(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(repository, _)| repository)
}

fn tag(name: &str) -> &str {
    name.rsplit_once(':').map_or("", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "registry.k8s.io/kube-apiserver:v1.36.3\nregistry.k8s.io/kube-controller-manager:v1.36.3\n\
                        registry.k8s.io/kube-scheduler:v1.36.3\nregistry.k8s.io/kube-proxy:v1.36.3\n\
                        registry.k8s.io/coredns/coredns:v1.14.2\nregistry.k8s.io/pause:3.10.2\n\
                        registry.k8s.io/etcd:3.6.8-0\n";

    #[test]
    fn names_and_versions_that_kubeadm_wants() {
        let names = Names::from_kubeadm(SAID).unwrap();
        assert_eq!(names.kubernetes("kube-proxy"), "registry.k8s.io/kube-proxy:v1.36.3");
        assert_eq!(names.coredns, "registry.k8s.io/coredns/coredns:v1.14.2");
        assert_eq!(names.coredns_version(), "v1.14.2");
        assert_eq!(names.etcd_version(), "v3.6.8");
        assert_eq!(names.all().len(), 19);
    }

    #[test]
    fn add_ons_are_called_as_upstream_calls_them() {
        let images = addons();
        let of = |program| images.iter().find(|(name, _)| *name == program).map(|(_, image)| image.as_str());
        assert_eq!(of("cinder-csi-plugin"), Some("registry.k8s.io/provider-os/cinder-csi-plugin:v1.36.0"));
        assert_eq!(of("snapshot-controller"), Some("registry.k8s.io/sig-storage/snapshot-controller:v8.6.0"));
        assert_eq!(of("csi-registrar"), Some("cumulet.local/csi-registrar:1"));
    }

    #[test]
    fn missing_name_is_an_error() {
        let err = Names::from_kubeadm("registry.k8s.io/kube-apiserver:v1.36.3\n").unwrap_err();
        assert!(err.to_string().contains("kube-controller-manager is not in it"), "{err}");
    }
}
