//! `cumulet destroy --yes`: nothing of the cloud is left on this machine. It needs neither daemon nor database: the
//! ledger says what is to go.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use host::daemon;
use host::ledger::{self, Ledger};

use crate::clouds_yaml;
use crate::commands::systemd;
use crate::config::{CloudArgs, DataDir, Identity, label};
use crate::steps::{say, step};
use crate::stores;

/// A daemon that has not ended by then is made to.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct DestroyArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Really: servers, disks, images and all other data go
    #[arg(long)]
    yes: bool,
}

pub async fn run(args: DestroyArgs) -> anyhow::Result<()> {
    let told = args.cloud.0.resolve()?;
    let data = &told.data;
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
    let identity = told.identity.clone().unwrap_or_default();
    let label = label(told.settings.text("name"));
    systemd::remove_unit_of(&label, data)?;
    if daemon::PidLock::holder(&data.lock())?.is_some() {
        step("Stopping the cloud", async { Ok(daemon::end_holder(&data.lock(), PATIENCE).await?) }).await?;
    }
    step("Removing virtual machines and networks", from_the_machine(data, &label)).await?;
    let entries = entries_of(data, &identity, &label);
    let outside = stores::of(&told.settings)?;
    step("Removing the data", async {
        outside.iter().try_for_each(|(_, dir)| stores::destroy(dir))?;
        remove_data(data)
    })
    .await?;
    for (path, name) in &entries {
        clouds_yaml::remove(path, name)?;
    }
    // The deepest first. What others have put something into stays.
    for directory in identity.directories.iter().rev() {
        let _ = std::fs::remove_dir(directory);
    }
    if entries.iter().any(|(_, name)| *name == label) {
        forget_clusters(&label)?;
    }
    Ok(())
}

/// Entries of clouds.yaml that are this cloud: another one on this machine may have taken a name since.
fn entries_of(data: &DataDir, identity: &Identity, label: &str) -> Vec<(camino::Utf8PathBuf, String)> {
    let mut files = identity.clouds_yaml.clone();
    files.extend(clouds_yaml::default_path());
    let passwords =
        [(label.to_owned(), data.read_password().ok()), (format!("{label}-demo"), data.read_demo_password())];
    let mut found = Vec::new();
    for (name, password) in passwords {
        let Some(password) = password else { continue };
        let ours = files.iter().filter(|path| clouds_yaml::is_of(path, &name, &password).unwrap_or(false));
        found.extend(ours.map(|path| (path.clone(), name.clone())));
    }
    found
}

/// Clusters that lived on this cloud are gone with it; their keys and contexts go as well.
fn forget_clusters(label: &str) -> anyhow::Result<()> {
    let store = engine::Store::of_user()?;
    for cluster in engine::list_clusters(&store)?.into_iter().filter(|c| c.cloud == label) {
        engine::forget_cluster(&cluster.name, &store, &engine::Options::default())?;
    }
    Ok(())
}

/// Also finds what a killed daemon left running.
async fn from_the_machine(data: &DataDir, label: &str) -> anyhow::Result<()> {
    if !data.ledger().exists() {
        // A simulated cloud has nothing outside its directory.
        return Ok(());
    }
    ensure!(daemon::is_root(), "this cloud was made by root: run `sudo cumulet destroy`");
    let ledger = Ledger::open(&data.ledger())?;
    let swept = ledger::sweep(&ledger, label).await;
    for (thing, reason) in &swept.kept {
        say(&format!("{thing} stays: {reason}"));
    }
    if swept.failed.is_empty() {
        return Ok(());
    }
    for (thing, error) in swept.failed {
        say(&format!("cannot remove {thing}: {:#}", anyhow::Error::from(error)));
    }
    bail!("not everything is gone, so the data stays: run `cumulet destroy --yes` again")
}

fn remove_data(data: &DataDir) -> anyhow::Result<()> {
    use anyhow::Context;
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
