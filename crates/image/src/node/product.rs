//! The programs of a node that are built from Go modules, and at which versions.
//!
//! Each product has a module of ours under `go/`, which lists its programs as `tool`s and pins every dependency
//! by go.mod and go.sum. They are apart because their dependencies do not agree with each other.

use super::go_mod::required;

/// One upstream project.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Name of the part in the cache; our module's directory has it too, unless several products share a module.
    pub name: &'static str,
    /// For progress and messages.
    pub title: &'static str,
    /// Upstream modules that carry the product's version.
    pub modules: &'static [&'static str],
    pub programs: &'static [Program],
    pub tags: &'static str,
    /// Package variables which are set to the version, `v` included, so that `--version` tells it.
    pub version_variables: &'static [&'static str],
    /// Needs a C compiler; the program is static all the same.
    pub cgo: bool,
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    /// Our own files in the module, by their path there: for a program that nobody publishes as a module.
    pub sources: &'static [(&'static str, &'static str)],
}

/// A program: the name it shall have, and the package that is its `main`.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    pub package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

macro_rules! pinned {
    ($name:literal) => {
        (
            include_str!(concat!("../../go/", $name, "/go.mod")),
            include_str!(concat!("../../go/", $name, "/go.sum")),
        )
    };
}

const PLAIN: Product = Product {
    name: "",
    title: "",
    modules: &[],
    programs: &[],
    tags: "",
    version_variables: &[],
    cgo: false,
    go_mod: "",
    go_sum: "",
    sources: &[],
};

const KUBERNETES_TEXT: (&str, &str) = pinned!("kubernetes");
pub const KUBERNETES: Product = Product {
    name: "kubernetes",
    title: "Kubernetes",
    modules: &["k8s.io/kubernetes"],
    programs: &[
        program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        program("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        program("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
        program("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        program("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ],
    tags: "notest,grpcnotrace",
    // Major and minor follow from it (golang.rs); client-go tells it to the API server in its user agent.
    version_variables: &[
        "k8s.io/component-base/version.gitVersion",
        "k8s.io/client-go/pkg/version.gitVersion",
    ],
    go_mod: KUBERNETES_TEXT.0,
    go_sum: KUBERNETES_TEXT.1,
    ..PLAIN
};

const ETCD_TEXT: (&str, &str) = pinned!("etcd");
pub const ETCD: Product = Product {
    name: "etcd",
    title: "etcd",
    modules: &["go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3"],
    programs: &[
        program("etcd", "go.etcd.io/etcd/server/v3"),
        program("etcdctl", "go.etcd.io/etcd/etcdctl/v3"),
    ],
    go_mod: ETCD_TEXT.0,
    go_sum: ETCD_TEXT.1,
    ..PLAIN
};

const COREDNS_TEXT: (&str, &str) = pinned!("coredns");
pub const COREDNS: Product = Product {
    name: "coredns",
    title: "CoreDNS",
    modules: &["github.com/coredns/coredns"],
    programs: &[program("coredns", "github.com/coredns/coredns")],
    tags: "grpcnotrace",
    go_mod: COREDNS_TEXT.0,
    go_sum: COREDNS_TEXT.1,
    ..PLAIN
};

const CONTAINERD_TEXT: (&str, &str) = pinned!("containerd");
/// Debian 13 has 1.7, which kubelet no longer takes: it asks for the runtime's configuration, new in 2.0.
pub const CONTAINERD: Product = Product {
    name: "containerd",
    title: "containerd",
    modules: &["github.com/containerd/containerd/v2"],
    programs: &[
        program("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
        program("containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
        program("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
    ],
    // btrfs needs a C library and is not used.
    tags: "no_btrfs",
    version_variables: &["github.com/containerd/containerd/v2/version.Version"],
    go_mod: CONTAINERD_TEXT.0,
    go_sum: CONTAINERD_TEXT.1,
    ..PLAIN
};

const CRI_TOOLS_TEXT: (&str, &str) = pinned!("cri-tools");
pub const CRI_TOOLS: Product = Product {
    name: "cri-tools",
    title: "crictl",
    modules: &["sigs.k8s.io/cri-tools"],
    programs: &[program("crictl", "sigs.k8s.io/cri-tools/cmd/crictl")],
    version_variables: &["sigs.k8s.io/cri-tools/pkg/version.Version"],
    go_mod: CRI_TOOLS_TEXT.0,
    go_sum: CRI_TOOLS_TEXT.1,
    ..PLAIN
};

const CNI_TEXT: (&str, &str) = pinned!("cni-plugins");
pub const CNI_PLUGINS: Product = Product {
    name: "cni-plugins",
    title: "CNI plugins",
    modules: &["github.com/containernetworking/plugins"],
    programs: &[
        program("bandwidth", "github.com/containernetworking/plugins/plugins/meta/bandwidth"),
        program("bridge", "github.com/containernetworking/plugins/plugins/main/bridge"),
        program("firewall", "github.com/containernetworking/plugins/plugins/meta/firewall"),
        program("host-device", "github.com/containernetworking/plugins/plugins/main/host-device"),
        program("host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local"),
        program("loopback", "github.com/containernetworking/plugins/plugins/main/loopback"),
        program("macvlan", "github.com/containernetworking/plugins/plugins/main/macvlan"),
        program("portmap", "github.com/containernetworking/plugins/plugins/meta/portmap"),
        program("tuning", "github.com/containernetworking/plugins/plugins/meta/tuning"),
    ],
    version_variables: &["github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion"],
    go_mod: CNI_TEXT.0,
    go_sum: CNI_TEXT.1,
    ..PLAIN
};

const FLANNEL_CNI_TEXT: (&str, &str) = pinned!("flannel-cni");
/// Flannel's own plugin is published as no Go module; this is the same one, from the last release of the CNI
/// project's plugins that held it. It reads what flanneld wrote and hands over to `bridge`.
pub const FLANNEL_CNI: Product = Product {
    name: "flannel-cni",
    title: "flannel's CNI plugin",
    modules: &["github.com/containernetworking/plugins"],
    programs: &[program("flannel", "github.com/containernetworking/plugins/plugins/meta/flannel")],
    version_variables: &["github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion"],
    go_mod: FLANNEL_CNI_TEXT.0,
    go_sum: FLANNEL_CNI_TEXT.1,
    ..PLAIN
};

const FLANNEL_TEXT: (&str, &str) = pinned!("flannel");
pub const FLANNEL: Product = Product {
    name: "flannel",
    title: "flannel",
    modules: &["github.com/flannel-io/flannel"],
    programs: &[program("flanneld", "github.com/flannel-io/flannel")],
    tags: "netgo,osusergo",
    version_variables: &["github.com/flannel-io/flannel/pkg/version.Version"],
    // On amd64 its UDP backend is C, and there is no build without it.
    cgo: true,
    go_mod: FLANNEL_TEXT.0,
    go_sum: FLANNEL_TEXT.1,
    ..PLAIN
};

const CLOUD_PROVIDER_TEXT: (&str, &str) = pinned!("cloud-provider-openstack");
/// The controllers by which a cluster uses its cloud. Its minor version follows Kubernetes', and it works with the
/// ones before.
pub const CLOUD_PROVIDER: Product = Product {
    name: "cloud-provider-openstack",
    title: "OpenStack's cloud provider",
    modules: &["k8s.io/cloud-provider-openstack"],
    programs: &[
        program("cinder-csi-plugin", "k8s.io/cloud-provider-openstack/cmd/cinder-csi-plugin"),
        program("client-keystone-auth", "k8s.io/cloud-provider-openstack/cmd/client-keystone-auth"),
        program("k8s-keystone-auth", "k8s.io/cloud-provider-openstack/cmd/k8s-keystone-auth"),
        program(
            "octavia-ingress-controller",
            "k8s.io/cloud-provider-openstack/cmd/octavia-ingress-controller",
        ),
        program(
            "openstack-cloud-controller-manager",
            "k8s.io/cloud-provider-openstack/cmd/openstack-cloud-controller-manager",
        ),
    ],
    tags: "grpcnotrace",
    version_variables: &[
        "k8s.io/component-base/version.gitVersion",
        "k8s.io/cloud-provider-openstack/pkg/version.Version",
    ],
    go_mod: CLOUD_PROVIDER_TEXT.0,
    go_sum: CLOUD_PROVIDER_TEXT.1,
    ..PLAIN
};

/// Storage's sidecars are several products in one module: they agree with each other, so that what they share is
/// compiled once.
const CSI_TEXT: (&str, &str) = pinned!("csi");
const CSI: Product =
    Product { tags: "grpcnotrace", go_mod: CSI_TEXT.0, go_sum: CSI_TEXT.1, sources: CSI_SOURCES, ..PLAIN };
/// In the module of all of them, or Go finds its files untidy.
const CSI_SOURCES: &[(&str, &str)] =
    &[("csi-registrar/main.go", include_str!("../../go/csi/csi-registrar/main.go"))];

pub const CSI_ATTACHER: Product = Product {
    name: "csi-attacher",
    title: "CSI attacher",
    modules: &["github.com/kubernetes-csi/external-attacher/v4"],
    programs: &[program("csi-attacher", "github.com/kubernetes-csi/external-attacher/v4/cmd/csi-attacher")],
    ..CSI
};
pub const CSI_PROVISIONER: Product = Product {
    name: "csi-provisioner",
    title: "CSI provisioner",
    modules: &["github.com/kubernetes-csi/external-provisioner/v6"],
    programs: &[program(
        "csi-provisioner",
        "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
    )],
    ..CSI
};
pub const CSI_RESIZER: Product = Product {
    name: "csi-resizer",
    title: "CSI resizer",
    modules: &["github.com/kubernetes-csi/external-resizer/v2"],
    programs: &[program("csi-resizer", "github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer")],
    ..CSI
};
pub const CSI_SNAPSHOTTER: Product = Product {
    name: "csi-snapshotter",
    title: "CSI snapshotter",
    modules: &["github.com/kubernetes-csi/external-snapshotter/v8"],
    programs: &[
        program("csi-snapshotter", "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter"),
        program(
            "snapshot-controller",
            "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
        ),
    ],
    ..CSI
};
/// Ours, of the version of kubelet's interface that it serves.
pub const CSI_REGISTRAR: Product = Product {
    name: "csi-registrar",
    title: "CSI registrar",
    modules: &["k8s.io/kubelet"],
    programs: &[program("csi-registrar", "./csi-registrar")],
    ..CSI
};

/// All of them.
pub const ALL: &[Product] = &[
    KUBERNETES,
    ETCD,
    COREDNS,
    CONTAINERD,
    CRI_TOOLS,
    CNI_PLUGINS,
    FLANNEL_CNI,
    FLANNEL,
    CLOUD_PROVIDER,
    CSI_ATTACHER,
    CSI_PROVISIONER,
    CSI_RESIZER,
    CSI_SNAPSHOTTER,
    CSI_REGISTRAR,
];

impl Product {
    /// The version our module pins, with its `v`.
    #[must_use]
    pub fn pinned(&self) -> &'static str {
        let module = self.modules.first().copied().unwrap_or_default();
        required(self.go_mod, module).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_pinned_and_lists_its_programs() {
        for product in ALL {
            assert!(product.pinned().starts_with('v'), "{}", product.name);
            for module in product.modules {
                assert_eq!(required(product.go_mod, module), Some(product.pinned()), "{module}");
                assert!(product.go_sum.contains(&format!("{module} {} h1:", product.pinned())), "{module}");
            }
            for program in product.programs {
                let listed = product
                    .go_mod
                    .lines()
                    .any(|line| line.trim().trim_start_matches("tool ") == program.package);
                let ours = program.package.strip_prefix("./").is_some_and(|dir| {
                    product.sources.iter().any(|(path, _)| path.starts_with(&format!("{dir}/")))
                });
                assert!(listed || ours, "{} is no tool of {}", program.package, product.name);
            }
        }
    }

    #[test]
    fn pinned_staging_modules_are_of_kubernetes_version() {
        let libraries = KUBERNETES.pinned().replacen("v1.", "v0.", 1);
        let replaced: Vec<_> =
            KUBERNETES.go_mod.lines().filter_map(|line| line.trim().split_once(" => ")).collect();
        assert!(replaced.len() > 25);
        for (module, by) in replaced {
            assert_eq!(by, format!("{module} {libraries}"));
        }
    }
}
