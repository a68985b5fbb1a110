//! Images that another service of this cloud makes: Nova's snapshots and backups of servers' disks.

use base::{Ctx, Result};
use camino::{Utf8Path, Utf8PathBuf};
use db::Tx;
use serde_json::Value;

use crate::images::{Image, Status, rules, store};
use crate::members::{self, Member};
use crate::{Glance, data};

impl Glance {
    /// A queued image of the caller's project, not written yet; `body` is that of `POST /v2/images`.
    pub fn plan_image(&self, ctx: &Ctx, body: &Value) -> Result<Image> {
        rules::new_image(ctx, body)
    }

    /// Writes it in the transaction that also says what it is for: neither is ever there without the other.
    /// An admin's image of another project's server is shared with that project.
    pub async fn insert_image(&self, tx: &mut Tx, ctx: &Ctx, image: &Image, project: &str) -> Result<()> {
        store::create_in(tx, ctx, image).await?;
        if image.owner.as_deref() == Some(project) {
            return Ok(());
        }
        members::store::create_in(tx, ctx, &Member::invited(&image.id, project)).await
    }

    /// A place on the images' own disk for data of this image that is still being made. Whoever makes it removes it.
    pub fn scratch_file(&self, id: &str, suffix: &str) -> Utf8PathBuf {
        self.files.path(self.files.default_store(), &format!("{id}.{suffix}"))
    }

    /// Fills a queued image with a finished file, which stays where it is. An image that is active already is fine: the
    /// call may come again after a crash. 404 when somebody deleted the image meanwhile.
    pub async fn fill_image(&self, ctx: &Ctx, id: &str, disk_format: &str, file: &Utf8Path) -> Result<()> {
        let image = self.image(ctx, id).await?;
        if image.status == Status::Active {
            return Ok(());
        }
        let image = store::edit(&self.db, ctx, "image.upload", id, |image| {
            image.disk_format = Some(disk_format.to_owned());
            image.container_format.get_or_insert_with(|| "bare".into());
            image.status = Status::Saving;
            Ok(())
        })
        .await?;
        data::upload::adopt(self, ctx, &image, self.files.default_store(), file).await
    }

    /// One that is gone, or protected, is left alone.
    pub async fn discard_image(&self, ctx: &Ctx, id: &str) -> Result<()> {
        let image = match self.image(ctx, id).await {
            Err(error) if error.is_not_found() => return Ok(()),
            image => image?,
        };
        if image.protected {
            return Ok(());
        }
        match store::delete(&self.db, self.keys.get().map(AsRef::as_ref), ctx, &image).await {
            Err(error) if error.is_not_found() => {}
            done => done?,
        }
        self.files.remove(id)
    }

    /// Those of this name that `ctx` may list.
    pub async fn images_named(&self, ctx: &Ctx, name: &str) -> Result<Vec<Image>> {
        let project = if ctx.is_admin() { None } else { Some(ctx.require_project()?) };
        let all = store::list(&mut self.db.read().await?, project).await?;
        Ok(all.into_iter().map(|(image, _)| image).filter(|i| i.name.as_deref() == Some(name)).collect())
    }

    /// Active images of `project` with all of these properties, the newest first.
    pub async fn images_with(&self, project: &str, properties: &[(&str, &str)]) -> Result<Vec<Image>> {
        let all = store::list(&mut self.db.read().await?, Some(project)).await?;
        let has = |image: &Image| {
            properties.iter().all(|(key, value)| image.properties.get(*key).is_some_and(|v| v == value))
        };
        let own = all.into_iter().map(|(image, _)| image).filter(|image| {
            image.status == Status::Active && image.owner.as_deref() == Some(project) && has(image)
        });
        Ok(own.collect())
    }
}
