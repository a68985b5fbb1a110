//! `cumulet backup FILE`: the whole cloud in one file, whether it runs or not.

use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use host::VmState;
use host::daemon::PidLock;

use crate::archive;
use crate::assemble::Cloud;
use crate::config::{CloudArgs, DataDir};
use crate::control::{self, Request};
use crate::steps::{say, step};
use crate::stores;

#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Where to write it, e.g. cloud.tar.zst
    file: Utf8PathBuf,
}

/// Made beside the data, so that files need not be copied to be kept as they are.
const STAGE: &str = "backup.part";
/// Names in a data directory that are no part of the cloud: the database's are replaced by a copy, the others belong to
/// the process, to this machine, or are copies themselves.
const LEFT_OUT: [&str; 12] = [
    "cumulet.db",
    "cumulet.db-wal",
    "cumulet.db-shm",
    "cumulet.pid",
    "state.json",
    "control.sock",
    "backups",
    "first-start",
    "discarded",
    "vms",
    "ledger",
    "cumulet.stderr",
];

pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let told = args.cloud.0.resolve()?;
    let data = &told.data;
    ensure!(data.database().exists(), "there is no cloud in {}", data.path());
    ensure!(!args.file.exists(), "{} exists already: nothing was written", args.file);
    let stages = Stages {
        whole: data.path().join(STAGE),
        stores: stores::of(&told.settings)?
            .into_iter()
            .map(|(id, dir)| {
                let stage = dir.join(stores::BACKUP);
                (id, dir, stage)
            })
            .collect(),
    };
    stages.clear()?;
    let done = step("Writing the archive", write(data, &stages, &args.file)).await;
    stages.clear()?;
    let (files, bytes) = done?;
    say(&format!("{}: {files} files, {} MiB", args.file, bytes >> 20));
    Ok(())
}

/// Where what goes into the archive is held together: on the disks that it lies on.
struct Stages {
    whole: Utf8PathBuf,
    /// Of image stores outside of the data directory: id, directory, stage.
    stores: Vec<(String, Utf8PathBuf, Utf8PathBuf)>,
}

impl Stages {
    fn clear(&self) -> anyhow::Result<()> {
        clear(&self.whole)?;
        self.stores.iter().try_for_each(|(_, _, stage)| stores::drop_kept(stage))
    }
}

async fn write(data: &DataDir, stages: &Stages, file: &Utf8Path) -> anyhow::Result<(usize, u64)> {
    let stage = &stages.whole;
    std::fs::create_dir(stage).with_context(|| format!("cannot make {stage}"))?;
    let layers = stage.join("volumes");
    // Before the rows: a layer that they tell of must not be merged and gone when it is its turn.
    keep_layers(&data.volumes(), &layers)?;
    let db = db::Db::open_file(&data.database()).await?;
    db.copy_to(&stage.join("cumulet.db")).await?;
    db.close().await;
    keep_layers(&data.volumes(), &layers)?;
    for entry in data.path().read_dir_utf8()? {
        let entry = entry?;
        let name = entry.file_name();
        let passing = name == STAGE
            || entry.path() == data.volumes()
            || name.ends_with(".part")
            || name.contains(".log");
        if !passing && !LEFT_OUT.contains(&name) {
            keep(entry.path(), &stage.join(name))?;
        }
    }
    for (_, dir, stage) in &stages.stores {
        stores::keep(dir, stage)?;
    }
    disks(data, &stage.join("vms")).await?;
    let (whole, stores) = (stages.whole.clone(), stages.stores.clone());
    let (home, target) = (data.path().to_owned(), file.to_owned());
    let manifest = tokio::task::spawn_blocking(move || {
        let source = archive::Source { stage: &whole, data_dir: &home, stores: &stores };
        archive_of(&source, &target)
    })
    .await??;
    Ok((manifest.files.len(), std::fs::metadata(file)?.len()))
}

/// It holds keys and passwords: for its owner's eyes only.
fn archive_of(source: &archive::Source<'_>, target: &Utf8Path) -> anyhow::Result<archive::Manifest> {
    let part = Utf8PathBuf::from(format!("{target}.part"));
    let mut options = std::fs::OpenOptions::new();
    let out = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    let out = out.with_context(|| format!("cannot write {part}"))?;
    let mut buffered = BufWriter::with_capacity(1 << 20, out);
    let packed = archive::pack(source, &mut buffered)
        .and_then(|manifest| buffered.flush().map(|()| manifest).map_err(Into::into))
        .and_then(|manifest| buffered.get_ref().sync_all().map(|()| manifest).map_err(Into::into));
    match packed {
        Ok(manifest) => {
            std::fs::rename(&part, target).with_context(|| format!("cannot write {target}"))?;
            Ok(manifest)
        }
        Err(error) => {
            // Half an archive is none.
            let _ = std::fs::remove_file(&part);
            Err(error)
        }
    }
}

/// Second names for files that never change in place.
fn keep(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    let metadata = std::fs::symlink_metadata(from)?;
    if metadata.is_file() {
        return std::fs::hard_link(from, to).with_context(|| format!("cannot make {to}"));
    }
    if !metadata.is_dir() {
        return Ok(());
    }
    std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
    std::fs::set_permissions(to, metadata.permissions())?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        if !entry.file_name().ends_with(".part") {
            keep(entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A layer with a second name is not merged with others. Those that have names here already are left as they are.
fn keep_layers(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    if !to.exists() {
        std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
        std::fs::set_permissions(to, from.metadata()?.permissions())?;
    }
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

/// Disks change: the daemon copies them, each while its machine holds still.
async fn disks(data: &DataDir, to: &Utf8Path) -> anyhow::Result<()> {
    let vms = data.path().join("vms");
    if !vms.exists() {
        return Ok(());
    }
    if PidLock::holder(&data.lock())?.is_some() {
        control::ask(data, &Request::CopyDisks { to: to.to_owned() }).await?;
        return Ok(());
    }
    if let Some(id) = running(&vms)? {
        bail!("the virtual machine {id} runs without its daemon: start the cloud with `cumulet up` first");
    }
    keep(&vms, to)
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

/// In the daemon. QEMU flushes a disk when its machine is paused, so that the copy is what a power cut would leave.
pub async fn copy_disks(cloud: &Cloud, data: &DataDir, to: &Utf8Path) -> anyhow::Result<serde_json::Value> {
    let vms = data.path().join("vms");
    std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
    let hypervisor = &cloud.drivers.hypervisor;
    let mut copied = 0;
    for id in hypervisor.list().await? {
        let (from, to) = (vms.join(&id), to.join(&id));
        if !from.exists() {
            continue;
        }
        let runs = hypervisor.state(&id).await? == VmState::Running;
        if runs {
            hypervisor.pause(&id).await.with_context(|| format!("cannot hold the machine {id}"))?;
        }
        let done = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
        if runs {
            hypervisor.resume(&id).await.with_context(|| format!("cannot let the machine {id} go on"))?;
        }
        done??;
        copied += 1;
    }
    Ok(serde_json::json!({ "machines": copied }))
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    std::fs::create_dir(to).with_context(|| format!("cannot make {to}"))?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if !entry.file_type()?.is_file() {
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

fn clear(stage: &Utf8Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(stage) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {stage}"))
        }
        _ => Ok(()),
    }
}
