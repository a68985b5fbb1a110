//! The machine's edge: real drivers, or the fake ones of `--simulate`.

use std::sync::Arc;

use host::fake::{FakeHypervisor, FakeNetwork, FakeOptions};
use host::network::LinuxNetwork;
use host::qemu::QemuHypervisor;

use crate::assemble::Drivers;
use crate::config::{Config, DataDir};

pub async fn make(config: &Config) -> anyhow::Result<Drivers> {
    if config.simulate {
        return fake(config);
    }
    let options = host::qemu::Options {
        accelerator: config.accelerator,
        unsafe_disk_cache: config.unsafe_disk_cache,
        ..host::qemu::Options::new(config.data.path())
    };
    with_qemu(options).await
}

/// The real drivers for looking at and removing what is there; they start no machine.
pub async fn real(data: &DataDir) -> anyhow::Result<Drivers> {
    with_qemu(host::qemu::Options::new(data.path())).await
}

async fn with_qemu(options: host::qemu::Options) -> anyhow::Result<Drivers> {
    let network = Arc::new(LinuxNetwork::new(host::network::Options::default())?);
    let hypervisor = QemuHypervisor::new(options, network.clone()).await?;
    Ok(Drivers { hypervisor: Arc::new(hypervisor), network })
}

fn fake(config: &Config) -> anyhow::Result<Drivers> {
    let options = FakeOptions {
        data_dir: Some(config.data.path().to_owned()),
        hostname: config.host.clone(),
        ..FakeOptions::default()
    };
    let network = Arc::new(FakeNetwork::new(options.delay));
    Ok(Drivers { hypervisor: Arc::new(FakeHypervisor::new(options)?), network })
}
