//! The `events` table: outbox, watch and audit in one. Every mutation appends to it in its own transaction.

use crate::pool::Tx;
use crate::{Result, sql};

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
