//! `cumulet destroy --yes`: nothing of the cloud is left on this machine.

use anyhow::{Context, ensure};
use clap::Args;
use host::daemon::{self, PidLock};

use crate::assemble::remove_networks;
use crate::commands::down;
use crate::commands::up::CLOUD_NAME;
use crate::config::{CloudArgs, DataDir};
use crate::steps::{say, step};
use crate::{clouds_yaml, drivers};

#[derive(Debug, Args)]
pub struct DestroyArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Really: servers, disks, images and all other data go
    #[arg(long)]
    yes: bool,
}

pub async fn run(args: DestroyArgs) -> anyhow::Result<()> {
    let data = args.cloud.resolve()?;
    ensure!(args.yes, "this removes every server, disk and image under {}: pass --yes", data.path());
    if !data.path().exists() {
        say(&format!("There is nothing at {}", data.path()));
        return Ok(());
    }
    ensure!(
        data.password().exists() || data.lock().exists(),
        "{} is not a cloud's data directory: nothing was removed",
        data.path()
    );
    if PidLock::holder(&data.lock())?.is_some() {
        step("Stopping the cloud", down::end(&data)).await?;
    }
    step("Removing virtual machines and networks", from_the_machine(&data)).await?;
    let entry = clouds_yaml::default_path()?;
    let known = match data.read_password() {
        Ok(password) => clouds_yaml::is_of(&entry, CLOUD_NAME, &password)?,
        Err(_) => false,
    };
    step("Removing the data", async { remove_data(&data) }).await?;
    if known {
        clouds_yaml::remove(&entry, CLOUD_NAME)?;
        forget_clusters()?;
    }
    Ok(())
}

/// Clusters that lived on this cloud are gone with it; their keys and contexts go as well.
fn forget_clusters() -> anyhow::Result<()> {
    let store = engine::Store::of_user()?;
    for cluster in engine::list_clusters(&store)?.into_iter().filter(|c| c.cloud == CLOUD_NAME) {
        engine::forget_cluster(&cluster.name, &store, &engine::Options::default())?;
    }
    Ok(())
}

/// Also finds what a killed daemon left running.
async fn from_the_machine(data: &DataDir) -> anyhow::Result<()> {
    if !daemon::is_root() {
        // A cloud without root was simulated: it has nothing outside its directory.
        return Ok(());
    }
    let drivers = drivers::real(data).await?;
    for id in drivers.hypervisor.list().await? {
        drivers
            .hypervisor
            .destroy(&id)
            .await
            .with_context(|| format!("cannot remove the virtual machine {id}"))?;
    }
    remove_networks(drivers.network.as_ref()).await
}

fn remove_data(data: &DataDir) -> anyhow::Result<()> {
    let remove = || {
        for entry in data.path().read_dir_utf8()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        match std::fs::remove_dir(data.path()) {
            // A disk of its own is mounted there: the directory is not ours to take away.
            Err(e) if e.kind() == std::io::ErrorKind::ResourceBusy => Ok(()),
            done => done,
        }
    };
    remove().with_context(|| format!("cannot remove {}", data.path()))
}
