//! The pool, reading and writing.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;

use crate::error::is_busy;
use crate::opening::{self, Commits};
use crate::reads::{Reads, Recording, Tables};
use crate::{Error, Result, sql};

/// How often a busy transaction is run again before the caller is told.
const ATTEMPTS: u32 = 8;
/// Connections at most. A request holds one only while it reads.
const CONNECTIONS: u32 = 16;
/// Connections that stay open when nobody uses them. Each has its pages and statements in some megabytes of memory.
const KEPT: usize = 4;

/// Cheap to clone through `Arc`; one for the whole process.
pub struct Db {
    pool: Arc<Pool>,
    /// SQLite has one writer. Queueing here is fair and costs nothing; queueing in SQLite is polling.
    writer: Arc<Turns<()>>,
    commits: watch::Sender<u64>,
    generation: Arc<AtomicU64>,
}

struct Pool {
    path: Utf8PathBuf,
    commits: Commits,
    tables: Arc<Tables>,
    /// The last one that came back goes first, so that few are warm.
    idle: Mutex<Vec<AnyConnection>>,
    slots: Arc<Semaphore>,
    closed: AtomicBool,
}

/// A connection of the database, whichever it is; statements take it.
pub struct AnyConnection {
    pub(crate) sqlite: Connection,
    tables: Arc<Tables>,
    /// Tables that the transaction may have changed.
    touched: Arc<Mutex<BTreeSet<String>>>,
    recording: Option<Recording>,
}

impl AnyConnection {
    fn new(mut sqlite: Connection, tables: Arc<Tables>) -> Result<Self> {
        let touched: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let hooked = Arc::clone(&touched);
        // Rows that go with others (ON DELETE CASCADE) are in no statement's text.
        sqlite.update_hook(Some(move |_, _: &str, table: &str, _| {
            let mut touched = hooked.lock().unwrap_or_else(PoisonError::into_inner);
            if !touched.contains(table) {
                touched.insert(table.to_ascii_lowercase());
            }
        }))?;
        Ok(Self { sqlite, tables, touched, recording: None })
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a statement is run.
    pub(crate) fn note(&mut self, text: &str) {
        if let Some(recording) = &mut self.recording {
            self.tables.named_in(text, |name, last| {
                recording.tables.insert(name.to_owned(), Arc::clone(last));
            });
        }
        if !text.trim_start().starts_with("SELECT") {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            self.tables.named_in(text, |name, _| {
                touched.insert(name.to_owned());
            });
        }
    }
}

/// A connection for reading.
pub struct Conn {
    /// None only while it is given back.
    inner: Option<AnyConnection>,
    pool: Arc<Pool>,
    _slot: OwnedSemaphorePermit,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<AnyConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(self: &Arc<Self>) -> Result<Conn> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle().pop();
        let inner = match idle {
            Some(inner) => inner,
            None => AnyConnection::new(opening::open(&self.path, self.commits)?, Arc::clone(&self.tables))?,
        };
        Ok(Conn { inner: Some(inner), pool: self.clone(), _slot: slot })
    }
}

impl Conn {
    /// What has been read since [`Db::read_recorded`] gave it.
    pub fn reads(&mut self) -> Reads {
        self.recording.take().unwrap_or_default().into()
    }
}

impl Deref for Conn {
    type Target = AnyConnection;
    #[allow(clippy::expect_used)]
    fn deref(&self) -> &AnyConnection {
        self.inner.as_ref().expect("taken by drop only")
    }
}

impl DerefMut for Conn {
    #[allow(clippy::expect_used)]
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.inner.as_mut().expect("taken by drop only")
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if let Some(mut inner) = self.inner.take()
            && !self.pool.closed.load(Ordering::SeqCst)
        {
            inner.recording = None;
            let mut idle = self.pool.idle();
            if idle.len() < KEPT {
                idle.push(inner);
            }
        }
    }
}

/// A transaction that writes.
pub struct Tx {
    conn: Conn,
    pub(crate) has_events: bool,
    _turn: OwnedMutexGuard<()>,
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.conn.sqlite.is_autocommit()
            && let Err(error) = self.conn.sqlite.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction could not be undone");
        }
    }
}

impl Db {
    /// Opens or makes the SQLite file. A damaged one is refused: going on with half of the rows would lose the rest.
    pub async fn open_file(path: &Utf8Path) -> Result<Db> {
        Self::open(path, Commits::Durable).await
    }

    pub async fn open(path: &Utf8Path, commits: Commits) -> Result<Db> {
        let file = path.to_owned();
        let first = spawn_blocking(move || opening::checked(&file, commits)).await;
        let first = first.map_err(|_| Error::Closed)??;
        let tables: Arc<Tables> = Arc::default();
        let first = AnyConnection::new(first, Arc::clone(&tables))?;
        let pool = Pool {
            path: path.to_owned(),
            commits,
            tables,
            idle: Mutex::new(vec![first]),
            slots: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            closed: AtomicBool::new(false),
        };
        Ok(Db {
            pool: Arc::new(pool),
            writer: Arc::default(),
            commits: watch::Sender::new(0),
            generation: Arc::default(),
        })
    }

    pub fn path(&self) -> &Utf8Path {
        &self.pool.path
    }

    /// A connection for reading; give it back soon.
    pub async fn read(&self) -> Result<Conn> {
        self.pool.take().await
    }

    /// As [`read`](Self::read); which tables are read over it is noted, for [`Conn::reads`].
    pub async fn read_recorded(&self) -> Result<Conn> {
        let since = self.generation();
        let mut conn = self.read().await?;
        conn.recording = Some(Recording { since, ..Recording::default() });
        Ok(conn)
    }

    /// Looks which tables there are now.
    pub(crate) async fn know_tables(&self) -> Result<()> {
        let names = sql("SELECT name FROM sqlite_master WHERE type = 'table'");
        self.pool.tables.know(names.rows(&mut *self.read().await?).await?);
        Ok(())
    }

    /// Another number after every transaction that may have changed a row, before its writer goes on: what was read
    /// after a look at it is still true while it is the same.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Begins a transaction that writes; [`write!`](crate::write) is how services do it.
    pub async fn begin(&self) -> Result<Tx> {
        let turn = self.writer.clone().lock_owned().await;
        let conn = self.pool.take().await?;
        let mut attempt = 0;
        // Another process may write (a verb of the command line).
        while let Err(error) = conn.sqlite.execute_batch("BEGIN IMMEDIATE") {
            attempt += 1;
            if attempt == ATTEMPTS || !is_busy(&error) {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
        }
        conn.touched().clear();
        Ok(Tx { conn, has_events: false, _turn: turn })
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
                    Err(e) => Err(E::from(e)),
                }
            }
            Err(e) => {
                drop(tx);
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

    /// Waits for the disk, so on a thread where that hurts nobody. It goes on when the caller is dropped (a client that
    /// hung up) and counts there: what has been read before must not pass for true after it.
    async fn commit(&self, tx: Tx) -> Result<()> {
        let generation = self.generation.clone();
        let committed = spawn_blocking(move || {
            let touched = std::mem::take(&mut *tx.conn.touched());
            let committed = tx.conn.sqlite.execute_batch("COMMIT");
            let commit = generation.fetch_add(1, Ordering::SeqCst) + 1;
            tx.conn.tables.changed(&touched, commit);
            committed
        });
        Ok(committed.await.map_err(|_| Error::Closed)??)
    }

    /// Changes with every commit that appended events.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Waits for running statements and closes the files.
    pub async fn close(&self) {
        let idle = self.last_idle().await;
        // The last one to go folds the log of writes into the file.
        if let Err(error) = spawn_blocking(move || drop(idle)).await {
            tracing::warn!(%error, "closing the database");
        }
    }

    /// As [`close`](Self::close), of a database that nobody will open again.
    pub async fn abandon(&self) {
        let idle = self.last_idle().await;
        let drop = move || {
            for connection in &idle {
                // Whoever refuses folds its log into the file, which costs time and nothing else.
                let _ = connection.sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            }
        };
        if let Err(error) = spawn_blocking(drop).await {
            tracing::warn!(%error, "closing the database");
        }
    }

    /// The connections, when nobody uses one any more; nobody gets one again.
    async fn last_idle(&self) -> Vec<AnyConnection> {
        self.pool.closed.store(true, Ordering::SeqCst);
        if let Ok(all) = self.pool.slots.acquire_many(CONNECTIONS).await {
            all.forget();
        }
        self.pool.slots.close();
        std::mem::take(&mut *self.pool.idle())
    }
}

/// Looks through a service's error for a lock conflict of ours.
fn busy<E: std::error::Error + 'static>(error: &E) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = next {
        if let Some(sql) = e.downcast_ref::<rusqlite::Error>() {
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
