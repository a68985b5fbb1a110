//! The node's root file system: Debian's packages, our programs, and the few files that make them a node.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use super::product::{CNI_PLUGINS, CONTAINERD, CRI_TOOLS, FLANNEL_CNI, KUBERNETES};
use crate::debian::{Bootstrap, Hook, Variant, When};
use crate::process::Command;
use crate::{Error, Result};

pub(super) const SUITE: &str = "trixie";

const PACKAGES: &[&str] = &[
    // A machine of a cloud.
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "fdisk",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "netbase",
    "openssh-server",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
    // What kubelet, kubeadm's checks, kube-proxy and the CNI plugins call.
    "ca-certificates",
    "conntrack",
    "ethtool",
    "iptables",
    "nftables",
    "runc",
    "socat",
    "xfsprogs",
    // For whoever logs in, and the files of the toolbox image.
    "busybox-static",
    "curl",
    "iputils-ping",
    "less",
    "procps",
    "vim-tiny",
];

const UNWANTED: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

const INITRAMFS_HOOK: &str = include_str!("initramfs-hook.sh");

/// Files by the path they have in the guest; they lie under `guest/`.
const FILES: &[(&str, &str)] = &[
    ("etc/cloud/cloud.cfg.d/90-cumulet.cfg", include_str!("guest/etc/cloud/cloud.cfg.d/90-cumulet.cfg")),
    (CONTAINERD_CONFIG, include_str!("guest/etc/containerd/config.toml")),
    ("etc/crictl.yaml", include_str!("guest/etc/crictl.yaml")),
    ("etc/modules-load.d/kubernetes.conf", include_str!("guest/etc/modules-load.d/kubernetes.conf")),
    ("etc/ssh/sshd_config.d/10-cumulet.conf", include_str!("guest/etc/ssh/sshd_config.d/10-cumulet.conf")),
    ("etc/sysctl.d/90-kubernetes.conf", include_str!("guest/etc/sysctl.d/90-kubernetes.conf")),
    (
        "etc/systemd/journald.conf.d/10-size.conf",
        include_str!("guest/etc/systemd/journald.conf.d/10-size.conf"),
    ),
    ("etc/systemd/network/10-pods.link", include_str!("guest/etc/systemd/network/10-pods.link")),
    ("etc/systemd/network/20-dhcp.network", include_str!("guest/etc/systemd/network/20-dhcp.network")),
    (
        "etc/systemd/networkd.conf.d/10-pods.conf",
        include_str!("guest/etc/systemd/networkd.conf.d/10-pods.conf"),
    ),
    ("etc/systemd/system/containerd.service", include_str!("guest/etc/systemd/system/containerd.service")),
    ("etc/systemd/system/kubelet.service", include_str!("guest/etc/systemd/system/kubelet.service")),
    (
        "etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
        include_str!("guest/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"),
    ),
    (
        "etc/systemd/system/systemd-networkd-wait-online.service.d/10-any.conf",
        include_str!("guest/etc/systemd/system/systemd-networkd-wait-online.service.d/10-any.conf"),
    ),
];
const CONTAINERD_CONFIG: &str = "etc/containerd/config.toml";

const ENABLED: &[&str] = &[
    "containerd.service",
    "kubelet.service",
    "ssh.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
];

/// Work that a node does not need done, at times nobody chose.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
];

/// What the kernel must be able to do; found out here and not from a service that silently does not answer.
const DRIVERS: &[&str] = &[
    "br_netfilter",
    "ext4",
    "isofs",
    "nf_conntrack",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_masq",
    "nft_nat",
    "nft_numgen",
    "nft_reject_inet",
    "overlay",
    "veth",
    "virtio_blk",
    "virtio_net",
    "virtio_scsi",
    "vxlan",
    "xt_statistic",
];

/// Where the node's own programs go.
const PLACES: &[(&str, &[super::product::Product])] =
    &[("usr/local/bin", &[CONTAINERD, CRI_TOOLS]), ("opt/cni/bin", &[CNI_PLUGINS, FLANNEL_CNI])];
const NODE_PROGRAMS: &[&str] = &["kubeadm", "kubectl", "kubelet"];

/// The packages, as a plan for the bootstrap.
pub(super) fn packages(hooks: &[Hook]) -> Bootstrap<'_> {
    Bootstrap { suite: SUITE, variant: Variant::Minimal, packages: PACKAGES, exclude: UNWANTED, hooks }
}

/// Before the packages: which drivers the initrd takes must be known when the kernel is installed.
pub(super) fn hooks() -> Vec<Hook> {
    let dir = "$1/etc/initramfs-tools";
    let put = format!(
        "set -e; mkdir -p \"{dir}/conf.d\" \"{dir}/hooks\"; \
         printf 'MODULES=list\\nCOMPRESS=zstd\\nRESUME=none\\n' >\"{dir}/conf.d/node\"; \
         cat >\"{dir}/hooks/node\" <<'END'\n{INITRAMFS_HOOK}END\n\
         chmod 755 \"{dir}/hooks/node\""
    );
    vec![Hook { when: When::Setup, command: put }]
}

/// All of ours that goes into the file system as it is, for the cache key.
pub(super) fn texts() -> impl Iterator<Item = (&'static str, String)> {
    let units = ENABLED.iter().chain(MASKED).map(|unit| ("unit", (*unit).to_owned()));
    FILES.iter().map(|(path, text)| (*path, (*text).to_owned())).chain(units)
}

/// Puts our files and programs into the unpacked root, and sets its services up.
///
/// # Errors
/// A program is missing, a file cannot be written, or systemctl refuses a unit.
pub(super) fn furnish(root: &Utf8Path, programs: &Utf8Path, pause: &str) -> Result<()> {
    check_drivers(root)?;
    for (path, text) in FILES {
        let text =
            if *path == CONTAINERD_CONFIG { text.replace("@PAUSE@", pause) } else { (*text).to_owned() };
        write(root, path, &text)?;
    }
    for (place, products) in PLACES {
        for program in products.iter().flat_map(|product| product.programs) {
            install(programs, program.name, root, place)?;
        }
    }
    for name in NODE_PROGRAMS {
        debug_assert!(KUBERNETES.programs.iter().any(|program| program.name == *name));
        install(programs, name, root, "usr/bin")?;
    }
    for dir in ["etc/kubernetes/manifests", "etc/cni/net.d", "etc/containerd/certs.d"] {
        let dir = root.join(dir);
        fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    }
    let systemctl = |verb: &str, units: &[&str]| {
        Command::new("chroot").args([root.as_str(), "systemctl", "--quiet", verb]).args(units).run()
    };
    systemctl("enable", ENABLED)?;
    systemctl("mask", MASKED)?;
    // It looks for a way in over vsock, and complains at every reload on machines that have none.
    link(root, "etc/systemd/system-generators/systemd-ssh-generator", "/dev/null")?;
    anonymize(root)?;
    // Newer than /usr, or the first boot rebuilds the linker's cache and more, seconds of an emulated processor.
    for note in ["etc/.updated", "var/.updated"] {
        write(root, note, "")?;
    }
    Ok(())
}

fn check_drivers(root: &Utf8Path) -> Result<()> {
    let modules = root.join("usr/lib/modules");
    let kernels = modules.read_dir_utf8().map_err(Error::io("read", &modules))?;
    for kernel in kernels.flatten() {
        let mut have = String::new();
        for list in ["modules.dep", "modules.builtin"] {
            let path = kernel.path().join(list);
            have += &fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        }
        if let Some(driver) = DRIVERS.iter().find(|driver| !lists(&have, driver)) {
            return Err(Error::Missing {
                path: (*driver).into(),
                from: format!("as a module of the kernel {}", kernel.file_name()),
            });
        }
    }
    Ok(())
}

/// Whether depmod's lists, a module's path at the start of each line, have a module.
fn lists(list: &str, module: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or(line);
        let file = path.rsplit('/').next().unwrap_or(path);
        file.strip_prefix(module).is_some_and(|rest| rest.starts_with(".ko"))
    })
}

/// Takes out what must differ from node to node, and what only the installation needed.
fn anonymize(root: &Utf8Path) -> Result<()> {
    // Empty, it is filled at the first boot; were it missing, systemd would also preset all services anew.
    write(root, "etc/machine-id", "")?;
    remove(&root.join("var/lib/dbus/machine-id"))?;
    remove(&root.join("var/lib/systemd/random-seed"))?;
    remove(&root.join("etc/hostname"))?;
    for dir in ["etc/ssh", "var/log/apt", "var/cache/debconf"] {
        let dir = root.join(dir);
        let Ok(entries) = dir.read_dir_utf8() else { continue };
        for entry in entries.flatten() {
            let keep = dir.ends_with("ssh") && !entry.file_name().starts_with("ssh_host_");
            if !keep {
                remove(entry.path())?;
            }
        }
    }
    // resolved's own file, so that a pod's resolv.conf follows DHCP.
    remove(&root.join("etc/resolv.conf"))?;
    link(root, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
}

fn link(root: &Utf8Path, path: &str, target: &str) -> Result<()> {
    let path = root.join(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    std::os::unix::fs::symlink(target, &path).map_err(Error::io("link", &path))
}

fn install(programs: &Utf8Path, name: &str, root: &Utf8Path, place: &str) -> Result<()> {
    let source = programs.join(name);
    let dir = root.join(place);
    fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    let target = dir.join(name);
    fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755))
        .map_err(Error::io("make executable", &target))
}

/// Writes a file of the guest, with the directories that lead to it.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(root: &Utf8Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    fs::write(&path, text).map_err(Error::io("write", &path))
}

fn remove(path: &Utf8Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(err)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_under_guest_is_installed() {
        fn walk(dir: &Utf8Path, into: &mut Vec<String>, root: &Utf8Path) {
            for entry in dir.read_dir_utf8().unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    walk(entry.path(), into, root);
                } else {
                    into.push(entry.path().strip_prefix(root).unwrap().to_string());
                }
            }
        }
        use std::result::Result;
        let guest = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("src/node/guest");
        let mut found = Vec::new();
        walk(&guest, &mut found, &guest);
        found.sort();
        let mut listed: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn hook_puts_the_initramfs_settings_where_the_kernel_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_str().unwrap();
        for hook in hooks() {
            assert_eq!(hook.when, When::Setup);
            Command::new("sh").args(["-c", &hook.command, "hook", root]).run().unwrap();
        }
        let dir = Utf8Path::new(root).join("etc/initramfs-tools");
        assert_eq!(fs::read_to_string(dir.join("hooks/node")).unwrap(), INITRAMFS_HOOK);
        assert!(fs::read_to_string(dir.join("conf.d/node")).unwrap().starts_with("MODULES=list\n"));
    }

    #[test]
    fn missing_driver_is_named() {
        let list =
            "kernel/fs/overlayfs/overlay.ko.xz:\nkernel/net/vxlan/vxlan.ko.xz: kernel/net/udp_tunnel.ko.xz\n";
        assert!(lists(list, "overlay") && lists(list, "vxlan"));
        assert!(!lists(list, "udp_tunnel") && !lists(list, "over"));
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        write(root, "usr/lib/modules/6.12/modules.dep", list).unwrap();
        write(root, "usr/lib/modules/6.12/modules.builtin", "").unwrap();
        let err = check_drivers(root).unwrap_err().to_string();
        assert!(err.contains("br_netfilter") && err.contains("6.12"), "{err}");
        let all: String = DRIVERS.iter().map(|driver| format!("kernel/{driver}.ko\n")).collect();
        write(root, "usr/lib/modules/6.12/modules.builtin", &all).unwrap();
        check_drivers(root).unwrap();
    }

    #[test]
    fn root_is_cleaned_of_what_must_differ() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for path in ["etc/ssh/ssh_host_rsa_key", "etc/ssh/sshd_config", "etc/hostname", "etc/resolv.conf"] {
            write(root, path, "x").unwrap();
        }
        anonymize(root).unwrap();
        assert!(!root.join("etc/ssh/ssh_host_rsa_key").exists() && !root.join("etc/hostname").exists());
        assert!(root.join("etc/ssh/sshd_config").exists());
        assert_eq!(fs::read_to_string(root.join("etc/machine-id")).unwrap(), "");
        assert!(fs::symlink_metadata(root.join("etc/resolv.conf")).unwrap().is_symlink());
    }
}
