//! Rows of migrations.

use base::{Ctx, Result};
use db::{Conn, FromRow, Row, Tx, json_text, sql, sql_built};

use super::Migration;
use crate::servers::{Resize, Server};

const COLUMNS: &str = "number, uuid, server_id, project_id, user_id, kind, status, source, target, old_flavor, \
    new_flavor, created_at, updated_at";

impl FromRow for Migration {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Migration {
            number: row.int("number")?,
            uuid: row.text("uuid")?,
            server_id: row.text("server_id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            kind: row.text("kind")?,
            status: row.text("status")?,
            source: row.text("source")?,
            target: row.opt_text("target")?,
            old_flavor: row.json("old_flavor")?,
            new_flavor: row.json("new_flavor")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub(crate) async fn insert(tx: &mut Tx, ctx: &Ctx, server: &Server, resize: &Resize) -> Result<()> {
    let now = base::time::now();
    let number = sql("SELECT COALESCE(MAX(number), 0) + 1 FROM server_migrations").number(tx).await?;
    sql("INSERT INTO server_migrations (number, uuid, server_id, project_id, user_id, kind, status, source, old_flavor, \
         new_flavor, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'pre-migrating', $7, $8, $9, $10, $11)")
    .bind(number)
    .bind(&*resize.uuid)
    .bind(&*server.id)
    .bind(&*server.project_id)
    .bind(ctx.user_id())
    .bind(if resize.is_move { "migration" } else { "resize" })
    .bind(server.host.clone().unwrap_or_default())
    .bind(json_text(&resize.old)?)
    .bind(json_text(&resize.new)?)
    .bind(now)
    .bind(now)
    .run(tx)
    .await?;
    Ok(())
}

pub(crate) async fn set_status(tx: &mut Tx, uuid: &str, status: &str) -> Result<()> {
    // The one host is where a finished resize ends.
    let target = matches!(status, "finished" | "confirming" | "confirmed");
    sql("UPDATE server_migrations SET status = $1, updated_at = $2, \
         target = CASE WHEN $3 = 1 THEN source ELSE target END WHERE uuid = $4")
    .bind(status)
    .bind(base::time::now())
    .bind(i64::from(target))
    .bind(uuid)
    .run(tx)
    .await?;
    Ok(())
}

/// The newest first.
pub(super) async fn list(conn: &mut Conn) -> Result<Vec<Migration>> {
    Ok(sql_built(format!("SELECT {COLUMNS} FROM server_migrations ORDER BY number DESC")).rows(conn).await?)
}
