//! The Kubernetes node: Debian with cloud-init, containerd, kubelet, kubeadm and all the container images that a
//! cluster needs at first, so that a node boots into a cluster without asking any registry.
//!
//! ```text
//! version     v1.36.3
//! product     what is built from Go modules, pinned by go/<product>/go.mod and go.sum
//! release     Kubernetes' official binaries, where they can be reached; checksums verified
//! golang      else, and for all others: go build
//! names       the container images that this kubeadm wants, and so the versions of etcd and CoreDNS
//! containers  what is in each of them          oci, tar   written by hand
//! root        Debian's packages, our files under guest/, services
//! preload     the images into the containerd of the new root
//! ```
//!
//! ```text
//! release or golang ─> programs ──┬─> kubeadm ─> names ─> etcd, CoreDNS
//!                                 v                           v
//! mmdebstrap ─> root ─> furnish ─────> containers ─> preload ─> disk::build ─> qcow2
//! ```
//!
//! Every arrow's result is a part in the cache, so that only what changed is made again.
//!
//! In the guest, `/etc/cumulet/node.json` tells versions and images, and `/etc/cumulet/flannel.yaml` is a network
//! for a cluster of such nodes.

mod containers;
mod go_mod;
mod golang;
mod names;
mod oci;
mod preload;
pub mod product;
pub mod release;
mod root;
mod tar;
mod version;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::time::Instant;

use camino::Utf8Path;
use serde_json::json;

use self::containers::Sources;
use self::names::Names;
use self::product::{
    CLOUD_PROVIDER, CNI_PLUGINS, CONTAINERD, COREDNS, CRI_TOOLS, CSI_ATTACHER, CSI_PROVISIONER,
    CSI_REGISTRAR, CSI_RESIZER, CSI_SNAPSHOTTER, ETCD, FLANNEL, FLANNEL_CNI, KUBERNETES, Product,
};
pub use self::version::KubernetesVersion;
use crate::cache::{Entry, Shelf};
use crate::disk::{self, DiskPlan, Root};
use crate::process::{self, Command};
use crate::{BuiltImage, Cache, Error, Key, Result, Step, Watch, debian, step};

/// Raise when the code that builds the image changes what comes out; files, packages and modules are in the key
/// anyway.
const RECIPE: &str = "node/4";

const LABEL: &str = "cumulet-node";

/// Room for the system and a few small images; the guest grows it to its flavor's disk.
const SIZE_MIB: u64 = 5 * 1024;

/// Least memory that kubeadm's checks let a control plane have, and disk that leaves room for logs and images.
const MIN_RAM_MIB: u64 = 1700;
const MIN_DISK_GIB: u64 = 8;

/// The last console is the serial line: the cloud's console log shows it.
const CMDLINE: &str = "root=LABEL=cumulet-node rw console=tty0 console=ttyS0,115200 net.ifnames=0 quiet";

const FLANNEL_MANIFEST: &str = include_str!("flannel.yaml");
const FLANNEL_PATH: &str = "etc/cumulet/flannel.yaml";
const POD_NETWORK: &str = "10.244.0.0/16";

/// What to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub kubernetes: KubernetesVersion,
}

/// The newest Kubernetes that is known to build: the one that our module pins.
#[must_use]
pub fn newest() -> &'static str {
    KUBERNETES.pinned()
}

impl Options {
    /// With the newest Kubernetes that is known to build.
    ///
    /// # Errors
    /// None, unless the pinned module itself is damaged.
    pub fn newest() -> Result<Options> {
        Ok(Options { kubernetes: newest().parse()? })
    }
}

/// A manifest of flannel (vxlan) for nodes of this image, with pods in `pod_network`.
#[must_use]
pub fn flannel_manifest(pod_network: &str) -> String {
    let image = format!("ghcr.io/flannel-io/flannel:{}", FLANNEL.pinned());
    FLANNEL_MANIFEST.replace("@FLANNEL_IMAGE@", &image).replace("@POD_NETWORK@", pod_network)
}

/// The container images of add-ons that the image carries beside those that kubeadm wants, by their full names.
#[must_use]
pub fn addon_images() -> Vec<String> {
    let mut images: Vec<String> = names::addons().into_iter().map(|(_, image)| image).collect();
    images.push(names::flannel());
    images
}

/// Builds the image, or takes it from the cache; `images/debian-13-kubernetes-v1.36.3.qcow2` in the cache points
/// to it afterwards.
///
/// # Errors
/// The version cannot be had, a program is missing, no root, a server cannot be reached, or the disk is full.
pub fn build(options: &Options, cache: &Cache, watch: Watch<'_>) -> Result<BuiltImage> {
    let version = options.kubernetes;
    let name = format!("debian-13-kubernetes-{version}");
    let made = cache.file(Shelf::Images, &name, ".qcow2", &key(version), |out| {
        process::require_root("building a node image")?;
        process::require(&[
            "mmdebstrap",
            "mke2fs",
            "qemu-img",
            "grub-mkimage",
            "sfdisk",
            "tar",
            "gcc",
            "chroot",
        ])?;
        make(version, cache, watch, out)
    })?;
    if made.reused {
        watch(Step::Reused { name: "build the node image" });
    }
    let path = cache.point(&format!("{name}.qcow2"), &made)?;
    Ok(BuiltImage {
        path,
        name,
        disk_format: "qcow2".into(),
        min_disk_gib: MIN_DISK_GIB,
        min_ram_mib: MIN_RAM_MIB,
        properties: properties(version),
        sha256: made.sha256,
    })
}

fn make(version: KubernetesVersion, cache: &Cache, watch: Watch<'_>, out: &Utf8Path) -> Result<()> {
    let work = cache.workspace()?;
    let work = work.path();
    let programs = work.join("programs");
    fs::create_dir(&programs).map_err(Error::io("create", &programs))?;
    let take = |part: &Entry| disk::unpack(&part.path, &programs);

    let kubernetes =
        part(watch, &format!("get Kubernetes {version}"), || get_kubernetes(version, cache, work))?;
    take(&kubernetes)?;
    let kubeadm = programs.join("kubeadm");
    let told = Command::new(kubeadm.as_str())
        .args(["config", "images", "list", "--kubernetes-version", &version.to_string()])
        .output()?;
    let names = Names::from_kubeadm(&told)?;
    let (etcd, coredns) = (names.etcd_version(), names.coredns_version());
    let others: [(Product, &str); 13] = [
        (ETCD, &etcd),
        (COREDNS, &coredns),
        (CONTAINERD, CONTAINERD.pinned()),
        (CRI_TOOLS, CRI_TOOLS.pinned()),
        (CNI_PLUGINS, CNI_PLUGINS.pinned()),
        (FLANNEL_CNI, FLANNEL_CNI.pinned()),
        (FLANNEL, FLANNEL.pinned()),
        (CLOUD_PROVIDER, CLOUD_PROVIDER.pinned()),
        (CSI_ATTACHER, CSI_ATTACHER.pinned()),
        (CSI_PROVISIONER, CSI_PROVISIONER.pinned()),
        (CSI_RESIZER, CSI_RESIZER.pinned()),
        (CSI_SNAPSHOTTER, CSI_SNAPSHOTTER.pinned()),
        (CSI_REGISTRAR, CSI_REGISTRAR.pinned()),
    ];
    for (product, version) in &others {
        let name = format!("build {} {version}", product.title);
        take(&part(watch, &name, || build_product(product, version, cache, work))?)?;
    }

    let hooks = root::hooks();
    let packages = root::packages(&hooks);
    let debian = part(watch, "install Debian packages", || {
        cache.file(Shelf::Parts, "node-debian", ".tar", &packages.key(), |out| {
            debian::bootstrap(&packages, out)
        })
    })?;
    step(watch, "build the node image", || {
        let tree = work.join("root");
        disk::unpack(&debian.path, &tree)?;
        root::furnish(&tree, &programs, &names.pause)?;
        describe(&tree, version, &names)?;
        let sources = Sources { programs: &programs, root: &tree, scratch: work };
        let images = containers::images(sources, &names)?;
        preload::import(&images, &programs, &tree, work)?;
        disk::build(&DiskPlan {
            root: Root::Dir(&tree),
            size_mib: SIZE_MIB,
            label: LABEL,
            kernel: "/vmlinuz",
            initrd: Some("/initrd.img"),
            cmdline: CMDLINE,
            out,
        })
        .map(drop)
    })
}

/// Runs a step whose result may be in the cache.
fn part(watch: Watch<'_>, name: &str, get: impl FnOnce() -> Result<Entry>) -> Result<Entry> {
    watch(Step::Started { name });
    let begin = Instant::now();
    let result = get();
    let took = begin.elapsed();
    match &result {
        Ok(part) if part.reused => watch(Step::Reused { name }),
        Ok(_) => watch(Step::Finished { name, took }),
        Err(_) => watch(Step::Failed { name, took }),
    }
    result
}

fn get_kubernetes(version: KubernetesVersion, cache: &Cache, work: &Utf8Path) -> Result<Entry> {
    let text = version.to_string();
    cache.file(Shelf::Parts, &format!("kubernetes-{text}"), ".tar", &golang::key(&KUBERNETES, &text), |out| {
        let built = work.join("kubernetes");
        let server = release::server();
        let told = match release::download(&server, version, &built)? {
            release::Download::Done => return pack(&KUBERNETES, &built, out),
            release::Download::NoSuchRelease => format!("{server} has no such release"),
            release::Download::Unreachable(why) => format!("{server} cannot be reached ({why})"),
        };
        tracing::info!(version = text, reason = told, "building Kubernetes from Go modules");
        golang::build(&KUBERNETES, &text, work, &built).map_err(|err| match err {
            Error::VersionNotAvailable { what, wanted, why } => {
                Error::VersionNotAvailable { what, wanted, why: format!("{told}, and {why}") }
            }
            other => other,
        })?;
        pack(&KUBERNETES, &built, out)
    })
}

fn build_product(product: &Product, version: &str, cache: &Cache, work: &Utf8Path) -> Result<Entry> {
    let name = format!("{}-{version}", product.name);
    cache.file(Shelf::Parts, &name, ".tar", &golang::key(product, version), |out| {
        let built = work.join(product.name);
        golang::build(product, version, work, &built)?;
        pack(product, &built, out)
    })
}

/// A product's programs as one part: a tar.
fn pack(product: &Product, built: &Utf8Path, out: &Utf8Path) -> Result<()> {
    let file = File::create(out).map_err(Error::io("create", out))?;
    let mut tar = tar::Writer::new(BufWriter::new(file));
    for program in product.programs {
        tar.file(program.name, 0o755, &built.join(program.name))?;
    }
    tar.finish().map_err(Error::io("write", out))?;
    fs::remove_dir_all(built).map_err(Error::io("remove", built))
}

/// Tells, in the guest, what is in it.
fn describe(tree: &Utf8Path, version: KubernetesVersion, names: &Names) -> Result<()> {
    let about = json!({
        "kubernetes_version": version,
        "containerd_version": CONTAINERD.pinned(),
        "cni_plugins_version": CNI_PLUGINS.pinned(),
        "flannel_version": FLANNEL.pinned(),
        "cloud_provider_version": CLOUD_PROVIDER.pinned(),
        "images": names.all(),
        "toolbox_image": names.toolbox,
        "flannel_manifest": format!("/{FLANNEL_PATH}"),
        "pod_network": POD_NETWORK,
    });
    root::write(tree, FLANNEL_PATH, &flannel_manifest(POD_NETWORK))?;
    root::write(tree, "etc/cumulet/node.json", &format!("{about:#}\n"))
}

/// What decides about the image, known before anything is built: what kubeadm wants follows from its version.
fn key(version: KubernetesVersion) -> Key {
    let hooks = root::hooks();
    let mut key = Key::new(RECIPE)
        .with("kubernetes", golang::key(&KUBERNETES, &version.to_string()).hex())
        .with("packages", root::packages(&hooks).key().hex())
        .with("size", SIZE_MIB.to_string())
        .with("cmdline", CMDLINE)
        .with("containers", containers::texts())
        .with("flannel", FLANNEL_MANIFEST);
    for product in product::ALL {
        key = key.with("product", golang::key(product, product.pinned()).hex());
    }
    for (path, text) in root::texts() {
        key = key.with(path, text);
    }
    key
}

fn properties(version: KubernetesVersion) -> BTreeMap<String, String> {
    let version = version.to_string();
    [
        ("architecture", "x86_64"),
        ("hw_disk_bus", "virtio"),
        ("hw_firmware_type", "bios"),
        ("hw_vif_model", "virtio"),
        ("hw_rng_model", "virtio"),
        ("kubernetes_version", version.as_str()),
        ("os_admin_user", "debian"),
        ("os_distro", "debian"),
        ("os_type", "linux"),
        ("os_version", "13"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn version(text: &str) -> KubernetesVersion {
        text.parse().unwrap()
    }

    #[test]
    fn key_depends_on_the_version() {
        assert_eq!(key(version("v1.36.3")).hex(), key(version("1.36.3")).hex());
        assert_ne!(key(version("v1.36.3")).hex(), key(version("v1.36.1")).hex());
    }

    #[test]
    fn newest_is_a_version_and_the_properties_tell_it() {
        let options = Options::newest().unwrap();
        assert_eq!(options.kubernetes.to_string(), newest());
        assert_eq!(properties(options.kubernetes)["kubernetes_version"], newest());
    }

    #[test]
    fn manifest_has_no_blanks_left() {
        let text = flannel_manifest("10.1.0.0/16");
        assert!(!text.contains('@'));
        assert!(text.contains("\"Network\": \"10.1.0.0/16\""));
        assert!(text.contains(&format!("image: ghcr.io/flannel-io/flannel:{}", FLANNEL.pinned())));
    }

    #[test]
    fn guest_is_told_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let said = "a/kube-apiserver:v1\na/kube-controller-manager:v1\na/kube-scheduler:v1\na/kube-proxy:v1\n\
                    a/etcd:3.6.8-0\na/coredns:v1.14.2\na/pause:3.10\n";
        describe(&tree, version("v1.36.3"), &Names::from_kubeadm(said).unwrap()).unwrap();
        let text = fs::read_to_string(tree.join("etc/cumulet/node.json")).unwrap();
        let about: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(about["kubernetes_version"], "v1.36.3");
        assert_eq!(about["images"].as_array().unwrap().len(), 19);
        let manifest = about["flannel_manifest"].as_str().unwrap().trim_start_matches('/');
        assert!(tree.join(manifest).exists());
    }

    #[test]
    fn parts_are_packed_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let built = dir.join("built");
        fs::create_dir(&built).unwrap();
        for program in ETCD.programs {
            fs::write(built.join(program.name), program.name).unwrap();
        }
        let out = dir.join("etcd.tar");
        pack(&ETCD, &built, &out).unwrap();
        assert!(!built.exists());
        let listed = Command::new("tar").args(["-tf", out.as_str()]).output().unwrap();
        assert_eq!(listed, "etcd\netcdctl\n");
    }
}
