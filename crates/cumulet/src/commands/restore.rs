//! `cumulet restore FILE`: a cloud from its archive into an empty data directory, or a database from its backup.

use std::io::Read;
use std::os::unix::fs::DirBuilderExt;

use anyhow::{Context, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use host::daemon::PidLock;

use crate::archive;
use crate::commands::up::ENDS_WITHIN;
use crate::config::{CloudArgs, DataDir, Identity};
use crate::steps::{say, step};
use crate::stores;

#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// What `cumulet backup` wrote; or one of DIR/backups/*.db, which replaces the database alone
    file: Utf8PathBuf,
}

pub async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    let data = args.cloud.resolve()?;
    if is_database(&args.file)? {
        return database(&data, &args.file).await;
    }
    let empty = !data.path().exists() || data.path().read_dir_utf8()?.next().is_none();
    ensure!(
        empty,
        "{} is not empty: nothing was changed. Pass another --data-dir, or remove the cloud there with `cumulet destroy --yes`",
        data.path()
    );
    let manifest = step("Restoring the cloud", whole(&data, &args.file)).await?;
    for (id, dir) in &manifest.stores {
        say(&format!(
            "The image store {id}, once in {dir}, is in {}",
            data.path().join(archive::STORES).join(id)
        ));
    }
    say(&format!("`cumulet up --data-dir {}` starts it; machines that ran will run again", data.path()));
    Ok(())
}

fn is_database(path: &Utf8Path) -> anyhow::Result<bool> {
    let mut begin = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {path}"))?;
    file.take(16).read_to_end(&mut begin).with_context(|| format!("cannot read {path}"))?;
    Ok(begin == b"SQLite format 3\0")
}

async fn whole(data: &DataDir, file: &Utf8Path) -> anyhow::Result<archive::Manifest> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(data.path())
        .with_context(|| format!("cannot make the data directory {}", data.path()))?;
    let (archive, into) = (file.to_owned(), data.path().to_owned());
    let unpacked = tokio::task::spawn_blocking(move || {
        let archive = std::fs::File::open(&archive).with_context(|| format!("cannot read {archive}"))?;
        archive::unpack(std::io::BufReader::with_capacity(1 << 20, archive), &into)
    })
    .await?;
    let done = match unpacked {
        Ok(manifest) => settle(data, &manifest).await.map(|()| manifest),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Half a cloud must not be taken for one.
        for entry in data.path().read_dir_utf8()?.flatten() {
            let path = entry.path();
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
    done.with_context(|| format!("cannot restore {file}"))
}

/// Rows that name files of the old directories name the new ones; machines that ran will run again. Image stores that lay
/// elsewhere are in the data directory now: where they were another cloud may have them.
async fn settle(data: &DataDir, manifest: &archive::Manifest) -> anyhow::Result<()> {
    let inside = data.path().join(archive::STORES);
    let moved = manifest.stores.iter().map(|(id, dir)| (dir.as_str(), inside.join(id)));
    let moved: Vec<_> = moved.chain([(manifest.data_dir.as_str(), data.path().to_owned())]).collect();
    let db = db::Db::open_file(&data.database()).await?;
    let mut settled = Ok(());
    for (from, to) in &moved {
        if settled.is_ok() {
            settled = nova::moved(&db, from, to.as_str()).await;
        }
    }
    db.close().await;
    settled?;
    if manifest.stores.is_empty() {
        return Ok(());
    }
    let stores: Vec<_> = manifest.stores.iter().map(|(id, _)| (id.clone(), inside.join(id))).collect();
    Identity::change(data, |identity| {
        identity.settings.insert("image-stores".into(), stores::text(&stores));
    })?;
    Ok(())
}

/// The damaged one stays beside it: it may hold what the backup does not.
async fn database(data: &DataDir, backup: &Utf8Path) -> anyhow::Result<()> {
    let holder = PidLock::lasting_holder(&data.lock(), ENDS_WITHIN).await?;
    ensure!(holder.is_none(), "the cloud runs: stop it with `cumulet down` first");
    let database = data.database();
    let checked = db::Db::open_file(backup).await.context("the backup cannot be used")?;
    checked.close().await;
    let part = Utf8PathBuf::from(format!("{database}.part"));
    std::fs::copy(backup, &part).with_context(|| format!("cannot copy {backup}"))?;
    let aside = format!("damaged-{}", base::time::now() / 1_000_000);
    for end in ["", "-wal", "-shm"] {
        let old = format!("{database}{end}");
        match std::fs::rename(&old, format!("{database}.{aside}{end}")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).context(format!("cannot move {old}"));
            }
            _ => {}
        }
    }
    std::fs::rename(&part, &database).with_context(|| format!("cannot write {database}"))?;
    say(&format!("The database is that of {backup}; the one before is {database}.{aside}"));
    Ok(())
}
