//! Rows of limits, and what is used of them.

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, sql};

use super::{Limits, Usage};

const DEFAULT_CLASS: &str = "class:default";

struct Limit {
    resource: String,
    limit: i64,
}

impl FromRow for Limit {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Limit { resource: row.text("resource")?, limit: row.int("hard_limit")? })
    }
}

async fn overlay(conn: &mut AnyConnection, limits: &mut Limits, scope: &str) -> Result<()> {
    let rows: Vec<Limit> =
        sql("SELECT resource, hard_limit FROM quotas WHERE scope = $1").bind(scope).rows(conn).await?;
    rows.iter().for_each(|row| limits.set(&row.resource, row.limit));
    Ok(())
}

/// None: the defaults.
pub(crate) async fn limits(conn: &mut AnyConnection, project: Option<&str>) -> Result<Limits> {
    let mut limits = Limits::default();
    overlay(conn, &mut limits, DEFAULT_CLASS).await?;
    if let Some(project) = project {
        overlay(conn, &mut limits, project).await?;
    }
    Ok(limits)
}

pub(crate) async fn limits_for_user(conn: &mut AnyConnection, project: &str, user: &str) -> Result<Limits> {
    let mut found = limits(conn, Some(project)).await?;
    overlay(conn, &mut found, &user_scope(project, user)).await?;
    Ok(found)
}

/// The limits of a class that is not `default` are shown and kept, though no project is in such a class.
pub(super) async fn class(conn: &mut AnyConnection, name: &str) -> Result<Limits> {
    let mut limits = Limits::default();
    overlay(conn, &mut limits, &class_scope(name)).await?;
    Ok(limits)
}

pub(super) fn user_scope(project: &str, user: &str) -> String {
    format!("{project}/{user}")
}

pub(super) fn class_scope(name: &str) -> String {
    format!("class:{name}")
}

/// `user` None: of the whole project.
pub(crate) async fn usage(conn: &mut AnyConnection, project: &str, user: Option<&str>) -> Result<Usage> {
    struct Sums(Usage);
    impl FromRow for Sums {
        fn from_row(row: &Row<'_>) -> db::Result<Self> {
            Ok(Sums(Usage { instances: row.int("n")?, cores: row.int("cores")?, ram: row.int("ram")? }))
        }
    }
    let sums: Option<Sums> = sql("SELECT COUNT(*) AS n, CAST(COALESCE(SUM(vcpus), 0) AS BIGINT) AS cores, \
             CAST(COALESCE(SUM(memory_mib), 0) AS BIGINT) AS ram FROM servers \
             WHERE project_id = $1 AND deleted_at IS NULL AND soft_deleted_at IS NULL AND ($2 = '' OR user_id = $2)")
    .bind(project)
    .bind(user.unwrap_or_default())
    .optional(conn)
    .await?;
    Ok(sums.map_or_else(Usage::default, |s| s.0))
}

pub(super) async fn count(conn: &mut AnyConnection, table: &'static str, scope: &str) -> Result<i64> {
    let text = match table {
        "server_groups" => "SELECT COUNT(*) FROM server_groups WHERE project_id = $1",
        _ => "SELECT COUNT(*) FROM keypairs WHERE user_id = $1",
    };
    Ok(sql(text).bind(scope).number(conn).await?)
}

pub(super) async fn set(db: &Db, ctx: &Ctx, scope: &str, values: &[(String, i64)]) -> Result<()> {
    db::write!(db, |tx| {
        for (resource, limit) in values {
            sql("INSERT INTO quotas (scope, resource, hard_limit) VALUES ($1, $2, $3) \
                 ON CONFLICT (scope, resource) DO UPDATE SET hard_limit = excluded.hard_limit")
            .bind(scope)
            .bind(&**resource)
            .bind(*limit)
            .run(tx)
            .await?;
        }
        tx.event(Event::new("nova", "quota.update", scope, scope, ctx)).await?;
        Ok(())
    })
}

/// A project's own limits and those of its users.
pub(super) async fn delete(db: &Db, ctx: &Ctx, scope: &str) -> Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM quotas WHERE scope = $1 OR SUBSTR(scope, 1, $2) = $3")
            .bind(scope)
            .bind(i64::try_from(scope.chars().count() + 1).unwrap_or(i64::MAX))
            .bind(format!("{scope}/"))
            .run(tx)
            .await?;
        tx.event(Event::new("nova", "quota.delete", scope, scope, ctx)).await?;
        Ok(())
    })
}
