//! The reconciler `cinder.volumes`: files for rows. It takes no decision that rows do not say, so a kill at any point is
//! one more activation.
//!
//! | key | what it does |
//! |---|---|
//! | `volume/<id>` | makes the layers of a new volume, extends, reverts, uploads; tells machines of a new layer |
//! | `snapshot/<id>` | the same for the snapshot's volume, and then the snapshot is there |
//! | `backup/<id>` | copies what is to be kept |
//! | `layer/<id>` | removes the file of a layer that nobody stands on, or of which no row knows; merges layers |

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use base::{Ctx, Error, ProjectRef, Result, Scope};
use reconcile::{Failure, Outcome, Reconciler};

use crate::layers::{self, Layer, State};
use crate::messages::{self, Trouble};
use crate::volumes::{self, Status, Volume};
use crate::words::no_volume;
use crate::{Cinder, attachments, backups, snapshots, types};

pub struct Volumes(pub Arc<Cinder>);

#[async_trait]
impl Reconciler for Volumes {
    fn name(&self) -> &'static str {
        "cinder.volumes"
    }

    async fn reconcile(&self, key: &str) -> Result<Outcome, Failure> {
        let done = match key.split_once('/') {
            Some(("volume", id)) => self.0.settle_volume(id).await,
            Some(("snapshot", id)) => self.0.settle_snapshot(id).await,
            Some(("backup", id)) => self.0.settle_backup(id).await,
            Some((_, id)) => self.0.settle_layer(id).await,
            None => Ok(Outcome::Done),
        };
        Ok(done?)
    }

    async fn resync(&self) -> Result<Vec<String>, Failure> {
        let cinder = &self.0;
        let key = |kind: &'static str| move |id: String| format!("{kind}/{id}");
        let mut keys: Vec<String> =
            volumes::store::unsettled(&cinder.db).await?.into_iter().map(key("volume")).collect();
        keys.extend(snapshots::store::unsettled(&cinder.db).await?.into_iter().map(key("snapshot")));
        keys.extend(backups::store::unsettled(&cinder.db).await?.into_iter().map(key("backup")));
        keys.extend(layers::store::unwanted(&cinder.db).await?.into_iter().map(key("layer")));
        keys.extend(
            layers::store::lonely(&mut *cinder.db.read().await?).await?.into_iter().map(key("layer")),
        );
        // Files first: a layer that is made meanwhile has its row before its file.
        let files = cinder.driver.list().await?;
        let known: HashSet<String> = layers::store::all(&cinder.db).await?.into_iter().collect();
        keys.extend(files.into_iter().filter(|id| !known.contains(id)).map(key("layer")));
        Ok(keys)
    }
}

/// The cloud's own hand in a project: Glance shows images to projects' bearers only.
pub(crate) fn acting_in(project: &str) -> Ctx {
    let ctx = Ctx::internal("volumes");
    let mut auth = (*ctx.auth).clone();
    let domain = auth.user.domain.clone();
    auth.scope = Scope::Project(ProjectRef { id: project.into(), name: project.into(), domain });
    Ctx { auth: Arc::new(auth), ..ctx }
}

impl Cinder {
    async fn load_volume(&self, id: &str) -> Result<Option<Volume>> {
        Ok(volumes::store::get(&mut *self.db.read().await?, id).await?)
    }

    async fn settle_volume(&self, id: &str) -> Result<Outcome> {
        let Some(volume) = self.load_volume(id).await? else { return Ok(Outcome::Done) };
        let ctx = acting_in(&volume.project_id);
        match volume.status {
            Status::Creating => self.make_volume(&ctx, &volume).await?,
            Status::Extending => self.grow(&ctx, &volume).await?,
            Status::Reverting => self.revert(&ctx, &volume).await?,
            Status::Uploading => self.upload(&ctx, &volume).await?,
            Status::RestoringBackup => self.restore(&ctx, &volume).await?,
            Status::Retyping => self.encrypt_anew(&ctx, &volume).await?,
            Status::Error | Status::Deleting => {}
            _ => {
                self.settle_head(&ctx, &volume).await?;
                self.over_layers(self.flatten(&ctx, id)).await?;
            }
        }
        Ok(Outcome::Done)
    }

    async fn settle_snapshot(&self, id: &str) -> Result<Outcome> {
        let snapshot = snapshots::store::get(&mut *self.db.read().await?, id).await?;
        let Some(snapshot) = snapshot.filter(|snapshot| snapshot.status == "creating") else {
            return Ok(Outcome::Done);
        };
        let ctx = acting_in(&snapshot.project_id);
        if let Some(volume) = self.load_volume(&snapshot.volume_id).await? {
            let made = self.settle_head(&ctx, &volume).await;
            if let Err(error) = made {
                // The volume cannot go on without its new layer, so this is tried until it works.
                let trouble = Trouble::snapshot(&snapshot.id, &snapshot.project_id);
                messages::store::add_once(&self.db, &ctx, &trouble).await?;
                return Err(error);
            }
        }
        snapshots::store::finish(&self.db, &ctx, id).await?;
        if let Some(volume) = self.load_volume(&snapshot.volume_id).await? {
            self.wake_below(&volume).await?;
        }
        self.waker.wake(&format!("volume/{}", snapshot.volume_id));
        Ok(Outcome::Done)
    }

    async fn settle_layer(&self, id: &str) -> Result<Outcome> {
        let layer = layers::store::get(&mut *self.db.read().await?, id).await?;
        match &layer {
            Some(layer) if layer.state == State::Ready => return self.merge(id).await,
            Some(layer) if layer.state == State::Merged => return self.let_go(layer).await,
            Some(layer) if layer.state == State::Wanted => return Ok(Outcome::Done),
            _ => {}
        }
        self.driver.remove(id).await.map_err(Error::internal)?;
        if let Some(layer) = layer {
            layers::store::forget(&self.db, &layer).await?;
            if let Some(parent) = &layer.parent {
                self.waker.wake(&format!("layer/{parent}"));
            }
        }
        Ok(Outcome::Done)
    }

    /// All files below `head`, from the lowest.
    async fn make_layers(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let chain = layers::store::chain(&mut *self.db.read().await?, &volume.head).await?;
        let mut made = Vec::new();
        let mut key = None;
        if chain.iter().any(|layer| layer.state == State::Wanted && layer.cipher.is_some()) {
            key = self.key_of(volume).await?;
        }
        for (at, layer) in chain.iter().enumerate() {
            if layer.state != State::Wanted {
                continue;
            }
            let image = match &layer.image_id {
                Some(id) => {
                    let image = self.glance.image(ctx, id).await?;
                    Some(self.glance.file(&image))
                }
                None => None,
            };
            let below: Option<&Layer> = at.checked_sub(1).map(|below| &chain[below]);
            self.driver.make(&layer.plan(below, image, key.as_ref())).await.map_err(Error::internal)?;
            made.push(layer.id.clone());
        }
        if made.is_empty() {
            return Ok(());
        }
        db::write!(self.db, |tx| layers::store::set_ready(tx, &made).await)
    }

    /// The volume's head is there, and machines that have the volume open write into it.
    pub(crate) async fn settle_head(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        self.make_layers(ctx, volume).await?;
        if volume.writing.is_none() {
            return Ok(());
        }
        if let Some(guests) = self.guests.get() {
            let disk = self.opened(self.disk(&volume.id).await?).await?;
            let all = attachments::store::of_volume(&mut *self.db.read().await?, &volume.id).await?;
            for server in all.iter().filter(|a| a.is_connected()).filter_map(|a| a.server_id.as_ref()) {
                guests.switch(server, &disk).await?;
            }
        }
        db::write!(self.db, |tx| {
            let found = volumes::store::get(tx, &volume.id).await?;
            // Another snapshot meanwhile: machines have to be told once more.
            if let Some(mut found) = found.filter(|found| found.head == volume.head)
                && let Some(writing) = found.writing.take()
            {
                volumes::store::update(tx, ctx, "volume.switch", &mut found).await?;
                layers::store::release(tx, &writing).await?;
            }
            Ok::<_, Error>(())
        })?;
        self.wake_below(volume).await
    }

    async fn make_volume(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let kind = types::store::get(&mut *self.db.read().await?, &volume.type_id).await?;
        if let Some(kind) = kind
            && !self.is_backend_of(&kind).await?
        {
            let nowhere = Err(Error::bad_request("No valid backend was found."));
            return self
                .finish(ctx, volume, Trouble::place(volume), nowhere, |volume, _| {
                    volume.status = Status::Error;
                })
                .await;
        }
        // What it is a copy of must not be written any more.
        if let Some(source) = &volume.source_volid
            && let Some(source) = self.load_volume(source).await?
        {
            self.settle_head(ctx, &source).await?;
        }
        let made = match self.make_layers(ctx, volume).await {
            Ok(()) => self.over_layers(self.flatten(ctx, &volume.id)).await,
            failed => failed,
        };
        self.finish(ctx, volume, Trouble::create(volume), made, |volume, ok| {
            volume.status = if ok { Status::Available } else { Status::Error };
        })
        .await
    }

    async fn grow(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let Some(size) = volume.pending_size else { return Ok(()) };
        let grown = self.grow_to(ctx, volume, size).await;
        let bytes = volumes::gib(size);
        if grown.is_ok() {
            db::write!(self.db, |tx| layers::store::set_bytes(tx, &volume.head, bytes).await)?;
        }
        self.finish(ctx, volume, Trouble::extend(volume), grown, |volume, ok| {
            if ok {
                volume.size = size;
                volume.status = volume.previous_status.take().unwrap_or(Status::Available);
            } else {
                volume.status = Status::ErrorExtending;
            }
            volume.pending_size = None;
        })
        .await
    }

    async fn grow_to(&self, ctx: &Ctx, volume: &Volume, size: i64) -> Result<()> {
        self.settle_head(ctx, volume).await?;
        let mut disk = self.opened(self.disk(&volume.id).await?).await?;
        disk.bytes = u64::try_from(volumes::gib(size)).unwrap_or(0);
        let Some(top) = disk.layers.last_mut() else { return Ok(()) };
        top.bytes = disk.bytes;
        let top = top.clone();
        let mut open = false;
        if let Some(guests) = self.guests.get() {
            let all = attachments::store::of_volume(&mut *self.db.read().await?, &volume.id).await?;
            for server in all.iter().filter(|a| a.is_connected()).filter_map(|a| a.server_id.as_ref()) {
                open |= guests.extend(server, &disk).await?;
            }
        }
        match open {
            true => Ok(()),
            false => self.driver.grow(&top).await.map_err(Error::internal),
        }
    }

    async fn revert(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        // Its old head is gone for good, so there is no way but forward.
        self.make_layers(ctx, volume).await?;
        db::write!(self.db, |tx| {
            let found = volumes::store::get(tx, &volume.id).await?;
            match found.filter(|found| found.status == Status::Reverting) {
                Some(mut found) => snapshots::store::finish_revert(tx, ctx, &mut found).await,
                None => Ok(()),
            }
        })
    }

    /// As with snapshots, there is no way but forward.
    async fn restore(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        self.make_layers(ctx, volume).await?;
        self.flatten(ctx, &volume.id).await?;
        db::write!(self.db, |tx| {
            let found = volumes::store::get(tx, &volume.id).await?;
            if let Some(mut found) = found.filter(|found| found.status == Status::RestoringBackup) {
                found.status = Status::Available;
                volumes::store::update(tx, ctx, "volume.restored", &mut found).await?;
            }
            Ok::<_, Error>(())
        })
    }

    async fn settle_backup(&self, id: &str) -> Result<Outcome> {
        let found = backups::store::get(&mut *self.db.read().await?, id).await?;
        let Some(backup) = found.filter(|backup| backup.status == "creating") else {
            return Ok(Outcome::Done);
        };
        let ctx = acting_in(&backup.project_id);
        let copied = self.over_layers(self.copy(&ctx, &backup)).await;
        let ok = match copied {
            Err(error) if error.retryable() => return Err(error),
            Err(error) => {
                tracing::warn!(backup = id, ?error, "a backup could not be made");
                false
            }
            Ok(()) => true,
        };
        backups::store::finish(&self.db, &ctx, &backup, ok).await?;
        if let Some(source) = &backup.source {
            self.waker.wake(&format!("layer/{source}"));
        }
        Ok(Outcome::Done)
    }

    async fn copy(&self, ctx: &Ctx, backup: &backups::Backup) -> Result<()> {
        if let Some(volume) = self.load_volume(&backup.volume_id).await? {
            self.settle_head(ctx, &volume).await?;
        }
        let source = backup.source.as_deref().unwrap_or_default();
        let mut conn = self.db.read().await?;
        // The volume's is the same, and may be gone by now.
        let key = match &backup.key_id {
            Some(id) => Some(self.keys.passphrase(&mut conn, id, &format!("backup {}", backup.id)).await?),
            None => None,
        };
        let chain = layers::plans(&layers::store::chain(&mut conn, source).await?, key.as_ref());
        let mut below = layers::store::chain(&mut conn, &backup.layer).await?;
        drop(conn);
        let target = below.pop().ok_or_else(|| Error::internal("a backup has no layer"))?;
        let plan = target.plan(below.last(), None, key.as_ref());
        let copied = match below.is_empty() {
            true => self.driver.copy(&chain, &plan).await,
            false => self.driver.difference(&chain, &layers::plans(&below, None), &plan).await,
        };
        copied.map_err(Error::internal)
    }

    async fn upload(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let filled = match self.settle_head(ctx, volume).await {
            Ok(()) => self.over_layers(self.fill_image(ctx, volume)).await,
            failed => failed,
        };
        if filled.as_ref().is_err_and(|error| !error.retryable()) {
            self.discard_unfilled(ctx, volume).await?;
        }
        self.finish(ctx, volume, Trouble::upload(volume), filled, |volume, _| {
            volume.status = volume.previous_status.take().unwrap_or(Status::Available);
            volume.upload = None;
        })
        .await
    }

    /// What was under way has come to an end, a good one or not: then there is a message, too. A hiccup of the database
    /// or of another service is no end.
    async fn finish(
        &self,
        ctx: &Ctx,
        volume: &Volume,
        trouble: Trouble,
        result: Result<()>,
        change: impl Fn(&mut Volume, bool) + Sync,
    ) -> Result<()> {
        if let Err(error) = &result {
            if error.retryable() {
                return result;
            }
            tracing::warn!(volume = volume.id, ?error, "a volume could not be made as wanted");
        }
        let (was, ok) = (volume.status, result.is_ok());
        db::write!(self.db, |tx| {
            let mut found =
                volumes::store::get(tx, &volume.id).await?.ok_or_else(|| no_volume(&volume.id))?;
            if found.status != was {
                return Ok(());
            }
            change(&mut found, ok);
            if !ok {
                messages::store::add(tx, ctx, &trouble).await?;
            }
            volumes::store::update(tx, ctx, if ok { "volume.done" } else { "volume.failed" }, &mut found)
                .await
        })
        .or_else(|error: Error| if error.is_not_found() { Ok(()) } else { Err(error) })?;
        Ok(())
    }
}
