//! What other processes over the same database change: revocations, roles, users, the catalog.
//!
//! Every change counts a row of the database up. Whoever serves requests looks at it now and then, and forgets all that it
//! holds when somebody else has counted.

use std::sync::atomic::{AtomicI64, Ordering};

use base::Error;
use db::{AnyConnection, sql};

use crate::Keystone;

/// For so long another process's change may go unseen, in microseconds: one query a second costs nothing.
const LAG_MICROS: i64 = 1_000_000;

#[derive(Default)]
pub struct Epoch {
    looked_at: AtomicI64,
    seen: AtomicI64,
}

impl Epoch {
    /// Counts a change of this process; within its transaction.
    pub async fn advance(conn: &mut AnyConnection) -> db::Result<i64> {
        sql("UPDATE identity_epoch SET number = number + 1 RETURNING number").number(conn).await
    }

    /// This process knows of its own change, unless another came between.
    pub fn made(&self, number: i64) {
        let _ = self.seen.compare_exchange(number - 1, number, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Keystone {
    /// Takes notice of other processes' changes. Costs a comparison, but for one caller a second.
    pub(crate) async fn keep_up(&self, now: i64) -> Result<(), Error> {
        let last = self.epoch.looked_at.load(Ordering::Relaxed);
        // The clock may have been set back.
        if now.abs_diff(last) < LAG_MICROS.unsigned_abs()
            || self.epoch.looked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Ok(());
        }
        self.token_keys.keep_up()?;
        let mut conn = self.db.read().await?;
        let number = sql("SELECT number FROM identity_epoch").number(&mut conn).await?;
        if self.epoch.seen.swap(number, Ordering::SeqCst) != number {
            drop(self.move_on());
        }
        Ok(())
    }
}
