//! Servers by the time in which they ran.

use base::Result;
use db::{AnyConnection, sql_built};

use crate::servers::Server;
use crate::servers::store::COLUMNS;

/// Those that were there at some moment of the period, deleted ones too; `project` None: of all projects.
pub(super) async fn during(
    conn: &mut AnyConnection,
    start: i64,
    end: i64,
    project: Option<&str>,
) -> Result<Vec<Server>> {
    Ok(sql_built(format!(
        "SELECT {COLUMNS} FROM servers WHERE launched_at < $1 AND (terminated_at IS NULL OR terminated_at > $2) \
         AND ($3 = '' OR project_id = $3) ORDER BY created_at, id"
    ))
    .bind(end)
    .bind(start)
    .bind(project.unwrap_or_default())
    .rows(conn)
    .await?)
}
