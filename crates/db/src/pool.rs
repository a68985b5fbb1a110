//! The pool, reading and writing.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use sqlx::any::{Any, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{AnyConnection, Connection as _, Row as _};
use sqlx::{AnyPool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::error::{Trouble, is_busy, trouble};
use crate::{Error, Result, backup};

/// How often a busy transaction is run again before the caller is told.
const ATTEMPTS: u32 = 8;

/// Cheap to clone through `Arc`; one for the whole process.
pub struct Db {
    pool: AnyPool,
    path: Utf8PathBuf,
    /// SQLite has one writer. Queueing here is fair and costs nothing; queueing in SQLite is polling.
    writer: Arc<Mutex<()>>,
    commits: watch::Sender<u64>,
    generation: Arc<AtomicU64>,
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
    _turn: OwnedMutexGuard<()>,
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
    /// Opens or makes the SQLite file. A damaged one is refused: going on with half of the rows would lose the rest.
    pub async fn open_file(path: &Utf8Path) -> Result<Db> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let url = format!("sqlite://{path}?mode=rwc");
        // One connection looks first: a pool would try again for half a minute what cannot succeed.
        match look(&url).await {
            Ok(None) => {}
            Ok(Some(detail)) => return Err(damaged(path, &detail)),
            Err(e) => return Err(refusal(path, e)),
        }
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .min_connections(1)
            .after_connect(|conn, _| Box::pin(set_up(conn)))
            .connect(&url)
            .await?;
        Ok(Db {
            pool,
            path: path.to_owned(),
            writer: Arc::default(),
            commits: watch::Sender::new(0),
            generation: Arc::default(),
        })
    }

    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// A connection for reading; give it back soon.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn(self.pool.acquire().await?))
    }

    /// Another number after every transaction that may have changed a row, before its writer goes on: what was read
    /// after a look at it is still true while it is the same.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Begins a transaction that writes; [`write!`](crate::write) is how services do it.
    pub async fn begin(&self) -> Result<Tx> {
        let turn = self.writer.clone().lock_owned().await;
        let inner = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { inner, has_events: false, _turn: turn })
    }

    /// Commits what came out well, undoes what did not. None: the database was busy, run it again.
    #[doc(hidden)]
    pub async fn finish<T, E>(
        &self,
        tx: Tx,
        result: std::result::Result<T, E>,
        attempt: &mut u32,
    ) -> Option<std::result::Result<T, E>>
    where
        E: From<Error> + std::error::Error + 'static,
    {
        let done = match result {
            Ok(value) => {
                let has_events = tx.has_events;
                match self.commit(tx).await {
                    Ok(()) => {
                        if has_events {
                            self.commits.send_modify(|n| *n += 1);
                        }
                        Ok(value)
                    }
                    Err(e) => Err(E::from(Error::Sql(e))),
                }
            }
            Err(e) => {
                // Rolled back here and not by drop, so that the next writer does not wait for it.
                let _ = tx.inner.rollback().await;
                Err(e)
            }
        };
        *attempt += 1;
        match done {
            Err(e) if *attempt < ATTEMPTS && busy(&e) => {
                tracing::debug!(attempt, "transaction was busy, running it again");
                tokio::time::sleep(Duration::from_millis(5 << *attempt)).await;
                None
            }
            done => Some(done),
        }
    }

    /// A commit under way goes on when the caller is dropped (a client that hung up), so it is counted in a task of
    /// its own: what has been read before must not pass for true after it.
    async fn commit(&self, tx: Tx) -> std::result::Result<(), sqlx::Error> {
        let generation = self.generation.clone();
        let committed = tokio::spawn(async move {
            let Tx { inner, _turn, .. } = tx;
            let committed = inner.commit().await;
            generation.fetch_add(1, Ordering::SeqCst);
            committed
        });
        committed.await.unwrap_or_else(|e| Err(sqlx::Error::Io(std::io::Error::other(e))))
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

async fn set_up(conn: &mut AnyConnection) -> std::result::Result<(), sqlx::Error> {
    // WAL lets readers run beside the writer. NORMAL may lose the last commits on power loss of the machine, never on a
    // crash of the process; FULL keeps an accepted request through both.
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
}

/// Can it be written, and is it whole? What is wrong with the file, if anything is.
async fn look(url: &str) -> std::result::Result<Option<String>, sqlx::Error> {
    let mut conn = AnyConnection::connect(url).await?;
    set_up(&mut conn).await?;
    let rows = sqlx::query("PRAGMA quick_check(1)").fetch_all(&mut conn).await?;
    let told = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<Vec<String>, _>>()?;
    conn.close().await?;
    Ok(told.into_iter().find(|line| line != "ok"))
}

fn damaged(path: &Utf8Path, detail: &str) -> Error {
    // SQLite tells the place in lines of its own.
    let detail = detail.lines().last().unwrap_or_default().to_owned();
    Error::Damaged { path: path.to_owned(), detail, backup: backup::newest_backup(path) }
}

/// Why the database cannot be used, in one sentence.
fn refusal(path: &Utf8Path, error: sqlx::Error) -> Error {
    let detail = match &error {
        sqlx::Error::Database(e) => e.message().to_owned(),
        other => other.to_string(),
    };
    let unusable = |why: &str| Error::Unusable { path: path.to_owned(), detail: why.into() };
    match trouble(&error) {
        Some(Trouble::Damaged) => damaged(path, &detail),
        Some(Trouble::Full) => unusable("there is no space left on its disk"),
        Some(Trouble::ReadOnly) => unusable("it cannot be written; is its disk mounted read-only?"),
        Some(Trouble::Io) => unusable(&detail),
        Some(Trouble::Busy) | None => Error::Sql(error),
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

/// Runs a block in one transaction and commits it: `db::write!(self.db, |tx| { ..; Ok(value) })`.
///
/// `tx` is a `&mut Tx`; `?` and `return` leave the block, which undoes it. The block may run more than once, so it must
/// do nothing but SQL. It is a macro because an async closure's borrows cannot be proven `Send` for every lifetime,
/// which handlers need; a block's can.
#[macro_export]
macro_rules! write {
    ($db:expr, |$tx:ident| $body:expr) => {{
        let db: &$crate::Db = &$db;
        let mut attempt = 0u32;
        loop {
            let mut owned = match db.begin().await {
                Ok(owned) => owned,
                Err(e) => break Err(e.into()),
            };
            let result = {
                let $tx = &mut owned;
                async { $body }.await
            };
            if let Some(done) = db.finish(owned, result, &mut attempt).await {
                break done;
            }
        }
    }};
}
