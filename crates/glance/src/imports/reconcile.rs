//! Running import tasks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use camino::Utf8PathBuf;
use reconcile::{Failure, Outcome, Reconciler};
use serde_json::{Value, json};

use super::{download, rules, store};
use crate::Glance;
use crate::data::receive::{Received, copy, place};
use crate::data::{formats, upload};
use crate::images::{self, Image, Status};
use crate::tasks::{self, LEGACY, Task};

/// Data that was staged and not imported for so long is given up.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// ... and was seen here waiting for so long: a clock that was set forward makes nothing old.
const WATCHED: Duration = Duration::from_secs(3600);

pub struct Imports {
    glance: Arc<Glance>,
    /// Images that wait for their import, since they were seen to.
    waiting: Mutex<HashMap<String, Instant>>,
}

impl Imports {
    pub fn new(glance: Arc<Glance>) -> Self {
        Imports { glance, waiting: Mutex::default() }
    }
}

#[async_trait]
impl Reconciler for Imports {
    fn name(&self) -> &'static str {
        "glance.imports"
    }

    async fn reconcile(&self, id: &str) -> std::result::Result<Outcome, Failure> {
        let glance = &self.glance;
        let task = tasks::store::get(&mut *glance.db.read().await?, id).await?;
        let Some(task) = task.filter(|t| !t.status.is_over()) else { return Ok(Outcome::Done) };
        let mut ctx = Ctx::internal("import");
        ctx.request_id = task.request_id.as_str().into();
        let run = Run::new(glance, &ctx, task).await?;
        run.go().await?;
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        tasks::store::forget_old(&self.glance.db).await?;
        let waiting = images::store::staging(&self.glance.db).await?;
        let waiting = waiting.into_iter().filter(|image| image.status == Status::Uploading).collect();
        let abandoned = {
            let mut watched = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            abandoned(waiting, &mut watched, base::time::now(), Instant::now())
        };
        give_up(&self.glance, &abandoned).await?;
        Ok(tasks::store::unfinished(&self.glance.db).await?)
    }
}

/// Those that are old by the wall's clock and by ours.
fn abandoned(
    waiting: Vec<Image>,
    watched: &mut HashMap<String, Instant>,
    now: i64,
    seen: Instant,
) -> Vec<Image> {
    watched.retain(|id, _| waiting.iter().any(|image| image.id == *id));
    let before = now - i64::try_from(ABANDONED.as_micros()).unwrap_or(i64::MAX);
    let old = |image: &Image| {
        let since = *watched.entry(image.id.clone()).or_insert(seen);
        image.updated_at < before && seen - since >= WATCHED
    };
    waiting.into_iter().filter(old).collect()
}

async fn give_up(glance: &Glance, images: &[Image]) -> Result<()> {
    for image in images {
        tracing::info!(image = image.id, "staged data was never imported; it is given up");
        images::store::edit(&glance.db, &Ctx::internal("import"), "image.abandoned", &image.id, |image| {
            if image.status == Status::Uploading {
                image.requeue();
            }
            Ok(())
        })
        .await?;
        glance.files.unstage(&image.id)?;
    }
    Ok(())
}

/// One task, understood.
struct Run<'a> {
    glance: &'a Arc<Glance>,
    ctx: &'a Ctx,
    task: Task,
    method: String,
    uri: Option<String>,
    stores: Vec<String>,
    all_must_succeed: bool,
}

/// What came of the stores: those that have the data, and those that failed.
struct Placed {
    received: Option<Received>,
    virtual_size: Option<i64>,
    done: Vec<String>,
    failed: Vec<String>,
}

impl<'a> Run<'a> {
    async fn new(glance: &'a Arc<Glance>, ctx: &'a Ctx, mut task: Task) -> Result<Run<'a>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if task.kind == LEGACY {
            if task.image_id.is_none() {
                // The task's own id is the image's too: a second run finds what the first one made.
                let mut image = rules::legacy(ctx, &task.input, &glance.download)?;
                image.id = task.id.clone();
                image.owner = Some(task.owner.clone());
                rules::begin(
                    &mut image,
                    &task.id,
                    "web-download",
                    &[glance.files.default_store().to_owned()],
                )?;
                store::adopt(&glance.db, ctx, &task, &image).await?;
                task.image_id = Some(image.id);
            }
            return Ok(Run {
                glance,
                ctx,
                method: "web-download".into(),
                uri: text(&task.input["import_from"]),
                stores: vec![glance.files.default_store().to_owned()],
                all_must_succeed: true,
                task,
            });
        }
        let request = &task.input["import_req"];
        let listed = task.input["backend"].as_array();
        Ok(Run {
            glance,
            ctx,
            method: text(&request["method"]["name"]).unwrap_or_default(),
            uri: text(&request["method"]["uri"]),
            stores: listed.into_iter().flatten().filter_map(text).collect(),
            all_must_succeed: request["all_stores_must_succeed"].as_bool().unwrap_or(true),
            task,
        })
    }

    fn id(&self) -> &str {
        self.task.image_id.as_deref().unwrap_or_default()
    }

    /// An error is one of ours (the database, say): the task is run again. What is wrong with the data or its source
    /// ends the task.
    async fn go(&self) -> Result<()> {
        tasks::store::begin(&self.glance.db, &self.task.id, None).await?;
        let image = images::store::get(&mut *self.glance.db.read().await?, self.id()).await?;
        let placed = match &image {
            Some(image) => self.place(image).await,
            None => Err(Error::not_found("Image has been deleted, aborting import.")),
        };
        match placed {
            Ok(placed) => self.succeed(&placed).await?,
            Err(error) => {
                tracing::warn!(task = self.task.id, image = self.id(), ?error, "the import failed");
                self.fail(&error).await?;
            }
        }
        self.glance.files.unstage(self.id())
    }

    async fn place(&self, image: &Image) -> Result<Placed> {
        let files = &self.glance.files;
        if self.method == "copy-image" {
            return self.fill(&files.locate(image), None).await;
        }
        let staged = files.staged(&image.id);
        if self.method == "web-download" {
            let part = files.staged_part(&image.id);
            let limit = self.glance.room(image).await?;
            let uri = self.uri.as_deref().unwrap_or_default();
            download::download(&self.glance.download, uri, &part, limit).await?;
            place(&part, &staged)?;
        }
        if !staged.is_file() {
            return Err(Error::conflict("the staged data is gone"));
        }
        let received = upload::received(&staged)?;
        let virtual_size = formats::inspect(image, received.size, &staged).await?;
        let mut placed = self.fill(&staged, Some(received)).await?;
        placed.virtual_size = virtual_size;
        Ok(placed)
    }

    /// Copies `from` into every store.
    async fn fill(&self, from: &Utf8PathBuf, received: Option<Received>) -> Result<Placed> {
        let mut placed = Placed { received, virtual_size: None, done: Vec::new(), failed: Vec::new() };
        for store in &self.stores {
            let (from, to) = (from.clone(), self.glance.files.path(store, self.id()));
            let copied =
                tokio::task::spawn_blocking(move || copy(&from, &to)).await.map_err(Error::internal)?;
            match copied {
                Ok(()) => placed.done.push(store.clone()),
                Err(e) if self.all_must_succeed => return Err(e),
                Err(error) => {
                    tracing::warn!(task = self.task.id, store, ?error, "a store did not take the data");
                    placed.failed.push(store.clone());
                }
            }
        }
        if placed.done.is_empty() {
            return Err(Error::conflict("None of the uploads finished!"));
        }
        Ok(placed)
    }

    async fn succeed(&self, placed: &Placed) -> Result<()> {
        let files = &self.glance.files;
        let change = |image: &mut Image| {
            let have: HashSet<String> = image.stores.iter().chain(&placed.done).cloned().collect();
            image.stores = files.in_order(&have);
            if let Some(received) = &placed.received {
                image.status = Status::Active;
                upload::describe(image, received, placed.virtual_size);
            }
            rules::end(image, &self.task.id, &self.stores, &placed.failed);
            Ok(())
        };
        let result = json!({"image_id": self.id()});
        let status = store::end(&self.glance.db, self.ctx, &self.task, Ok(result), &change).await?;
        if status == tasks::Status::Success {
            self.glance.hashing.wake(self.id());
        } else {
            files.remove(self.id())?;
        }
        Ok(())
    }

    async fn fail(&self, error: &Error) -> Result<()> {
        let change = |image: &mut Image| {
            if self.method != "copy-image" {
                image.requeue();
            }
            rules::end(image, &self.task.id, &self.stores, &self.stores);
            Ok(())
        };
        store::end(&self.glance.db, self.ctx, &self.task, Err(error.message.clone()), &change).await?;
        for store in &self.stores {
            self.glance.files.remove_from(store, self.id())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_abandons_nothing() {
        let day = i64::try_from(ABANDONED.as_micros()).unwrap();
        let image = |updated_at| Image { id: "i".into(), updated_at, ..images::rules::blank(None) };
        let (mut watched, start) = (HashMap::new(), Instant::now());
        let mut count =
            |at, after: Duration| abandoned(vec![image(0)], &mut watched, at, start + after).len();
        assert_eq!(count(1, Duration::ZERO), 0);
        assert_eq!(count(2 * day, Duration::from_secs(60)), 0, "the clock was set forward");
        assert_eq!(count(-day, 2 * WATCHED), 0, "the clock was set back");
        assert_eq!(count(day + 1, ABANDONED), 1);
        assert_eq!(abandoned(Vec::new(), &mut watched, day, start).len(), 0);
        assert!(watched.is_empty());
    }
}
