use std::collections::BTreeSet;

use host::survey::{Distribution, Facts, Kernel, Kvm, Need, PROGRAMS};

use super::judge::{Wish, judge};
use super::*;

/// A machine that nothing is wrong with.
fn good() -> Facts {
    Facts {
        root: true,
        architecture: "x86_64".into(),
        distribution: Distribution::Debian,
        kvm: Kvm::Works,
        processor_virtualizes: true,
        inside_virtual_machine: false,
        nested: Some(true),
        tun: Kernel::Works,
        namespaces: Kernel::Works,
        bridge: Kernel::Works,
        veth: Kernel::Works,
        vxlan: Kernel::Works,
        nft: Kernel::Works,
        br_netfilter: true,
        ip_forward: true,
        dropping_chains: Vec::new(),
        docker: false,
        ufw: false,
        firewalld: false,
        networks: vec![("eth0".into(), "192.168.1.5/24".parse().unwrap())],
        missing_programs: Vec::new(),
        memory_mib: 16 << 10,
        available_memory_mib: 8 << 10,
        free_disk_gib: 100,
        processors: 4,
        cgroups: true,
        resolver: true,
    }
}

fn wish() -> Wish {
    Wish {
        simulate: false,
        external: "172.24.4.0/24".parse().unwrap(),
        listen: "127.0.0.1:5000".parse().unwrap(),
        listen_is_free: true,
        running: false,
    }
}

fn fails() -> Kernel {
    Kernel::Fails("no such thing".into())
}

fn net(link: &str, network: &str) -> Vec<(String, ipnet::IpNet)> {
    vec![(link.into(), network.parse().unwrap())]
}

/// One change to a good machine and the finding that it must lead to, alone.
type Case = (&'static str, fn(&mut Facts, &mut Wish));

const CASES: &[Case] = &[
    ("CUM-CPU-01", |f, _| f.architecture = "aarch64".into()),
    ("CUM-CPU-02", |f, _| f.processors = 1),
    ("CUM-KVM-01", |f, _| f.kvm = Kvm::NoDevice),
    ("CUM-KVM-02", |f, _| f.kvm = Kvm::NoAccess("denied".into())),
    ("CUM-KVM-03", |f, _| f.kvm = Kvm::Fails("the test guest".into())),
    ("CUM-KVM-04", |f, _| (f.kvm, f.processor_virtualizes) = (Kvm::NoDevice, false)),
    ("CUM-KVM-05", |f, _| {
        (f.kvm, f.processor_virtualizes, f.inside_virtual_machine) = (Kvm::NoDevice, false, true);
    }),
    ("CUM-KVM-06", |f, _| f.nested = Some(false)),
    ("CUM-ROOT-01", |f, _| f.root = false),
    ("CUM-TUN-01", |f, _| f.tun = fails()),
    ("CUM-NET-01", |f, _| f.namespaces = fails()),
    ("CUM-NET-02", |f, _| f.bridge = fails()),
    ("CUM-NET-03", |f, _| f.veth = fails()),
    ("CUM-NET-04", |f, _| f.vxlan = fails()),
    ("CUM-NET-05", |f, _| f.br_netfilter = false),
    ("CUM-NFT-01", |f, _| f.nft = fails()),
    ("CUM-FWD-01", |f, _| f.ip_forward = false),
    ("CUM-FWD-02", |f, _| f.dropping_chains = vec!["ip filter FORWARD".into()]),
    ("CUM-FWD-03", |f, _| (f.docker, f.dropping_chains) = (true, vec!["ip filter FORWARD".into()])),
    ("CUM-FWD-04", |f, _| (f.ufw, f.dropping_chains) = (true, vec!["ip filter FORWARD".into()])),
    ("CUM-FWD-05", |f, _| f.firewalld = true),
    ("CUM-ADR-01", |f, _| f.networks = net("eth0", "172.24.0.9/16")),
    ("CUM-ADR-02", |f, _| f.networks = net("virbr0", "172.24.4.1/24")),
    ("CUM-PRT-01", |_, w| w.listen_is_free = false),
    ("CUM-PRG-01", |f, _| f.missing_programs = PROGRAMS.iter().filter(|p| p.name == "nft").collect()),
    ("CUM-PRG-02", |f, _| f.missing_programs = PROGRAMS.iter().filter(|p| p.name == "mmdebstrap").collect()),
    ("CUM-PRG-03", |f, _| f.missing_programs = PROGRAMS.iter().filter(|p| p.name == "haproxy").collect()),
    ("CUM-DSK-01", |f, _| f.free_disk_gib = 0),
    ("CUM-DSK-02", |f, _| f.free_disk_gib = 19),
    ("CUM-RAM-01", |f, _| f.available_memory_mib = 511),
    ("CUM-RAM-02", |f, _| f.memory_mib = 4096),
    ("CUM-CGR-01", |f, _| f.cgroups = false),
    ("CUM-DNS-01", |f, _| f.resolver = false),
];

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.id).collect()
}

#[test]
fn a_good_machine_has_nothing() {
    assert!(judge(&good(), &wish()).is_empty());
    assert_eq!(exit_code(&[]), 0);
}

#[test]
fn each_trouble_has_its_finding() {
    for (id, spoil) in CASES {
        let (mut facts, mut wish) = (good(), wish());
        spoil(&mut facts, &mut wish);
        assert_eq!(ids(&judge(&facts, &wish)), [*id]);
    }
}

#[test]
fn no_code_is_without_a_case_and_none_is_used_twice() {
    let cases: BTreeSet<&str> = CASES.iter().map(|(id, _)| *id).collect();
    let codes: BTreeSet<&str> = codes::ALL.iter().map(|code| code.id).collect();
    assert_eq!(cases, codes);
    assert_eq!(codes.len(), codes::ALL.len());
}

#[test]
fn docker_without_a_dropping_chain_is_no_trouble() {
    assert!(judge(&Facts { docker: true, ..good() }, &wish()).is_empty());
}

#[test]
fn a_running_cloud_is_not_in_its_own_way() {
    let facts = Facts { networks: net("cml-3fa85f64", "172.24.4.1/24"), ..good() };
    let running = Wish { running: true, listen_is_free: false, ..wish() };
    assert!(judge(&facts, &running).is_empty());
    // Another cloud's is.
    assert_eq!(ids(&judge(&facts, &wish())), ["CUM-ADR-01"]);
}

#[test]
fn a_simulated_cloud_needs_a_port_and_some_disk() {
    let mut facts = Facts { root: false, kvm: Kvm::NoDevice, tun: fails(), ip_forward: false, ..good() };
    facts.free_disk_gib = 5;
    let simulated = Wish { simulate: true, ..wish() };
    assert!(judge(&facts, &simulated).is_empty());
    assert_eq!(ids(&judge(&facts, &Wish { listen_is_free: false, ..simulated })), ["CUM-PRT-01"]);
}

#[test]
fn packages_have_the_names_of_the_distribution() {
    let missing = |distribution| {
        let missing_programs = PROGRAMS.iter().filter(|p| p.need == Need::Cloud).collect();
        judge(&Facts { distribution, missing_programs, ..good() }, &wish()).remove(0)
    };
    let debian = missing(Distribution::Ubuntu);
    assert_eq!(debian.remedy, "`apt-get install qemu-system-x86 qemu-utils nftables iproute2`");
    assert_eq!(debian.detail, "qemu-system-x86_64, qemu-img, nft, ip");
    assert_eq!(
        missing(Distribution::Fedora).remedy,
        "`dnf install qemu-system-x86-core qemu-img nftables iproute`"
    );
    assert!(missing(Distribution::Other).remedy.contains("dnf install"));
}

#[test]
fn the_worst_comes_first_and_decides() {
    let facts = Facts { resolver: false, ip_forward: false, tun: fails(), ..good() };
    let findings = judge(&facts, &wish());
    assert_eq!(ids(&findings), ["CUM-TUN-01", "CUM-FWD-01", "CUM-DNS-01"]);
    assert_eq!(exit_code(&findings), 1);
    assert_eq!(exit_code(&findings[1..]), 3);
    assert_eq!(exit_code(&findings[2..]), 0);
}

#[test]
fn the_page_in_docs_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md");
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == reference::page(), "docs/doctor.md is old: write it with `cumulet doctor --reference`");
}
