//! The pool, reading and writing.

use std::ops::{Deref, DerefMut};
use std::sync::Once;
use std::time::Duration;

use camino::Utf8Path;
use sqlx::AnyConnection;
use sqlx::any::{Any, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{AnyPool, Transaction};
use tokio::sync::{Mutex, watch};

use crate::error::is_busy;
use crate::{Error, Result};

/// How often a busy transaction is run again before the caller is told.
const ATTEMPTS: u32 = 8;

/// Cheap to clone through `Arc`; one for the whole process.
pub struct Db {
    pool: AnyPool,
    /// SQLite has one writer. Queueing here is fair and costs nothing; queueing in SQLite is polling.
    writer: Mutex<()>,
    commits: watch::Sender<u64>,
}

/// A connection for reading.
pub struct Conn(PoolConnection<Any>);

impl Deref for Conn {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}

/// A transaction that writes.
pub struct Tx {
    inner: Transaction<'static, Any>,
    pub(crate) has_events: bool,
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

impl Db {
    /// Opens or makes the SQLite file.
    pub async fn open_file(path: &Utf8Path) -> Result<Db> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .min_connections(1)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    // WAL lets readers run beside the writer. NORMAL may lose the last commits on power loss of the
                    // machine, never on a crash of the process; FULL keeps an accepted request through both.
                    for pragma in [
                        "PRAGMA journal_mode = WAL",
                        "PRAGMA synchronous = FULL",
                        "PRAGMA foreign_keys = ON",
                        "PRAGMA busy_timeout = 5000",
                        "PRAGMA cache_size = -4096",
                    ] {
                        sqlx::query(pragma).execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .connect(&format!("sqlite://{path}?mode=rwc"))
            .await?;
        Ok(Db { pool, writer: Mutex::new(()), commits: watch::Sender::new(0) })
    }

    /// A connection for reading; give it back soon.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn(self.pool.acquire().await?))
    }

    /// Runs `work` in one transaction and commits it. `work` may run more than once: it must do nothing but SQL.
    pub async fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> std::result::Result<T, E>,
        E: From<Error> + std::error::Error + 'static,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.write_once(&work).await {
                Err(e) if attempt < ATTEMPTS && busy(&e) => {
                    tracing::debug!(attempt, "transaction was busy, running it again");
                    tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
                }
                done => return done,
            }
        }
    }

    async fn write_once<T, E, F>(&self, work: &F) -> std::result::Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> std::result::Result<T, E>,
        E: From<Error>,
    {
        let _turn = self.writer.lock().await;
        let inner = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(Error::Sql)?;
        let mut tx = Tx { inner, has_events: false };
        let value = work(&mut tx).await?;
        let has_events = tx.has_events;
        tx.inner.commit().await.map_err(Error::Sql)?;
        if has_events {
            self.commits.send_modify(|n| *n += 1);
        }
        Ok(value)
    }

    /// Changes with every commit that appended events.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Waits for running statements and closes the files.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Looks through a service's error for a lock conflict of ours.
fn busy<E: std::error::Error + 'static>(error: &E) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = next {
        if let Some(sql) = e.downcast_ref::<sqlx::Error>() {
            return is_busy(sql);
        }
        next = e.source();
    }
    false
}
