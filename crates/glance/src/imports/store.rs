//! SQL of imports: a task and its image change together.

use base::{Ctx, Result};
use db::Db;
use serde_json::Value;

use crate::images::{self, Image};
use crate::tasks::{self, Status, Task};

/// What a task does to its image; may run again.
pub type Edit<'a> = &'a (dyn Fn(&mut Image) -> Result<()> + Sync);

/// Records a task. `image`: its id and how it begins.
pub async fn queue(db: &Db, ctx: &Ctx, task: &Task, image: Option<(&str, Edit<'_>)>) -> Result<()> {
    db::write!(db, |tx| {
        if let Some((id, begin)) = image {
            images::store::edit_in(tx, ctx, "image.import", id, &begin).await?;
        }
        Ok(tasks::store::create_in(tx, ctx, task).await?)
    })
}

/// Makes the image of an older task, once.
pub async fn adopt(db: &Db, ctx: &Ctx, task: &Task, image: &Image) -> Result<()> {
    db::write!(db, |tx| {
        if images::store::get(tx, &image.id).await?.is_none() {
            images::store::create_in(tx, ctx, image).await?;
        }
        Ok(db::sql("UPDATE image_tasks SET image_id = $1 WHERE id = $2")
            .bind(image.id.clone())
            .bind(task.id.clone())
            .run(tx)
            .await
            .map(|_| ())?)
    })
}

/// How a task ended, for it and its image. An image that was deleted meanwhile makes the end a failure.
pub async fn end(
    db: &Db,
    ctx: &Ctx,
    task: &Task,
    outcome: std::result::Result<Value, String>,
    change: Edit<'_>,
) -> Result<Status> {
    db::write!(db, |tx| {
        let id = task.image_id.as_deref().unwrap_or_default();
        let kind = if outcome.is_ok() { "image.activate" } else { "image.import_failed" };
        let edited = images::store::edit_in(tx, ctx, kind, id, &change).await;
        let (status, result, message) = match (&edited, &outcome) {
            (Ok(_), Ok(result)) => (Status::Success, Some(result), String::new()),
            (Ok(_), Err(why)) => (Status::Failure, None, why.clone()),
            (Err(e), _) if e.is_not_found() => {
                (Status::Failure, None, "Image has been deleted, aborting import.".to_owned())
            }
            (Err(_), _) => return edited.map(|_| Status::Failure),
        };
        tasks::store::end_in(tx, ctx, task, status, result, &message).await?;
        Ok(status)
    })
}
