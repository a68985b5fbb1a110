//! Rows of actions.

use base::{Ctx, Result};
use db::{Conn, FromRow, Row, Tx, sql};

use super::Action;

impl FromRow for Action {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Action {
            server_id: row.text("server_id")?,
            request_id: row.text("request_id")?,
            action: row.text("action")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            started_at: row.int("started_at")?,
            updated_at: row.int("updated_at")?,
            finished_at: row.opt_int("finished_at")?,
            result: row.opt_text("result")?,
            message: row.opt_text("message")?,
            details: row.opt_text("details")?,
        })
    }
}

/// Something was asked for; it ends with [`finish`].
pub(crate) async fn start(tx: &mut Tx, ctx: &Ctx, server: &str, project: &str, action: &str) -> Result<()> {
    let now = base::time::now();
    sql("INSERT INTO server_actions (server_id, request_id, action, project_id, user_id, started_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (server_id, request_id) DO NOTHING")
    .bind(server)
    .bind(&*ctx.request_id)
    .bind(action)
    .bind(project)
    .bind(ctx.user_id())
    .bind(now)
    .bind(now)
    .run(tx)
    .await?;
    Ok(())
}

/// What was asked for and is done at once.
pub(crate) async fn record(tx: &mut Tx, ctx: &Ctx, server: &str, project: &str, action: &str) -> Result<()> {
    start(tx, ctx, server, project, action).await?;
    let now = base::time::now();
    sql("UPDATE server_actions SET finished_at = $1, updated_at = $2, result = 'Success' \
         WHERE server_id = $3 AND request_id = $4")
    .bind(now)
    .bind(now)
    .bind(server)
    .bind(&*ctx.request_id)
    .run(tx)
    .await?;
    Ok(())
}

/// One action ended: well, or with this error.
pub(crate) async fn end(
    tx: &mut Tx,
    server: &str,
    request_id: &str,
    error: Option<(&str, &str)>,
) -> Result<()> {
    let now = base::time::now();
    sql("UPDATE server_actions SET finished_at = $1, updated_at = $2, result = $3, message = $4, details = $5 \
         WHERE server_id = $6 AND request_id = $7")
    .bind(now)
    .bind(now)
    .bind(if error.is_some() { "Error" } else { "Success" })
    .bind(error.map(|e| e.0.to_owned()))
    .bind(error.map(|e| e.1.to_owned()))
    .bind(server)
    .bind(request_id)
    .run(tx)
    .await?;
    Ok(())
}

/// Everything under way on this server ended: well, or with this error.
pub(crate) async fn finish(tx: &mut Tx, server: &str, error: Option<(&str, &str)>) -> Result<()> {
    let now = base::time::now();
    sql("UPDATE server_actions SET finished_at = $1, updated_at = $2, result = $3, message = $4, details = $5 \
         WHERE server_id = $6 AND finished_at IS NULL")
    .bind(now)
    .bind(now)
    .bind(if error.is_some() { "Error" } else { "Success" })
    .bind(error.map(|e| e.0.to_owned()))
    .bind(error.map(|e| e.1.to_owned()))
    .bind(server)
    .run(tx)
    .await?;
    Ok(())
}

/// Servers with an action of one of these kinds under way.
pub(crate) async fn unfinished(conn: &mut Conn, actions: &[&str; 2]) -> Result<Vec<String>> {
    Ok(sql("SELECT DISTINCT server_id FROM server_actions WHERE finished_at IS NULL AND action IN ($1, $2)")
        .bind(actions[0])
        .bind(actions[1])
        .rows(conn)
        .await?)
}

/// Newest first.
pub(super) async fn list(conn: &mut Conn, server: &str) -> Result<Vec<Action>> {
    Ok(sql("SELECT server_id, request_id, action, project_id, user_id, started_at, updated_at, finished_at, result, \
            message, details FROM server_actions WHERE server_id = $1 ORDER BY started_at DESC, request_id")
    .bind(server)
    .rows(conn)
    .await?)
}

pub(super) async fn get(conn: &mut Conn, server: &str, request_id: &str) -> Result<Option<Action>> {
    Ok(sql("SELECT server_id, request_id, action, project_id, user_id, started_at, updated_at, finished_at, result, \
            message, details FROM server_actions WHERE server_id = $1 AND request_id = $2")
    .bind(server)
    .bind(request_id)
    .optional(conn)
    .await?)
}
