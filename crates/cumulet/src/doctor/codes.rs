//! Everything that the doctor may find. An id never changes its meaning, and one that is gone is not used again.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The cloud cannot run.
    Error,
    /// It runs, and something of it does not work or is slow.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub id: &'static str,
    pub severity: Severity,
    /// What it means for the cloud.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// `--fix` can do it.
    pub fixable: bool,
}

macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident $fixable:literal, $meaning:literal, $remedy:literal;)*) => {
        $(pub const $name: Code = Code {
            id: $id, severity: Severity::$severity, meaning: $meaning, remedy: $remedy, fixable: $fixable,
        };)*
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    ARCHITECTURE = "CUM-CPU-01" Error false,
        "The processor is no x86_64: virtual machines are built for that one only.",
        "Run the cloud on an x86_64 machine, or `cumulet up --simulate` for the APIs alone.";
    ONE_PROCESSOR = "CUM-CPU-02" Warning false,
        "There is one processor: a Kubernetes control plane needs two.",
        "Give the machine another processor before making clusters.";
    NO_KVM = "CUM-KVM-01" Warning false,
        "There is no /dev/kvm: virtual machines are emulated, which works and is ten times slower.",
        "Load the module: `modprobe kvm_intel` or `modprobe kvm_amd`.";
    KVM_ACCESS = "CUM-KVM-02" Warning false,
        "/dev/kvm cannot be opened: virtual machines are emulated, which works and is ten times slower.",
        "`chgrp kvm /dev/kvm && chmod 660 /dev/kvm`, and run the cloud as root.";
    KVM_FAILS = "CUM-KVM-03" Warning false,
        "/dev/kvm opens, but a test guest does not run on it: virtual machines are emulated.",
        "In a virtual machine, ask its host for working nested virtualization; else look into `dmesg`.";
    KVM_FIRMWARE = "CUM-KVM-04" Warning false,
        "The processor says that it cannot virtualize.",
        "Turn virtualization (VT-x, AMD-V, SVM) on in the firmware's setup.";
    KVM_NESTING = "CUM-KVM-05" Warning false,
        "This machine is virtual and its host does not hand virtualization on.",
        "Turn nested virtualization on at its host, and give the machine the host's processor model.";
    KVM_NESTED_OFF = "CUM-KVM-06" Note false,
        "Guests of this host cannot run KVM themselves.",
        "If they shall: `modprobe -r kvm_intel && modprobe kvm_intel nested=1` (or kvm_amd).";
    NOT_ROOT = "CUM-ROOT-01" Warning false,
        "Not root: a cloud with virtual machines needs it, and some of the checks too.",
        "Run `sudo cumulet doctor`; `cumulet up --simulate` needs no root.";
    TUN = "CUM-TUN-01" Error true,
        "/dev/net/tun cannot be opened: virtual machines have no network cards.",
        "`modprobe tun`; in a container, pass the device in.";
    NAMESPACES = "CUM-NET-01" Error false,
        "The kernel makes no network namespaces: every network is one.",
        "In a container, run it privileged; else use a kernel with CONFIG_NET_NS.";
    BRIDGE = "CUM-NET-02" Error false,
        "The kernel makes no bridges: every network has one.",
        "`modprobe bridge`, or use a kernel with CONFIG_BRIDGE.";
    VETH = "CUM-NET-03" Error false,
        "The kernel makes no pairs of links (veth): routers hang on them.",
        "`modprobe veth`, or use a kernel with CONFIG_VETH.";
    VXLAN = "CUM-NET-04" Note false,
        "The kernel makes no VXLAN links. Networks of one machine need none.",
        "`modprobe vxlan` before other machines shall join.";
    BR_NETFILTER = "CUM-NET-05" Error true,
        "The kernel module br_netfilter is missing: security groups need it.",
        "`modprobe br_netfilter`, or install the kernel's extra modules.";
    NFT = "CUM-NFT-01" Error false,
        "nft cannot load the kind of rules that networks need.",
        "Use a kernel with nf_tables for inet, ip and bridge, and nftables 1.0 or newer.";
    FORWARDING = "CUM-FWD-01" Warning true,
        "The machine does not forward (net.ipv4.ip_forward is 0): guests reach it, and nothing beyond it.",
        "`sysctl -w net.ipv4.ip_forward=1`, and a file in /etc/sysctl.d to keep it.";
    DROPPING = "CUM-FWD-02" Warning false,
        "A chain of another program drops what is forwarded: guests do not reach the world, nor it them.",
        "Let the links `cml-*` pass in that chain, as in `iptables -I FORWARD -i cml-+ -j ACCEPT` and the same with `-o`.";
    DOCKER = "CUM-FWD-03" Warning false,
        "Docker drops what is forwarded and not its own.",
        "`iptables -I DOCKER-USER -i cml-+ -j ACCEPT && iptables -I DOCKER-USER -o cml-+ -j ACCEPT`, after each start of Docker.";
    UFW = "CUM-FWD-04" Warning false,
        "ufw is on: it drops what guests send to the APIs and to the world unless it is told otherwise.",
        "`ufw allow in on cml-+` is not understood by ufw: use `ufw allow from NETWORK` and `ufw route allow from NETWORK`.";
    FIREWALLD = "CUM-FWD-05" Warning false,
        "firewalld runs: links that are in none of its zones get its default one, which drops much.",
        "`firewall-cmd --permanent --zone=trusted --add-source=NETWORK && firewall-cmd --reload`.";
    OVERLAP = "CUM-ADR-01" Error false,
        "The external network overlaps with addresses of this machine.",
        "Pass another network: `cumulet up --external-cidr 172.24.9.0/24`.";
    LIBVIRT = "CUM-ADR-02" Error false,
        "The external network overlaps with one of libvirt's.",
        "Pass another network: `cumulet up --external-cidr 172.24.9.0/24`.";
    PORT = "CUM-PRT-01" Error false,
        "Another program listens on the APIs' port.",
        "End it, or pass another one: `cumulet up --listen 127.0.0.1:5005`.";
    PROGRAMS = "CUM-PRG-01" Error false,
        "A program is missing that the cloud runs.",
        "Install its package.";
    IMAGE_PROGRAMS = "CUM-PRG-02" Note false,
        "A program is missing that `cumulet image build` runs. The cloud itself needs it not.",
        "Install its package before building images.";
    BALANCER_PROGRAMS = "CUM-PRG-03" Warning false,
        "A program is missing that load balancers run. Everything else needs it not.",
        "Install its package before creating load balancers.";
    DISK_FULL = "CUM-DSK-01" Error false,
        "There is hardly any space for the cloud's data (less than 1 GiB).",
        "Make room, or pass another place: `cumulet up --data-dir DIR`.";
    DISK_SMALL = "CUM-DSK-02" Warning false,
        "There is little space for the cloud's data: a cluster of two nodes needs 20 GiB.",
        "Make room, or pass another place: `cumulet up --data-dir DIR`.";
    MEMORY_FULL = "CUM-RAM-01" Warning false,
        "Less than 512 MiB of memory are free: virtual machines will not start.",
        "End other programs, or give the machine more memory.";
    MEMORY_SMALL = "CUM-RAM-02" Note false,
        "The machine has less than 7 GiB of memory: too little for a Kubernetes cluster.",
        "Small servers run; give the machine 8 GiB before making clusters.";
    CGROUP = "CUM-CGR-01" Note false,
        "There are no control groups: virtual machines take what they get.",
        "Mount cgroup2 on /sys/fs/cgroup; in a container, run it with its own writable one.";
    RESOLVER = "CUM-DNS-01" Note false,
        "/etc/resolv.conf names no server: guests resolve no names unless their subnet names one.",
        "Name one there, or make subnets with --dns-nameserver.";
}
