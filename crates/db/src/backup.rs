//! Whole copies of the database: made while others read and write, kept beside it, and looked for when it is damaged.
//!
//! ```text
//! cumulet.db
//! backups/20261121T071002Z-before-nova-0010_work.db     before a migration
//! backups/20261122T030000Z-daily.db
//! ```

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Db, Error, Result};

/// Why a backup was made. Those of one kind go when newer ones of it come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'a> {
    /// Before the migration of this name.
    Migration(&'a str),
    Daily,
}

const DAILY: &str = "daily";

impl Why<'_> {
    fn name(self) -> String {
        match self {
            Why::Migration(name) => format!("before-{name}"),
            Why::Daily => DAILY.to_owned(),
        }
    }

    fn is_of(self, backup: &Utf8Path) -> bool {
        let daily = backup.file_stem().is_some_and(|name| name.ends_with(&format!("-{DAILY}")));
        daily == (self == Why::Daily)
    }
}

impl Db {
    /// Writes a consistent copy to a file that does not exist yet. Readers and writers go on meanwhile.
    pub async fn copy_to(&self, path: &Utf8Path) -> Result<()> {
        let failed = |source| Error::Backup { path: path.to_owned(), source };
        let part = Utf8PathBuf::from(format!("{path}.part"));
        match std::fs::remove_file(&part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        let (conn, to) = (self.read().await?, part.to_string());
        let copied = tokio::task::spawn_blocking(move || conn.sqlite.execute("VACUUM INTO ?1", [to]));
        if let Err(error) = copied.await.map_err(|e| failed(e.into()))?.map_err(Error::Sql) {
            // What there is of it helps nobody.
            let _ = std::fs::remove_file(&part);
            return Err(error);
        }
        // VACUUM INTO leaves it to us that the copy outlives a power loss.
        std::fs::File::open(&part)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&part, path))
            .map_err(failed)
    }

    /// Adds a backup beside the database and lets go all but the newest `kept` of its kind.
    pub async fn back_up(&self, why: Why<'_>, kept: usize) -> Result<Utf8PathBuf> {
        let dir = backups_of(self.path());
        let failed = |source| Error::Backup { path: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let name: String =
            why.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = dir.join(format!("{}-{name}.db", stamp()));
        if !path.exists() {
            self.copy_to(&path).await?;
        }
        // By a clock that was set back meanwhile this one may be older than others; it stays all the same.
        let others = list(self.path()).into_iter().filter(|old| *old != path && why.is_of(old)).rev();
        for old in others.skip(kept.saturating_sub(1)) {
            if let Err(error) = std::fs::remove_file(&old) {
                tracing::warn!(%old, %error, "an old backup stays");
            }
        }
        tracing::info!(%path, "the database was backed up");
        Ok(path)
    }
}

pub(crate) fn backups_of(database: &Utf8Path) -> Utf8PathBuf {
    database.parent().unwrap_or(Utf8Path::new(".")).join("backups")
}

/// Backups of this database, oldest first: their names begin with their time.
fn list(database: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(dir) = backups_of(database).read_dir_utf8() else { return Vec::new() };
    let mut all: Vec<_> =
        dir.flatten().map(|e| e.path().to_owned()).filter(|p| p.extension() == Some("db")).collect();
    all.sort();
    all
}

/// The daily backups beside this database, oldest first.
pub fn daily_backups(database: &Utf8Path) -> Vec<Utf8PathBuf> {
    list(database).into_iter().filter(|backup| Why::Daily.is_of(backup)).collect()
}

/// The newest backup beside this database.
pub fn newest_backup(database: &Utf8Path) -> Option<Utf8PathBuf> {
    list(database).pop()
}

/// `20261121T071002.123456Z`: sorts by time.
fn stamp() -> String {
    base::time::micros_z(base::time::now()).chars().filter(|c| !matches!(c, '-' | ':')).collect()
}
