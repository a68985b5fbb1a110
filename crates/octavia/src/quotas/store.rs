use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql};

use super::{RESOURCES, UNLIMITED};
use crate::fault;
use crate::tree::Noun;

pub struct Limit {
    pub project_id: String,
    pub resource: String,
    pub most: i64,
}

impl FromRow for Limit {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Limit {
            project_id: row.text("project_id")?,
            resource: row.text("resource")?,
            most: row.int("most")?,
        })
    }
}

/// 403 when `more` of them would be too many.
pub async fn check(tx: &mut Tx, project_id: &str, noun: Noun, more: i64) -> Result<()> {
    let Some((resource, ..)) = RESOURCES.iter().find(|(.., of)| *of == noun) else { return Ok(()) };
    let limit: Option<Limit> = sql("SELECT * FROM balancer_quota WHERE project_id = $1 AND resource = $2")
        .bind(project_id)
        .bind(*resource)
        .optional(tx)
        .await?;
    let most = limit.map_or(UNLIMITED, |limit| limit.most);
    if most == UNLIMITED {
        return Ok(());
    }
    let used = sql("SELECT COUNT(*) FROM balancer_node WHERE kind = $1 AND project_id = $2")
        .bind(noun.member())
        .bind(project_id)
        .number(tx)
        .await?;
    if used + more > most { Err(fault::quota(noun)) } else { Ok(()) }
}

/// Project -> resource -> limit, of projects that have limits of their own.
pub async fn all(
    conn: &mut AnyConnection,
    project_id: Option<&str>,
) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
    let rows: Vec<Limit> = match project_id {
        Some(project) => {
            sql("SELECT * FROM balancer_quota WHERE project_id = $1").bind(project).rows(conn).await?
        }
        None => sql("SELECT * FROM balancer_quota").rows(conn).await?,
    };
    let mut all: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for row in rows {
        all.entry(row.project_id).or_default().insert(row.resource, row.most);
    }
    Ok(all)
}

/// None: back to the usual.
pub async fn set(
    tx: &mut Tx,
    ctx: &Ctx,
    project_id: &str,
    limits: &[(&'static str, Option<i64>)],
) -> Result<()> {
    for (resource, most) in limits {
        sql("DELETE FROM balancer_quota WHERE project_id = $1 AND resource = $2")
            .bind(project_id)
            .bind(*resource)
            .run(tx)
            .await?;
        if let Some(most) = most {
            sql("INSERT INTO balancer_quota (project_id, resource, most) VALUES ($1, $2, $3)")
                .bind(project_id)
                .bind(*resource)
                .bind(*most)
                .run(tx)
                .await?;
        }
    }
    Ok(tx.event(Event::new("load-balancer", "quota.update", project_id, project_id, ctx)).await?)
}
