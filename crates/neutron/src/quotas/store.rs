use std::collections::BTreeMap;

use base::Result;
use db::{AnyConnection, FromRow, Row, Tx, sql};

use super::RESOURCES;
use crate::fault;
use crate::rows::Where;

/// The project of the operator's defaults.
pub const EVERYBODY: &str = "";

struct Amount {
    project: String,
    resource: String,
    amount: i64,
}

impl FromRow for Amount {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Amount {
            project: row.text("project_id")?,
            resource: row.text("resource")?,
            amount: row.int("amount")?,
        })
    }
}

/// Refuses `adding` more of a resource when the project would have too many.
pub async fn check(tx: &mut Tx, project_id: &str, resource: &'static str, adding: i64) -> Result<()> {
    let Some((_, table, default)) = RESOURCES.iter().find(|(r, ..)| *r == resource) else { return Ok(()) };
    // What the cloud makes for itself belongs to nobody and counts nowhere.
    if project_id.is_empty() {
        return Ok(());
    }
    // The project's own comes first.
    let set: Option<Amount> = sql("SELECT project_id, resource, amount FROM network_quota \
         WHERE project_id IN ($1, $2) AND resource = $3 ORDER BY project_id DESC LIMIT 1")
    .bind(project_id)
    .bind(EVERYBODY)
    .bind(resource)
    .optional(tx)
    .await?;
    let limit = set.map_or(*default, |a| a.amount);
    if limit >= 0 && used(tx, table, project_id).await? + adding > limit {
        return Err(fault::over_quota(resource));
    }
    Ok(())
}

pub async fn used(conn: &mut AnyConnection, table: &str, project_id: &str) -> Result<i64> {
    let count = Where::of("project_id", project_id).statement(&format!("SELECT COUNT(*) FROM {table}"), "");
    Ok(count.number(conn).await?)
}

/// Project id -> resource -> limit, of the limits that were set; the operator's defaults among them.
pub async fn set_limits(
    conn: &mut AnyConnection,
    project_id: Option<&str>,
) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
    let mut conditions = Where::default();
    if let Some(project_id) = project_id {
        conditions.among("project_id", vec![project_id.into(), EVERYBODY.into()]);
    }
    let rows: Vec<Amount> =
        conditions.statement("SELECT project_id, resource, amount FROM network_quota", "").rows(conn).await?;
    let mut map: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for row in rows {
        map.entry(row.project).or_default().insert(row.resource, row.amount);
    }
    Ok(map)
}

pub async fn set(tx: &mut Tx, project_id: &str, resource: &str, amount: i64) -> Result<()> {
    sql("INSERT INTO network_quota (project_id, resource, amount) VALUES ($1, $2, $3) \
         ON CONFLICT (project_id, resource) DO UPDATE SET amount = excluded.amount")
    .bind(project_id)
    .bind(resource)
    .bind(amount)
    .run(tx)
    .await?;
    Ok(())
}

/// The operator's defaults become these.
pub async fn set_defaults(tx: &mut Tx, defaults: &[(String, i64)]) -> Result<()> {
    reset(tx, EVERYBODY).await?;
    for (resource, limit) in defaults {
        set(tx, EVERYBODY, resource, *limit).await?;
    }
    Ok(())
}

/// Back to the defaults. False when nothing was set.
pub async fn reset(tx: &mut Tx, project_id: &str) -> Result<bool> {
    Ok(sql("DELETE FROM network_quota WHERE project_id = $1").bind(project_id).run(tx).await? > 0)
}
