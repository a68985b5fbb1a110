//! Database errors, and how services see them.

use camino::Utf8PathBuf;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database refused a statement")]
    Sql(#[from] rusqlite::Error),
    #[error("the database is closed")]
    Closed,
    #[error("column {column} does not hold the JSON it should")]
    Json {
        column: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("migration {name} failed: {message}")]
    Migration { name: String, message: String },
    #[error("the database was made by a newer version (it has migration {name}); run that version")]
    Newer { name: String },
    #[error("the database {path} is damaged ({detail}): {}", remedy(.backup.as_ref()))]
    Damaged { path: Utf8PathBuf, detail: String, backup: Option<Utf8PathBuf> },
    #[error("cannot use the database {path}: {detail}")]
    Unusable { path: Utf8PathBuf, detail: String },
    #[error("cannot copy the database to {path}")]
    Backup {
        path: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn remedy(backup: Option<&Utf8PathBuf>) -> String {
    match backup {
        Some(path) => format!("its newest backup comes back with `cumulet restore {path}`"),
        None => {
            "there is no backup of it beside it; an archive of yours comes back with `cumulet restore FILE` \
                 into another --data-dir"
                .into()
        }
    }
}

/// What SQLite's result code means for whoever runs the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A lock conflict: the transaction may be run again as it is.
    Busy,
    Full,
    ReadOnly,
    /// The file, or the disk under it, does not do as it is told.
    Io,
    Damaged,
}

pub(crate) fn trouble(error: &rusqlite::Error) -> Option<Trouble> {
    match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Trouble::Busy),
        ErrorCode::ReadOnly => Some(Trouble::ReadOnly),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Some(Trouble::Io),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Trouble::Damaged),
        ErrorCode::DiskFull => Some(Trouble::Full),
        _ => None,
    }
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    trouble(error) == Some(Trouble::Busy)
}

/// A row that must be unique was there already. Services turn it into their own 409.
pub fn is_unique(error: &Error) -> bool {
    let Error::Sql(rusqlite::Error::SqliteFailure(failure, _)) = error else { return false };
    matches!(failure.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY)
}

impl From<Error> for base::Error {
    fn from(error: Error) -> Self {
        let told = match &error {
            Error::Closed => "The cloud is being reset or shut down; try again later.",
            Error::Sql(e) => match trouble(e) {
                Some(Trouble::Busy) => "The database is busy; try again.",
                Some(Trouble::Full) => {
                    "There is no space left on the disk of this cloud; try again when there is some."
                }
                Some(Trouble::ReadOnly) => {
                    "The data directory of this cloud cannot be written at present; try again later."
                }
                Some(Trouble::Io) => "The disk of this cloud fails at present; try again later.",
                Some(Trouble::Damaged) | None => return base::Error::internal(error),
            },
            _ => return base::Error::internal(error),
        };
        base::Error::unavailable(told).because(error)
    }
}
