//! Disks change while they are kept: what machines write is copied, or frozen, each while its machine holds still.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use base::Kind;
use camino::{Utf8Path, Utf8PathBuf};
use host::VmState;
use host::daemon::PidLock;
use serde::{Deserialize, Serialize};

use super::keep;
use crate::assemble::Cloud;
use crate::commands::up::ENDS_WITHIN;
use crate::config::DataDir;
use crate::control::{self, Request};

/// A volume is being changed for so long at most: files are made in milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// In the directory of a machine that is paused for its copy: it goes on even if who paused it does not.
const MARK: &str = "held";

/// What the daemon has put into the stage.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Held {
    machines: usize,
    /// Names of volumes' layers.
    layers: Vec<String>,
}

/// Machines' disks, and what they write of their volumes, go into the stage.
pub async fn ask(data: &DataDir, stage: &Utf8Path) -> anyhow::Result<Held> {
    let vms = data.path().join("vms");
    if PidLock::lasting_holder(&data.lock(), ENDS_WITHIN).await?.is_some() {
        let held = control::ask(data, &Request::HoldDisks { to: stage.to_owned() }).await?;
        return Ok(serde_json::from_value(held)?);
    }
    if !vms.exists() {
        return Ok(Held::default());
    }
    if let Some(id) = running(&vms)? {
        bail!("the virtual machine {id} runs without its daemon: start the cloud with `cumulet up` first");
    }
    keep(&vms, &stage.join("vms"))?;
    Ok(Held::default())
}

/// A machine that a killed daemon left behind.
fn running(vms: &Utf8Path) -> anyhow::Result<Option<String>> {
    for entry in vms.read_dir_utf8()? {
        let entry = entry?;
        let Ok(pid) = std::fs::read_to_string(entry.path().join("pid")) else { continue };
        let command = std::fs::read_to_string(format!("/proc/{}/comm", pid.trim())).unwrap_or_default();
        if command.starts_with("qemu") {
            return Ok(Some(entry.file_name().to_owned()));
        }
    }
    Ok(None)
}

/// Second names for volumes' layers: one that has two is not merged with others. What is in the stage already is left as it
/// is.
pub fn keep_layers(data: &DataDir, stage: &Utf8Path) -> anyhow::Result<()> {
    let (from, to) = (data.volumes(), stage.join("volumes"));
    if !from.exists() {
        return Ok(());
    }
    make_dir(&from, &to)?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let kept = to.join(entry.file_name());
        if entry.file_name().ends_with(".part") || kept.exists() {
            continue;
        }
        match std::fs::hard_link(entry.path(), &kept) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            linked => linked.with_context(|| format!("cannot make {kept}"))?,
        }
        // What had begun before has the lock.
        std::fs::File::open(&kept)?.lock_shared().with_context(|| format!("cannot lock {kept}"))?;
    }
    Ok(())
}

/// A volume that came, went or got another layer between the daemon's answer and the copy of the rows.
pub async fn changed(rows: &Utf8Path, held: &Held, stage: &Utf8Path) -> anyhow::Result<Option<String>> {
    let rows = db::Db::open_file(rows).await?;
    let changed = cinder::hold::held_otherwise(&rows, &held.layers, &stage.join("volumes")).await;
    rows.close().await;
    Ok(changed?)
}

/// In the daemon. QEMU flushes a disk when its machine is paused, so that the copy is what a power cut would leave.
pub async fn hold(cloud: &Cloud, data: &DataDir, to: &Utf8Path) -> anyhow::Result<serde_json::Value> {
    let (vms, volumes) = (to.join("vms"), to.join("volumes"));
    make_dir(&data.path().join("vms"), &vms)?;
    make_dir(&data.volumes(), &volumes)?;
    let hypervisor = &cloud.drivers.hypervisor;
    let mut held = Held::default();
    let mut servers: BTreeSet<String> = hypervisor.list().await?.into_iter().collect();
    servers.extend(cloud.cinder.servers_with_volumes().await?);
    for id in servers {
        let end = Instant::now() + PATIENCE;
        while let Some(busy) = hold_one(cloud, data, &id, to, &mut held).await? {
            ensure!(Instant::now() < end, "{busy}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(serde_json::to_value(held)?)
}

/// The answer says of a volume that it has to be left alone for the moment.
async fn hold_one(
    cloud: &Cloud,
    data: &DataDir,
    id: &str,
    to: &Utf8Path,
    held: &mut Held,
) -> anyhow::Result<Option<base::Error>> {
    let hypervisor = &cloud.drivers.hypervisor;
    let (from, volumes) = (machine(data, id), to.join("volumes"));
    let to = to.join("vms").join(id);
    let mark = from.join(MARK);
    // A simulated machine has no files and writes nothing.
    let runs = from.exists() && hypervisor.state(id).await? == VmState::Running;
    if runs {
        std::fs::write(&mark, "").with_context(|| format!("cannot make {mark}"))?;
        hypervisor.pause(id).await.with_context(|| format!("cannot hold the machine {id}"))?;
    }
    let volumes = cloud.cinder.hold_volumes(id, &volumes).await;
    let has_files = volumes.is_ok() && from.exists();
    let copied = match has_files {
        true => tokio::task::spawn_blocking(move || copy(&from, &to)).await,
        false => Ok(Ok(())),
    };
    if runs {
        go_on(cloud, data, id).await?;
    }
    if let Err(error) = copied?
        && machine(data, id).exists()
    {
        // Not because it was deleted meanwhile.
        return Err(error);
    }
    match volumes {
        Err(busy) if busy.kind == Kind::Conflict => return Ok(Some(busy)),
        volumes => held.layers.extend(volumes?),
    }
    held.machines += usize::from(has_files);
    Ok(None)
}

/// Machines that were held when their copy came to an end before its time, with the daemon or while it was ending.
pub async fn let_go(cloud: &Cloud, data: &DataDir) -> anyhow::Result<()> {
    for id in cloud.drivers.hypervisor.list().await? {
        if machine(data, &id).join(MARK).exists() {
            go_on(cloud, data, &id).await?;
        }
    }
    Ok(())
}

/// Unless its user has paused, stopped or deleted it meanwhile.
async fn go_on(cloud: &Cloud, data: &DataDir, id: &str) -> anyhow::Result<()> {
    let hypervisor = &cloud.drivers.hypervisor;
    if hypervisor.state(id).await? == VmState::Paused && !cloud.nova.is_to_stand_still(id).await? {
        hypervisor.resume(id).await.with_context(|| format!("cannot let the machine {id} go on"))?;
    }
    let mark = machine(data, id).join(MARK);
    match std::fs::remove_file(&mark) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {mark}"))
        }
        _ => Ok(()),
    }
}

fn machine(data: &DataDir, id: &str) -> Utf8PathBuf {
    data.path().join("vms").join(id)
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    make_dir(from, to)?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if !entry.file_type()?.is_file() || entry.file_name() == MARK {
            continue;
        }
        if entry.file_name().contains("image") {
            // A name for an image's file, which never changes.
            std::fs::hard_link(entry.path(), &to).with_context(|| format!("cannot make {to}"))?;
        } else {
            std::fs::copy(entry.path(), &to).with_context(|| format!("cannot copy {}", entry.path()))?;
        }
    }
    Ok(())
}

/// As the one that there is.
fn make_dir(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    if from.exists() && !to.exists() {
        std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
        std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    }
    Ok(())
}
