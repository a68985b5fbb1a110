//! `cumulet backup FILE`: the whole cloud in one file, whether it runs or not.

pub mod disks;
mod stages;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use stages::Stages;
pub use stages::clear_left;

use crate::archive;
use crate::config::{CloudArgs, DataDir};
use crate::steps::{say, step};
use crate::stores;

#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Where to write it, e.g. cloud.tar.zst
    file: Utf8PathBuf,
}

/// Names in a data directory that are no part of the cloud: the database's are replaced by a copy, the others belong to
/// the process, to this machine, or are copies themselves.
const LEFT_OUT: [&str; 13] = [
    "cumulet.db",
    "cumulet.db-wal",
    "cumulet.db-shm",
    "cumulet.pid",
    "backup.pid",
    "state.json",
    "control.sock",
    "backups",
    "first-start",
    "discarded",
    "vms",
    "ledger",
    "cumulet.stderr",
];

/// How often everything is put together anew because volumes have changed meanwhile.
const TRIES: u32 = 5;

pub async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let told = args.cloud.0.resolve()?;
    let data = &told.data;
    ensure!(data.database().exists(), "there is no cloud in {}", data.path());
    ensure!(!args.file.exists(), "{} exists already: nothing was written", args.file);
    let stages = Stages::take(data, &told.settings)?;
    let stop = Stop::on_signal()?;
    let done = step("Writing the archive", write(data, &stages, &args.file, &stop)).await;
    stages.clear()?;
    let (files, bytes) = done?;
    say(&format!("{}: {files} files, {} MiB", args.file, bytes >> 20));
    Ok(())
}

/// Told to end: what has begun is taken back first.
#[derive(Debug, Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn on_signal() -> anyhow::Result<Self> {
        let stop = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let (mut signals, stop) = (signal(kind)?, stop.clone());
            tokio::spawn(async move {
                signals.recv().await;
                stop.0.store(true, Relaxed);
            });
        }
        Ok(stop)
    }

    fn look(&self) -> std::io::Result<()> {
        match self.0.load(Relaxed) {
            true => Err(std::io::Error::other("stopped: nothing was written")),
            false => Ok(()),
        }
    }
}

async fn write(
    data: &DataDir,
    stages: &Stages,
    file: &Utf8Path,
    stop: &Stop,
) -> anyhow::Result<(usize, u64)> {
    let mut tries = 0;
    while let Some(changed) = hold(data, stages).await? {
        stop.look()?;
        stages.clear()?;
        tries += 1;
        ensure!(tries < TRIES, "volume {changed} changes its server all the time: run this again later");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (whole, stores) = (stages.whole.clone(), stages.stores.clone());
    let (home, target, told) = (data.path().to_owned(), file.to_owned(), stop.clone());
    let packed = tokio::task::spawn_blocking(move || {
        let source = archive::Source { stage: &whole, data_dir: &home, stores: &stores };
        archive_of(&source, &target, told)
    })
    .await?;
    if packed.is_err() {
        // Rather than the file at which it was.
        stop.look()?;
    }
    let manifest = packed?;
    Ok((manifest.files.len(), std::fs::metadata(file)?.len()))
}

/// Everything that goes into the archive has a name in the stages. The answer is a volume that was attached, detached or
/// snapshotted meanwhile, so that its files and its rows do not belong together.
async fn hold(data: &DataDir, stages: &Stages) -> anyhow::Result<Option<String>> {
    let stage = &stages.whole;
    std::fs::create_dir(stage).with_context(|| format!("cannot make {stage}"))?;
    let held = disks::ask(data, stage).await?;
    // Before the rows: a layer that they tell of must not be merged and gone when it is its turn.
    disks::keep_layers(data, stage)?;
    let rows = stage.join("cumulet.db");
    let db = db::Db::open_file(&data.database()).await?;
    db.copy_to(&rows).await?;
    db.close().await;
    disks::keep_layers(data, stage)?;
    for entry in data.path().read_dir_utf8()? {
        let entry = entry?;
        let name = entry.file_name();
        let passing = name == stages::NAME
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
    disks::changed(&rows, &held, stage).await
}

/// It holds keys and passwords: for its owner's eyes only.
fn archive_of(
    source: &archive::Source<'_>,
    target: &Utf8Path,
    stop: Stop,
) -> anyhow::Result<archive::Manifest> {
    let part = Utf8PathBuf::from(format!("{target}.part"));
    let mut options = std::fs::OpenOptions::new();
    let out = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    let out = out.with_context(|| format!("cannot write {part}"))?;
    let mut buffered = BufWriter::with_capacity(1 << 20, Stoppable { out, stop });
    let packed = archive::pack(source, &mut buffered)
        .and_then(|manifest| buffered.flush().map(|()| manifest).map_err(Into::into))
        .and_then(|manifest| buffered.get_ref().out.sync_all().map(|()| manifest).map_err(Into::into));
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

/// A file that takes nothing more once it is told to stop.
struct Stoppable {
    out: File,
    stop: Stop,
}

impl Write for Stoppable {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stop.look()?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
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
