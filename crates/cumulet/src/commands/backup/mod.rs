//! `cumulet backup FILE`: the whole cloud in one file, whether it runs or not.

pub mod disks;

use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use anyhow::{Context, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

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

/// How often everything is put together anew because volumes have changed meanwhile.
const TRIES: u32 = 5;

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
    let mut tries = 0;
    while let Some(changed) = hold(data, stages).await? {
        stages.clear()?;
        tries += 1;
        ensure!(tries < TRIES, "volume {changed} changes its server all the time: run this again later");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (whole, stores) = (stages.whole.clone(), stages.stores.clone());
    let (home, target) = (data.path().to_owned(), file.to_owned());
    let manifest = tokio::task::spawn_blocking(move || {
        let source = archive::Source { stage: &whole, data_dir: &home, stores: &stores };
        archive_of(&source, &target)
    })
    .await??;
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
    disks::changed(&rows, &held, stage).await
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

fn clear(stage: &Utf8Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(stage) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {stage}"))
        }
        _ => Ok(()),
    }
}
