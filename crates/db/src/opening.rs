//! Opening the SQLite file, and why it cannot be opened.

use std::time::Duration;

use camino::Utf8Path;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Trouble, trouble};
use crate::{Error, Result, backup};

/// Prepared statements that a connection remembers.
const STATEMENTS: usize = 256;

/// What a commit outlives. Every one outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// A power loss of the machine: it is on the disk when it is done.
    Durable,
    /// For clouds that are for tests: the last ones may go with the machine, and none waits for the disk.
    Quick,
}

pub(crate) fn open(path: &Utf8Path, commits: Commits) -> rusqlite::Result<Connection> {
    // One connection is used by one thread at a time, so SQLite need not lock.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Readers never wait, and writers of this process take turns: this is for other processes.
    conn.busy_timeout(Duration::from_millis(250))?;
    let synchronous = match commits {
        Commits::Durable => "synchronous = FULL",
        Commits::Quick => "synchronous = NORMAL",
    };
    // WAL lets readers run beside the writer.
    for pragma in ["journal_mode = WAL", synchronous, "foreign_keys = ON", "cache_size = -4096"] {
        conn.execute_batch(&format!("PRAGMA {pragma}"))?;
    }
    Ok(conn)
}

/// The first connection to a file, which is looked through.
pub(crate) fn checked(path: &Utf8Path, commits: Commits) -> Result<Connection> {
    let look = || {
        let conn = open(path, commits)?;
        let mut check = conn.prepare("PRAGMA quick_check(1)")?;
        let told = check.query_map([], |row| row.get::<_, String>(0))?;
        let found = told.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().find(|line| line != "ok");
        drop(check);
        Ok((conn, found))
    };
    match look() {
        Ok((conn, None)) => Ok(conn),
        Ok((_, Some(detail))) => Err(damaged(path, &detail)),
        Err(e) => Err(refusal(path, e)),
    }
}

fn damaged(path: &Utf8Path, detail: &str) -> Error {
    // SQLite tells the place in lines of its own.
    let detail = detail.lines().last().unwrap_or_default().to_owned();
    Error::Damaged { path: path.to_owned(), detail, backup: backup::newest_backup(path) }
}

fn unusable(path: &Utf8Path, why: &str) -> Error {
    Error::Unusable { path: path.to_owned(), detail: why.into() }
}

/// Why the database cannot be used, in one sentence.
fn refusal(path: &Utf8Path, error: rusqlite::Error) -> Error {
    let detail = match &error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match trouble(&error) {
        Some(Trouble::Damaged) => damaged(path, &detail),
        Some(Trouble::Full) => unusable(path, "there is no space left on its disk"),
        Some(Trouble::ReadOnly) => unusable(path, "it cannot be written; is its disk mounted read-only?"),
        Some(Trouble::Io) => unusable(path, &detail),
        Some(Trouble::Busy) | None => Error::Sql(error),
    }
}
