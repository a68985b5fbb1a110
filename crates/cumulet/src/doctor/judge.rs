//! From facts to findings. Pure.

use host::survey::{Distribution, Facts, Kernel, Kvm, Need, Program};
use ipnet::{IpNet, Ipv4Net};

use super::Finding;
use super::codes::{self, Code};

/// What the cloud that is asked about will want of the machine.
#[derive(Debug, Clone)]
pub struct Wish {
    pub simulate: bool,
    pub external: Ipv4Net,
    pub listen: std::net::SocketAddr,
    pub listen_is_free: bool,
    /// Then its own addresses and ports are in nobody's way.
    pub running: bool,
}

/// Worst first, in the order of the codes.
pub fn judge(facts: &Facts, wish: &Wish) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    found.place(facts, wish);
    if !wish.simulate {
        found.processor(facts);
        found.kernel(facts);
        found.network(facts, wish);
        found.rest(facts);
    }
    let order = |finding: &Finding| {
        (finding.code.severity, codes::ALL.iter().position(|code| code.id == finding.code.id))
    };
    found.0.sort_by_key(order);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, code: &'static Code, detail: impl Into<String>) {
        self.0.push(Finding { code, detail: detail.into(), remedy: code.remedy.to_owned() });
    }

    fn with_remedy(&mut self, code: &'static Code, detail: impl Into<String>, remedy: String) {
        self.0.push(Finding { code, detail: detail.into(), remedy });
    }

    fn tried(&mut self, code: &'static Code, tried: &Kernel) {
        if let Kernel::Fails(why) = tried {
            self.add(code, why.clone());
        }
    }

    /// Also a simulated cloud needs these.
    fn place(&mut self, facts: &Facts, wish: &Wish) {
        if !wish.listen_is_free && !wish.running {
            self.add(&codes::PORT, wish.listen.to_string());
        }
        match facts.free_disk_gib {
            0 => self.add(&codes::DISK_FULL, "less than 1 GiB is free"),
            free @ 1..20 if !wish.simulate => self.add(&codes::DISK_SMALL, format!("{free} GiB are free")),
            _ => {}
        }
    }

    fn processor(&mut self, facts: &Facts) {
        if facts.architecture != "x86_64" {
            self.add(&codes::ARCHITECTURE, facts.architecture.clone());
        }
        if facts.processors == 1 {
            self.add(&codes::ONE_PROCESSOR, "");
        }
        match &facts.kvm {
            Kvm::Works if facts.nested == Some(false) => self.add(&codes::KVM_NESTED_OFF, ""),
            Kvm::Works => {}
            Kvm::NoDevice if facts.processor_virtualizes => self.add(&codes::NO_KVM, ""),
            Kvm::NoDevice if facts.inside_virtual_machine => self.add(&codes::KVM_NESTING, ""),
            Kvm::NoDevice => self.add(&codes::KVM_FIRMWARE, ""),
            Kvm::NoAccess(why) => self.add(&codes::KVM_ACCESS, why.clone()),
            Kvm::Fails(why) => self.add(&codes::KVM_FAILS, why.clone()),
        }
    }

    fn kernel(&mut self, facts: &Facts) {
        if !facts.root {
            self.add(&codes::NOT_ROOT, "");
        }
        self.tried(&codes::TUN, &facts.tun);
        self.tried(&codes::NAMESPACES, &facts.namespaces);
        self.tried(&codes::BRIDGE, &facts.bridge);
        self.tried(&codes::VETH, &facts.veth);
        self.tried(&codes::VXLAN, &facts.vxlan);
        self.tried(&codes::NFT, &facts.nft);
        if !facts.br_netfilter {
            self.add(&codes::BR_NETFILTER, "");
        }
        if !facts.cgroups {
            self.add(&codes::CGROUP, "");
        }
    }

    fn network(&mut self, facts: &Facts, wish: &Wish) {
        if !facts.ip_forward {
            self.add(&codes::FORWARDING, "");
        }
        let chains = facts.dropping_chains.join(", ");
        let external = wish.external.to_string();
        let for_network = |code: &Code| code.remedy.replace("NETWORK", &external);
        if facts.ufw {
            self.with_remedy(&codes::UFW, "", for_network(&codes::UFW));
        } else if facts.firewalld {
            self.with_remedy(&codes::FIREWALLD, "", for_network(&codes::FIREWALLD));
        } else if facts.docker && !chains.is_empty() {
            self.add(&codes::DOCKER, chains);
        } else if !chains.is_empty() {
            self.add(&codes::DROPPING, chains);
        }
        for (link, network) in
            facts.networks.iter().filter(|(link, _)| !(wish.running && link.starts_with("cml-")))
        {
            let IpNet::V4(network) = network else { continue };
            let overlaps = network.contains(&wish.external.addr()) || wish.external.contains(&network.addr());
            if network.prefix_len() > 0 && overlaps {
                let code = if link.starts_with("virbr") { &codes::LIBVIRT } else { &codes::OVERLAP };
                self.add(code, format!("{external} and {network} of {link}"));
            }
        }
        if !facts.resolver {
            self.add(&codes::RESOLVER, "");
        }
    }

    fn rest(&mut self, facts: &Facts) {
        let needs = [
            (&codes::PROGRAMS, Need::Cloud),
            (&codes::IMAGE_PROGRAMS, Need::Images),
            (&codes::BALANCER_PROGRAMS, Need::Balancers),
        ];
        for (code, need) in needs {
            let missing: Vec<&Program> =
                facts.missing_programs.iter().copied().filter(|program| program.need == need).collect();
            if !missing.is_empty() {
                let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
                self.with_remedy(code, names.join(", "), install(facts.distribution, &missing));
            }
        }
        if facts.available_memory_mib < 512 {
            self.add(&codes::MEMORY_FULL, format!("{} MiB are free", facts.available_memory_mib));
        }
        if facts.memory_mib < 7 << 10 {
            self.add(&codes::MEMORY_SMALL, format!("{} MiB", facts.memory_mib));
        }
    }
}

fn install(distribution: Distribution, programs: &[&Program]) -> String {
    let of = |package: fn(&Program) -> &'static str| {
        let mut packages: Vec<&str> = programs.iter().map(|program| package(program)).collect();
        packages.dedup();
        packages.join(" ")
    };
    let (debian, fedora) = (of(|p| p.debian), of(|p| p.fedora));
    match distribution {
        Distribution::Debian | Distribution::Ubuntu => format!("`apt-get install {debian}`"),
        Distribution::Fedora => format!("`dnf install {fedora}`"),
        Distribution::Other => {
            format!("Debian and Ubuntu: `apt-get install {debian}`; Fedora: `dnf install {fedora}`")
        }
    }
}
