//! SQL of messages.

use base::{Ctx, Result};
use db::{AnyConnection, Db, FromRow, Row, Tx, sql};

use super::Trouble;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    pub project_id: String,
    pub request_id: String,
    pub resource_type: String,
    pub resource_id: String,
    /// `<number> <words>`
    pub action: String,
    pub detail: String,
    pub created_at: i64,
}

impl FromRow for Message {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Message {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            request_id: row.text("request_id")?,
            resource_type: row.text("resource_type")?,
            resource_id: row.text("resource_id")?,
            action: row.text("action")?,
            detail: row.text("detail")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn add(tx: &mut Tx, ctx: &Ctx, trouble: &Trouble) -> Result<()> {
    sql("INSERT INTO volume_messages (id, project_id, request_id, resource_type, resource_id, action, detail, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(base::id::uuid())
        .bind(trouble.project_id.clone())
        .bind(ctx.request_id.to_string())
        .bind(trouble.resource_type)
        .bind(trouble.resource_id.clone())
        .bind(format!("{} {}", trouble.action.0, trouble.action.1))
        .bind(format!("{} {}", trouble.detail.0, trouble.detail.1))
        .bind(base::time::now())
        .run(tx)
        .await?;
    Ok(())
}

/// For what is tried again and again.
pub async fn add_once(db: &Db, ctx: &Ctx, trouble: &Trouble) -> Result<()> {
    db::write!(db, |tx| {
        let known = sql("SELECT 1 FROM volume_messages WHERE resource_id = $1")
            .bind(trouble.resource_id.clone())
            .exists(tx)
            .await?;
        if known { Ok(()) } else { add(tx, ctx, trouble).await }
    })
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Message>> {
    sql("SELECT * FROM volume_messages WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn list(conn: &mut AnyConnection, project: &str) -> db::Result<Vec<Message>> {
    sql("SELECT * FROM volume_messages WHERE project_id = $1").bind(project.to_owned()).rows(conn).await
}

pub async fn delete(db: &Db, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM volume_messages WHERE id = $1").bind(id).run(tx).await?;
        Ok::<_, base::Error>(())
    })
}
