//! SQL of tasks.

use base::Ctx;
use db::{AnyConnection, Conn, Db, Error, Event, FromRow, Row, Tx, json_text, sql};
use serde_json::Value;

use super::{Status, Task};

/// What has ended is kept so long.
const KEEP_MICROS: i64 = 48 * 3600 * 1_000_000;

impl FromRow for Task {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let result = match row.opt_text("result")? {
            None => None,
            Some(text) => Some(
                serde_json::from_str(&text)
                    .map_err(|source| Error::Json { column: "result".into(), source })?,
            ),
        };
        Ok(Task {
            id: row.text("id")?,
            kind: row.text("type")?,
            status: Status::parse(&row.text("status")?).unwrap_or(Status::Failure),
            owner: row.text("owner")?,
            image_id: row.opt_text("image_id")?,
            user_id: row.text("user_id")?,
            request_id: row.text("request_id")?,
            input: row.json("input")?,
            result,
            message: row.text("message")?,
            expires_at: row.opt_int("expires_at")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub async fn create_in(tx: &mut Tx, ctx: &Ctx, task: &Task) -> db::Result<()> {
    sql("INSERT INTO image_tasks (id, type, status, owner, image_id, user_id, request_id, input, result, message, \
         expires_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, '', NULL, $9, $9)")
    .bind(task.id.clone())
    .bind(task.kind.clone())
    .bind(task.status.as_str())
    .bind(task.owner.clone())
    .bind(task.image_id.clone())
    .bind(task.user_id.clone())
    .bind(task.request_id.clone())
    .bind(json_text(&task.input)?)
    .bind(task.created_at)
    .run(tx)
    .await?;
    tx.event(Event::new("glance", "task.create", &task.id, &task.owner, ctx)).await
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Task>> {
    sql("SELECT * FROM image_tasks WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn list(conn: &mut Conn) -> db::Result<Vec<Task>> {
    sql("SELECT * FROM image_tasks ORDER BY created_at DESC, id DESC").rows(conn).await
}

pub async fn of_image(conn: &mut Conn, image: &str) -> db::Result<Vec<Task>> {
    sql("SELECT * FROM image_tasks WHERE image_id = $1 ORDER BY created_at, id")
        .bind(image.to_owned())
        .rows(conn)
        .await
}

pub async fn unfinished(db: &Db) -> db::Result<Vec<String>> {
    let mut conn = db.read().await?;
    sql("SELECT id FROM image_tasks WHERE status IN ('pending', 'processing')").rows(&mut conn).await
}

pub async fn begin(db: &Db, id: &str, image: Option<&str>) -> base::Result<()> {
    db::write!(db, |tx| {
        sql("UPDATE image_tasks SET status = 'processing', image_id = COALESCE($1, image_id), updated_at = $2 \
             WHERE id = $3 AND status IN ('pending', 'processing')")
        .bind(image.map(str::to_owned))
        .bind(base::time::now())
        .bind(id.to_owned())
        .run(tx)
        .await?;
        Ok::<_, base::Error>(())
    })
}

pub async fn end_in(
    tx: &mut Tx,
    ctx: &Ctx,
    task: &Task,
    status: Status,
    result: Option<&Value>,
    message: &str,
) -> db::Result<()> {
    let now = base::time::now();
    sql("UPDATE image_tasks SET status = $1, result = $2, message = $3, expires_at = $4, updated_at = $5 WHERE id = $6")
        .bind(status.as_str())
        .bind(result.map(json_text).transpose()?)
        .bind(message.to_owned())
        .bind(now + KEEP_MICROS)
        .bind(now)
        .bind(task.id.clone())
        .run(tx)
        .await?;
    let kind = if status == Status::Success { "task.success" } else { "task.failure" };
    tx.event(Event::new("glance", kind, &task.id, &task.owner, ctx)).await
}

pub async fn forget_old(db: &Db) -> base::Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM image_tasks WHERE expires_at < $1").bind(base::time::now()).run(tx).await?;
        Ok::<_, base::Error>(())
    })
}
