//! Rows of limits, and what is used of them.

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, sql};

use super::{Amounts, More, OF_A_TYPE, RESOURCES, check, check_size};
use crate::types::{self, VolumeType};

struct Amount(String, i64);

impl FromRow for Amount {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Amount(row.text("resource")?, row.int("hard_limit")?))
    }
}

async fn overlay(conn: &mut AnyConnection, limits: &mut Amounts, scope: &str) -> Result<()> {
    let rows: Vec<Amount> = sql("SELECT resource, hard_limit FROM volume_quotas WHERE scope = $1")
        .bind(scope.to_owned())
        .rows(conn)
        .await?;
    limits.extend(rows.into_iter().map(|row| (row.0, row.1)));
    Ok(())
}

pub fn class(name: &str) -> String {
    format!("class:{name}")
}

/// None: the defaults; else of a project, or of a class by [`class`].
pub async fn limits(conn: &mut AnyConnection, scope: Option<&str>) -> Result<Amounts> {
    let mut limits: Amounts = RESOURCES.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect();
    for name in types::store::names(conn).await?.0.values() {
        for resource in OF_A_TYPE {
            limits.insert(format!("{resource}_{name}"), -1);
        }
    }
    overlay(conn, &mut limits, &class("default")).await?;
    if let Some(scope) = scope {
        overlay(conn, &mut limits, scope).await?;
    }
    Ok(limits)
}

struct Sum {
    type_name: String,
    count: i64,
    gib: i64,
}

impl FromRow for Sum {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Sum { type_name: row.text("name")?, count: row.int("n")?, gib: row.int("gib")? })
    }
}

/// Zeros are left out.
pub async fn used(conn: &mut AnyConnection, project: &str) -> Result<Amounts> {
    let volumes: Vec<Sum> = sql("SELECT t.name, COUNT(*) AS n, \
             CAST(SUM(COALESCE(v.pending_size, v.size)) AS BIGINT) AS gib FROM volumes v \
             JOIN volume_types t ON t.id = v.type_id WHERE v.project_id = $1 GROUP BY t.name")
    .bind(project.to_owned())
    .rows(conn)
    .await?;
    let snapshots: Vec<Sum> = sql("SELECT t.name, COUNT(*) AS n, CAST(SUM(s.size) AS BIGINT) AS gib \
             FROM volume_snapshots s JOIN volume_types t ON t.id = s.type_id \
             WHERE s.project_id = $1 GROUP BY t.name")
    .bind(project.to_owned())
    .rows(conn)
    .await?;
    let mut used = Amounts::new();
    let mut add = |name: String, amount: i64| *used.entry(name).or_default() += amount;
    for (resource, sums) in [("volumes", volumes), ("snapshots", snapshots)] {
        for Sum { type_name, count, gib } in sums {
            add(resource.into(), count);
            add(format!("{resource}_{type_name}"), count);
            add("gigabytes".into(), gib);
            add(format!("gigabytes_{type_name}"), gib);
        }
    }
    let backups: Option<Sum> = sql("SELECT 'backups' AS name, COUNT(*) AS n, \
             CAST(COALESCE(SUM(size), 0) AS BIGINT) AS gib FROM volume_backups WHERE project_id = $1")
    .bind(project.to_owned())
    .optional(conn)
    .await?;
    if let Some(sum) = backups {
        used.insert("backups".into(), sum.count);
        used.insert("backup_gigabytes".into(), sum.gib);
    }
    let groups = sql("SELECT COUNT(*) FROM volume_groups WHERE project_id = $1").bind(project.to_owned());
    used.insert("groups".into(), groups.number(conn).await?);
    Ok(used)
}

/// In the transaction that takes it.
pub async fn take(tx: &mut Tx, project: &str, kind: &VolumeType, more: More, size: i64) -> Result<()> {
    let limits = limits(tx, Some(project)).await?;
    if more.volumes > 0 || more.snapshots == 0 && more.backups == 0 && more.groups == 0 {
        check_size(&limits, size)?;
    }
    check(&limits, &used(tx, project).await?, &kind.name, more)
}

pub async fn set(db: &Db, ctx: &Ctx, scope: &str, values: &[(String, i64)]) -> Result<()> {
    db::write!(db, |tx| {
        for (resource, limit) in values {
            sql("INSERT INTO volume_quotas (scope, resource, hard_limit) VALUES ($1, $2, $3) \
                 ON CONFLICT (scope, resource) DO UPDATE SET hard_limit = excluded.hard_limit")
            .bind(scope)
            .bind(&**resource)
            .bind(*limit)
            .run(tx)
            .await?;
        }
        Ok(tx.event(Event::new("cinder", "quota.update", scope, scope, ctx)).await?)
    })
}

/// A type has another name from now on. Limits of that name are what a type that is gone has left.
pub async fn rename(tx: &mut Tx, old: &str, new: &str) -> Result<()> {
    for resource in OF_A_TYPE {
        let (old, new) = (format!("{resource}_{old}"), format!("{resource}_{new}"));
        sql("DELETE FROM volume_quotas WHERE resource = $1").bind(new.clone()).run(tx).await?;
        sql("UPDATE volume_quotas SET resource = $1 WHERE resource = $2").bind(new).bind(old).run(tx).await?;
    }
    Ok(())
}

pub async fn delete(db: &Db, ctx: &Ctx, scope: &str) -> Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM volume_quotas WHERE scope = $1").bind(scope).run(tx).await?;
        Ok(tx.event(Event::new("cinder", "quota.delete", scope, scope, ctx)).await?)
    })
}
