//! The machine's edge: real drivers, or the fake ones of `--simulate`.

use std::sync::Arc;

use anyhow::Context;
use host::fake::{
    FakeHypervisor, FakeLoadBalancers, FakeNetwork, FakeOptions, FakeVolumes, Fault, Operation,
};
use host::haproxy::HaproxyBalancers;
use host::ledger::Ledger;
use host::network::LinuxNetwork;
use host::qemu::QemuHypervisor;
use host::volumes::{FileVolumes, RbdOptions, RbdVolumes};

use crate::assemble::Drivers;
use crate::config::{Config, VolumeDriver};

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
        reaches_storage: config.volumes != VolumeDriver::Files,
        ledger: Some(ledger.clone()),
        ..host::qemu::Options::new(config.data.path())
    };
    let balancers = HaproxyBalancers::new(host::haproxy::Options {
        prefix: config.label(),
        directory: config.data.balancers(),
        ledger: Some(ledger.clone()),
    })?;
    let network = host::network::Options {
        prefix: config.label(),
        ledger: Some(ledger),
        ..host::network::Options::default()
    };
    let network = Arc::new(LinuxNetwork::new(network)?);
    let hypervisor = QemuHypervisor::new(options, network.clone()).await?;
    let volumes = volumes(config).await?;
    Ok(Drivers {
        hypervisor: Arc::new(hypervisor),
        network,
        volumes,
        balancers: Arc::new(balancers),
        fakes: None,
    })
}

async fn volumes(config: &Config) -> anyhow::Result<Arc<dyn host::Volumes>> {
    let files = FileVolumes::open(&config.data.volumes())?;
    let VolumeDriver::Rbd { pool, user, conf } = &config.volumes else { return Ok(Arc::new(files)) };
    let directory = conf.parent().map(ToOwned::to_owned).unwrap_or_default();
    let options = RbdOptions {
        conf: conf.clone(),
        keyring: directory.join(format!("ceph.client.{user}.keyring")),
        ..RbdOptions::new(pool, user, &crate::assemble::host_uuid(config)?, config.data.volumes())
    };
    Ok(Arc::new(RbdVolumes::open(options).await.context("volumes cannot be kept in Ceph")?))
}

fn fake(config: &Config) -> anyhow::Result<Drivers> {
    let options = FakeOptions {
        data_dir: Some(config.data.path().to_owned()),
        hostname: config.host.clone(),
        ..FakeOptions::default()
    };
    let network = Arc::new(FakeNetwork::new(options.delay));
    let volumes = Arc::new(FakeVolumes::new(options.delay));
    let balancers = Arc::new(FakeLoadBalancers::new(options.delay));
    let hypervisor = Arc::new(FakeHypervisor::new(options)?);
    let fakes = Fakes {
        hypervisor: hypervisor.clone(),
        network: network.clone(),
        volumes: volumes.clone(),
        balancers: balancers.clone(),
    };
    Ok(Drivers { hypervisor, network, volumes, balancers, fakes: Some(fakes) })
}

/// The fake drivers by their own names, for whoever makes them slow or fail.
#[derive(Clone)]
pub struct Fakes {
    pub hypervisor: Arc<FakeHypervisor>,
    pub network: Arc<FakeNetwork>,
    pub volumes: Arc<FakeVolumes>,
    pub balancers: Arc<FakeLoadBalancers>,
}

/// Which of them a class of calls is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    Machines,
    Networks,
    Volumes,
    Balancers,
}

fn driver(operation: Operation) -> Driver {
    use Operation::{ApplyBalancer, RemoveBalancer};
    use Operation::{ApplyNetwork, ApplyRouter, RemoveNetwork, RemoveRouter};
    use Operation::{CopyVolume, GrowVolume, MakeVolume, RemoveVolume};
    match operation {
        ApplyNetwork | RemoveNetwork | ApplyRouter | RemoveRouter => Driver::Networks,
        ApplyBalancer | RemoveBalancer => Driver::Balancers,
        MakeVolume | GrowVolume | RemoveVolume | CopyVolume => Driver::Volumes,
        _ => Driver::Machines,
    }
}

impl Fakes {
    /// Rules that are not spent, of all drivers.
    pub fn rules(&self) -> Vec<Fault> {
        let others = self.network.faults().rules().into_iter().chain(self.volumes.faults().rules());
        let others = others.chain(self.balancers.faults().rules());
        let machines = self.hypervisor.faults().rules();
        // One about any class of calls is known to each of them.
        machines.into_iter().chain(others.filter(|rule| rule.operation.is_some())).collect()
    }

    /// Replaces all rules. One about any class of calls is known to every driver.
    pub fn set_rules(&self, rules: &[Fault]) {
        let of = |wanted: Driver| {
            rules.iter().filter(|rule| rule.operation.is_none_or(|o| driver(o) == wanted)).cloned().collect()
        };
        self.hypervisor.faults().set(of(Driver::Machines));
        self.network.faults().set(of(Driver::Networks));
        self.volumes.faults().set(of(Driver::Volumes));
        self.balancers.faults().set(of(Driver::Balancers));
    }
}
