//! The `events` table: outbox, watch and audit in one. Every mutation appends to it in its own transaction, and old ones
//! go by [`Db::compact_events`].

use std::time::Duration;

use crate::pool::Tx;
use crate::{Db, Result, sql};

/// `kind` is `<resource>.<verb>`, e.g. `server.create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    pub service: &'static str,
    pub kind: &'static str,
    pub resource_id: &'a str,
    pub project_id: &'a str,
    pub user_id: &'a str,
    pub request_id: &'a str,
}

impl<'a> Event<'a> {
    pub fn new(
        service: &'static str,
        kind: &'static str,
        resource_id: &'a str,
        project_id: &'a str,
        ctx: &'a base::Ctx,
    ) -> Self {
        Event { service, kind, resource_id, project_id, user_id: ctx.user_id(), request_id: &ctx.request_id }
    }
}

impl Tx {
    /// Appends an event; it becomes visible with the commit.
    pub async fn event(&mut self, event: Event<'_>) -> Result<()> {
        sql("INSERT INTO events (at, service, kind, resource_id, project_id, user_id, request_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(base::time::now())
        .bind(event.service)
        .bind(event.kind)
        .bind(event.resource_id)
        .bind(event.project_id)
        .bind(event.user_id)
        .bind(event.request_id)
        .run(self)
        .await?;
        self.has_events = true;
        Ok(())
    }
}

/// Which events stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// None: however old.
    pub age: Option<Duration>,
    /// The newest so many; None: all.
    pub count: Option<u32>,
}

/// Events that go in one transaction: requests that write wait that long at most.
const BATCH: i64 = 250;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(20);

impl Db {
    /// Takes away what `retention` does not keep, and says how many events that were. From the oldest on, so what stays
    /// has no gaps: events that the clock's jumps put out of order wait for those before them, or for the count.
    pub async fn compact_events(&self, retention: Retention, now: i64) -> Result<u64> {
        let age = retention.age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let before = age.map_or(i64::MIN, |age| now.saturating_sub(age));
        let mut gone = 0;
        loop {
            let Some(end) = self.end_of_old(retention.count, before).await? else { return Ok(gone) };
            let done: Result<u64> = crate::write!(self, |tx| {
                sql("DELETE FROM events WHERE revision < $1").bind(end).run(tx).await
            });
            gone += done?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The revision before which the next events go; None: no more do.
    async fn end_of_old(&self, count: Option<u32>, before: i64) -> Result<Option<i64>> {
        let mut conn = self.read().await?;
        // One each: both in one statement would read the whole table.
        let first = sql("SELECT COALESCE((SELECT MIN(revision) FROM events), 0)").number(&mut conn).await?;
        let last = sql("SELECT COALESCE((SELECT MAX(revision) FROM events), 0)").number(&mut conn).await?;
        if last == 0 {
            return Ok(None);
        }
        let after = last.saturating_add(1);
        // Revisions are given out one by one; where a few are missing, a few less are kept.
        let of_count = count.map_or(first, |count| after.saturating_sub(count.into()));
        let batch = first.saturating_add(BATCH).min(after);
        let young = "SELECT COALESCE(MIN(revision), $1) FROM events \
             WHERE revision >= $2 AND revision < $1 AND at >= $3";
        let of_age = sql(young).bind(batch).bind(first).bind(before).number(&mut conn).await?;
        let end = of_count.max(of_age).min(batch);
        Ok(Some(end).filter(|end| *end > first))
    }
}
