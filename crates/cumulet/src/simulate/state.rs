//! The files of a state to return to: a copy of the database, and the images and machines beside it.
//!
//! ```text
//! cumulet.db  images/  fake-vms/        the present
//! first-start/{cumulet.db, images/, fake-vms/}
//! discarded/                               what a reset did away with, until it is removed
//! ```
//!
//! Image stores outside of the data directory have a `first-start` of their own, on their own disks.

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};
use db::Db;

use crate::config::{Config, DataDir};
use crate::stores;

const DATABASE: &str = "cumulet.db";
const DIRECTORIES: [&str; 2] = ["images", "fake-vms"];

fn kept(data: &DataDir) -> Utf8PathBuf {
    data.path().join("first-start")
}

pub fn is_kept(data: &DataDir) -> bool {
    kept(data).exists()
}

/// Keeps the present state in place of what was kept before.
pub async fn keep(db: &Db, config: &Config) -> anyhow::Result<()> {
    let data = &config.data;
    let (kept, part) = (kept(data), data.path().join("first-start.part"));
    remove(&part)?;
    std::fs::create_dir(&part).with_context(|| format!("cannot make {part}"))?;
    db.copy_to(&part.join(DATABASE)).await?;
    for name in DIRECTORIES {
        copy(&data.path().join(name), &part.join(name))?;
    }
    for (_, dir) in &config.image_stores {
        let kept = dir.join(stores::FIRST_START);
        stores::drop_kept(&kept)?;
        stores::keep(dir, &kept)?;
    }
    remove(&kept)?;
    std::fs::rename(&part, &kept).with_context(|| format!("cannot make {kept}"))
}

/// The kept state becomes the present. Nobody may use the files meanwhile. Those of before are set aside in the directory
/// that is returned, for the caller to [`remove`]: thousands of machines' files take longer than all the rest.
pub fn put_back(config: &Config) -> anyhow::Result<Utf8PathBuf> {
    let data = &config.data;
    let kept = kept(data);
    for (_, dir) in &config.image_stores {
        stores::put_back(&dir.join(stores::FIRST_START), dir)?;
    }
    // One each: the next reset does not wait until this one's are removed.
    let aside = discarded(data).join(base::id::hex());
    std::fs::create_dir_all(&aside).with_context(|| format!("cannot make {aside}"))?;
    let database = ["-wal", "-shm", ""].map(|end| format!("{DATABASE}{end}"));
    for name in database.iter().map(String::as_str).chain(DIRECTORIES) {
        let (from, to) = (data.path().join(name), aside.join(name));
        match std::fs::rename(&from, &to) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot move {from} to {to}"));
            }
            _ => {}
        }
    }
    let (from, to) = (kept.join(DATABASE), data.database());
    std::fs::copy(&from, &to).with_context(|| format!("cannot copy {from} to {to}"))?;
    for name in DIRECTORIES {
        copy(&kept.join(name), &data.path().join(name))?;
    }
    Ok(aside)
}

/// What resets set aside that were cut off.
pub fn drop_discarded(data: &DataDir) -> anyhow::Result<()> {
    remove(&discarded(data))
}

fn discarded(data: &DataDir) -> Utf8PathBuf {
    data.path().join("discarded")
}

pub fn remove(path: &Utf8Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {path}"))
        }
        _ => Ok(()),
    }
}

/// An image's file never changes, so a second name for it is a copy; a machine's is replaced as a whole.
fn copy(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {to}"))?;
    let mode = std::fs::metadata(from)?.permissions();
    std::fs::set_permissions(to, mode)?;
    for entry in from.read_dir_utf8().with_context(|| format!("cannot read {from}"))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(entry.path(), &to)?;
        } else {
            std::fs::hard_link(entry.path(), &to).with_context(|| format!("cannot make {to}"))?;
        }
    }
    Ok(())
}
