//! Database errors, and how services see them.

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database refused a statement")]
    Sql(#[from] sqlx::Error),
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
}

/// True for lock conflicts: the transaction may be run again as it is.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    match error {
        // SQLite: 5 BUSY, 6 LOCKED and their extended codes; PostgreSQL: serialization failure, deadlock.
        sqlx::Error::Database(e) => match e.code().as_deref() {
            Some("40001" | "40P01") => true,
            Some(code) => code.parse::<u32>().is_ok_and(|n| matches!(n & 0xff, 5 | 6)),
            None => false,
        },
        _ => false,
    }
}

/// A row that must be unique was there already. Services turn it into their own 409.
pub fn is_unique(error: &Error) -> bool {
    matches!(error, Error::Sql(sqlx::Error::Database(e)) if e.is_unique_violation())
}

impl From<Error> for base::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Sql(e) if is_busy(e) => {
                base::Error::unavailable("The database is busy; try again.").because(error)
            }
            _ => base::Error::internal(error),
        }
    }
}
