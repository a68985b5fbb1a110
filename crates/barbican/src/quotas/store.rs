use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql};

use super::Quotas;
use crate::refs::Slice;

pub async fn find(conn: &mut AnyConnection, project: &str) -> Result<Option<Quotas>> {
    Ok(sql("SELECT secrets, orders, containers, consumers, cas FROM secret_quota WHERE project_id = $1")
        .bind(project)
        .optional(conn)
        .await?)
}

pub struct Listed {
    pub project_id: String,
    pub quotas: Quotas,
}

impl FromRow for Listed {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Listed { project_id: row.text("project_id")?, quotas: Quotas::from_row(row)? })
    }
}

/// A page and how many there are.
pub async fn list(conn: &mut AnyConnection, slice: Slice) -> Result<(Vec<Listed>, i64)> {
    let total = sql("SELECT COUNT(*) FROM secret_quota").number(conn).await?;
    let page = sql("SELECT project_id, secrets, orders, containers, consumers, cas FROM secret_quota \
         ORDER BY created_at, project_id LIMIT $1 OFFSET $2")
    .bind(slice.limit)
    .bind(slice.offset)
    .rows(conn)
    .await?;
    Ok((page, total))
}

pub async fn put(tx: &mut Tx, ctx: &Ctx, project: &str, quotas: &Quotas) -> Result<()> {
    let known = sql("SELECT COALESCE(MIN(created_at), 0) FROM secret_quota WHERE project_id = $1")
        .bind(project)
        .number(tx)
        .await?;
    let created_at = if known == 0 { base::time::now() } else { known };
    remove(tx, project).await?;
    let [secrets, orders, containers, consumers, cas] = quotas.0;
    sql("INSERT INTO secret_quota (project_id, secrets, orders, containers, consumers, cas, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(project)
    .bind(secrets)
    .bind(orders)
    .bind(containers)
    .bind(consumers)
    .bind(cas)
    .bind(created_at)
    .run(tx)
    .await?;
    tx.event(Event::new("key-manager", "quota.update", project, project, ctx)).await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, project: &str) -> Result<bool> {
    Ok(sql("DELETE FROM secret_quota WHERE project_id = $1").bind(project).run(tx).await? > 0)
}

/// Refuses one more when the project has as many as it may. `what`: the operation in Barbican's words.
pub async fn check(tx: &mut Tx, project: &str, resource: &'static str, what: &str) -> Result<()> {
    let Some(limit) = find(tx, project).await?.and_then(|quotas| quotas.of(resource)) else {
        return Ok(());
    };
    let count = match resource {
        // One that has expired is as if it were not there.
        "secrets" => {
            "SELECT COUNT(*) FROM secret WHERE project_id = $1 AND (expiration IS NULL OR expiration > $2)"
        }
        "containers" => "SELECT COUNT(*) FROM secret_container WHERE project_id = $1",
        "orders" => "SELECT COUNT(*) FROM secret_order WHERE project_id = $1",
        _ => "SELECT COUNT(*) FROM secret_consumer WHERE project_id = $1",
    };
    let mut count = sql(count).bind(project);
    if resource == "secrets" {
        count = count.bind(base::time::now());
    }
    if limit < 0 || count.number(tx).await? < limit {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "{what} issue seen - Creation not allowed because a quota has been reached."
    )))
}
