//! One pool for every service, one way to read and one to write.
//!
//! ```text
//! db.read()            a connection; committed data only
//! db::write!(db, |tx| ..)  one transaction: rows, quota and event together; run again if the database says "busy"
//! db.migrate(..)       a service's numbered SQL files, once each
//! db.back_up(why)      a whole copy beside it; also before each migration
//! db.generation()      another number after every commit: what was read before may be old
//! db.read_recorded()   a connection that notes which tables are read; `reads()` tells whether they have changed since
//! db.compact_events(..) takes old events away, a few at a time
//! db.changed()         wakes on every commit that appended events
//! db::sql("..").bind(x)  .run(&mut tx) .rows::<T>(&mut conn) .optional::<T>(..) .number(..)
//! ```
//!
//! SQL is one text for SQLite and PostgreSQL: `$1` placeholders, columns TEXT, BIGINT, DOUBLE PRECISION or BLOB,
//! booleans as BIGINT 0/1, instants as microseconds, lists and maps as JSON text. Timestamps come from `base::time`.

mod backup;
mod error;
mod event;
mod migrate;
mod opening;
mod pool;
mod reads;
mod sql;

pub use backup::{Why, daily_backups, newest_backup};
pub use error::{Error, Result, is_unique};
pub use event::{Event, Retention};
pub use migrate::Migration;
pub use opening::Commits;
pub use pool::{AnyConnection, Conn, Db, Tx};
pub use reads::Reads;
pub use sql::{FromRow, Row, Sql, Value, json_text, sql, sql_built};
