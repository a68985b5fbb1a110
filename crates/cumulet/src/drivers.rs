//! The machine's edge: real drivers, or the fake ones of `--simulate`.

use std::sync::Arc;

use host::fake::{FakeHypervisor, FakeNetwork, FakeOptions, Fault, Operation};
use host::ledger::Ledger;
use host::network::LinuxNetwork;
use host::qemu::QemuHypervisor;

use crate::assemble::Drivers;
use crate::config::Config;

pub async fn make(config: &Config) -> anyhow::Result<Drivers> {
    if config.simulate {
        return fake(config);
    }
    let ledger = Arc::new(Ledger::open(&config.data.ledger())?);
    let options = host::qemu::Options {
        label: config.label(),
        accelerator: config.accelerator,
        unsafe_disk_cache: config.unsafe_disk_cache,
        first_user: config.first_user,
        ledger: Some(ledger.clone()),
        ..host::qemu::Options::new(config.data.path())
    };
    let network = host::network::Options {
        prefix: config.label(),
        ledger: Some(ledger),
        ..host::network::Options::default()
    };
    let network = Arc::new(LinuxNetwork::new(network)?);
    let hypervisor = QemuHypervisor::new(options, network.clone()).await?;
    Ok(Drivers { hypervisor: Arc::new(hypervisor), network, fakes: None })
}

fn fake(config: &Config) -> anyhow::Result<Drivers> {
    let options = FakeOptions {
        data_dir: Some(config.data.path().to_owned()),
        hostname: config.host.clone(),
        ..FakeOptions::default()
    };
    let network = Arc::new(FakeNetwork::new(options.delay));
    let hypervisor = Arc::new(FakeHypervisor::new(options)?);
    let fakes = Fakes { hypervisor: hypervisor.clone(), network: network.clone() };
    Ok(Drivers { hypervisor, network, fakes: Some(fakes) })
}

/// The fake drivers by their own names, for whoever makes them slow or fail.
#[derive(Clone)]
pub struct Fakes {
    pub hypervisor: Arc<FakeHypervisor>,
    pub network: Arc<FakeNetwork>,
}

impl Fakes {
    /// Rules that are not spent, of both drivers.
    pub fn rules(&self) -> Vec<Fault> {
        let networks = self.network.faults().rules();
        let machines = self.hypervisor.faults().rules();
        machines.into_iter().chain(networks.into_iter().filter(|rule| rule.operation.is_some())).collect()
    }

    /// Replaces all rules. One about any class of calls is known to both drivers.
    pub fn set_rules(&self, rules: &[Fault]) {
        let is_network = |rule: &Fault| {
            use Operation::{ApplyNetwork, ApplyRouter, RemoveNetwork, RemoveRouter};
            rule.operation.map(|o| matches!(o, ApplyNetwork | RemoveNetwork | ApplyRouter | RemoveRouter))
        };
        let of = |network: bool| {
            rules.iter().filter(|rule| is_network(rule).is_none_or(|is| is == network)).cloned().collect()
        };
        self.hypervisor.faults().set(of(false));
        self.network.faults().set(of(true));
    }
}
