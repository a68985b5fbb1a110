//! What `cumulet doctor` knows of a machine. Plain values, so that judging them needs no machine.

use ipnet::IpNet;

use super::{firewall, kernel, system};
use crate::{daemon, probe};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub root: bool,
    /// As the kernel calls it: x86_64.
    pub architecture: String,
    pub distribution: Distribution,
    pub kvm: Kvm,
    /// The processor says that it can virtualize (to this kernel: inside a virtual machine, only if nesting is on).
    pub processor_virtualizes: bool,
    pub inside_virtual_machine: bool,
    /// Whether machines on this host could run KVM themselves; None: no KVM module is loaded.
    pub nested: Option<bool>,
    pub tun: Kernel,
    pub namespaces: Kernel,
    pub bridge: Kernel,
    pub veth: Kernel,
    pub vxlan: Kernel,
    pub nft: Kernel,
    /// Loaded, or the kernel has it to load.
    pub br_netfilter: bool,
    pub ip_forward: bool,
    /// Chains of others that drop what is forwarded unless something lets it pass: `ip filter FORWARD`.
    pub dropping_chains: Vec<String>,
    pub docker: bool,
    pub ufw: bool,
    pub firewalld: bool,
    /// Links with their networks.
    pub networks: Vec<(String, IpNet)>,
    pub missing_programs: Vec<&'static Program>,
    pub memory_mib: u64,
    pub available_memory_mib: u64,
    pub free_disk_gib: u64,
    pub processors: u32,
    /// Unified, or of the older kind with the controllers that limit machines.
    pub cgroups: bool,
    /// The machine knows whom to ask for names.
    pub resolver: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    Debian,
    Ubuntu,
    Fedora,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kvm {
    /// A test guest ran.
    Works,
    NoDevice,
    NoAccess(String),
    /// The device opens and the test guest does not run.
    Fails(String),
}

/// Something that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kernel {
    Works,
    Fails(String),
    /// Only root could try.
    Untried,
}

/// A program that is run, and the package that has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    pub name: &'static str,
    pub debian: &'static str,
    pub fedora: &'static str,
    pub need: Need,
}

/// What goes wrong without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Cloud,
    /// Images are not built: clouds run without.
    Images,
    /// Load balancers are not: all else is.
    Balancers,
}

const fn program(name: &'static str, debian: &'static str, fedora: &'static str) -> Program {
    Program { name, debian, fedora, need: Need::Cloud }
}

const fn builder(name: &'static str, debian: &'static str, fedora: &'static str) -> Program {
    Program { name, debian, fedora, need: Need::Images }
}

/// Ubuntu has Debian's names.
pub const PROGRAMS: &[Program] = &[
    program("qemu-system-x86_64", "qemu-system-x86", "qemu-system-x86-core"),
    program("qemu-img", "qemu-utils", "qemu-img"),
    program("nft", "nftables", "nftables"),
    program("ip", "iproute2", "iproute"),
    Program { name: "haproxy", debian: "haproxy", fedora: "haproxy", need: Need::Balancers },
    builder("mmdebstrap", "mmdebstrap", "mmdebstrap"),
    builder("mke2fs", "e2fsprogs", "e2fsprogs"),
    builder("sfdisk", "fdisk", "util-linux"),
    builder("grub-mkimage", "grub-common", "grub2-tools"),
];

impl Facts {
    /// Looks, and tries in a network namespace that is gone afterwards. `data` need not exist yet.
    pub async fn gather(data: &camino::Utf8Path) -> Facts {
        let kvm = probe::kvm().await;
        let tried = kernel::try_all().await;
        let (memory_mib, available_memory_mib) = system::memory();
        Facts {
            root: daemon::is_root(),
            architecture: rustix::system::uname().machine().to_string_lossy().into_owned(),
            distribution: system::distribution(),
            kvm,
            processor_virtualizes: system::processor_says(&["vmx", "svm"]),
            inside_virtual_machine: system::processor_says(&["hypervisor"]),
            nested: system::nested(),
            tun: kernel::tun(),
            namespaces: tried.namespaces,
            bridge: tried.bridge,
            veth: tried.veth,
            vxlan: tried.vxlan,
            nft: tried.nft,
            br_netfilter: kernel::has_module("br_netfilter"),
            ip_forward: system::says("/proc/sys/net/ipv4/ip_forward", "1"),
            dropping_chains: firewall::dropping_chains(),
            docker: std::path::Path::new("/var/run/docker.sock").exists(),
            ufw: firewall::ufw(),
            firewalld: system::runs("firewalld"),
            networks: super::networks(),
            missing_programs: PROGRAMS.iter().filter(|p| daemon::find_program(p.name).is_none()).collect(),
            memory_mib,
            available_memory_mib,
            free_disk_gib: system::free_disk_gib(data),
            processors: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
            cgroups: system::has_cgroups(),
            resolver: std::fs::read_to_string("/etc/resolv.conf")
                .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("nameserver"))),
        }
    }
}
