//! What is on a volume is thrown away, and it is an image's data from then on. Snapshots stay.

use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use db::{AnyConnection, Tx};
use glance::Image;

use super::actions::Action;
use super::{Status, Volume, create, load, rules, store};
use crate::form::since;
use crate::layers::{self, Layer};
use crate::snapshots::{self, Snapshot};
use crate::words::{any_of, invalid_snapshot, invalid_volume};
use crate::{Cinder, attachments, policy};

/// `os-reimage`.
pub async fn begin(action: &Action<'_>) -> Result<web::Response> {
    let (cinder, ctx, id) = (action.cinder, &action.asker.ctx, &action.volume.id);
    since(ctx, 68)?;
    action.may(if action.volume.status == Status::Reserved {
        &policy::REIMAGE_RESERVED
    } else {
        &policy::REIMAGE
    })?;
    let form = action.form(&["image_id", "reimage_reserved"])?;
    let image = form.required_uuid("image_id")?;
    let states: &[Status] = match form.flag("reimage_reserved")? {
        Some(true) => &[Status::Available, Status::Error, Status::Reserved],
        _ => &[Status::Available, Status::Error],
    };
    let all = attachments::store::of_volume(&mut *cinder.db.read().await?, id).await?;
    check_free(action.volume, &all, states)?;
    let image = cinder.glance.image(ctx, image).await?;
    db::write!(cinder.db, |tx| {
        let mut volume = load(tx, ctx, id).await?;
        check_free(&volume, &attachments::store::of_volume(tx, id).await?, states)?;
        cinder.replace(tx, ctx, &mut volume, &image).await
    })?;
    action.wake();
    Ok(web::no_content(202))
}

fn check_free(volume: &Volume, all: &[attachments::Attachment], states: &[Status]) -> Result<()> {
    if all.len() > 1 {
        let words = "Cannot re-image a volume which is attached to more than one server.";
        return Err(Error::conflict(words));
    }
    if states.contains(&volume.status) && !all.iter().any(attachments::Attachment::is_connected) {
        return Ok(());
    }
    let words: Vec<&str> = states.iter().map(|status| status.as_str()).collect();
    Err(invalid_volume(format!(
        "Volume {} status must be {}, but current status is {}.",
        volume.id,
        any_of(&words),
        volume.status.as_str()
    )))
}

fn check_image(volume: &Volume, image: &Image) -> Result<()> {
    if image.properties.contains_key(rules::IMAGE_KEY) {
        return Err(Error::bad_request(format!(
            "Image {} is unacceptable: it is encrypted; make a new volume of it.",
            image.id
        )));
    }
    rules::image_fits(image, volume.size)?;
    create::format_of(image).map(|_| ())
}

/// What it says of snapshots is of no use to an image that is made of the volume.
fn metadata_of(image: &Image) -> BTreeMap<String, String> {
    let mut metadata = create::metadata_of(image);
    metadata.retain(|key, _| !["block_device_mapping", "bdm_v2", "root_device_name"].contains(&key.as_str()));
    metadata
}

impl Cinder {
    /// 400 unless this image fits into the volume.
    pub async fn check_image(&self, conn: &mut AnyConnection, volume: &Volume, image: &Image) -> Result<()> {
        match create::root_snapshot(image) {
            Some(id) => self.check_snapshot(conn, volume, image, &id).await.map(|_| ()),
            None => check_image(volume, image),
        }
    }

    /// An image of a server that boots from a volume has no data, and says which snapshot it is. Whose image it is may write
    /// any id there, also after the caller was asked: only snapshots of the volume's own project count.
    async fn check_snapshot(
        &self,
        conn: &mut AnyConnection,
        volume: &Volume,
        image: &Image,
        id: &str,
    ) -> Result<Snapshot> {
        rules::image_fits(image, volume.size)?;
        let found = snapshots::store::get(conn, id).await?;
        let own = found.filter(|snapshot| snapshot.project_id == volume.project_id);
        let snapshot = own.ok_or_else(|| {
            Error::not_found(format!(
                "Nova specific image is found, but boot volume snapshot id:{id} not found."
            ))
        })?;
        if snapshot.size > volume.size {
            return Err(Error::bad_request(format!(
                "Volume size must be greater than the image size. (Image: {}, Volume: {}).",
                snapshot.size, volume.size
            )));
        }
        if snapshot.status != "available" {
            return Err(invalid_snapshot("Originating snapshot status must be one of 'available' values"));
        }
        let of = store::get(conn, &snapshot.volume_id).await?.and_then(|of| of.key_id);
        let opens = match (&volume.key_id, &of) {
            (None, None) => true,
            (Some(own), Some(other)) => self.keys.are_same(conn, own, other).await?,
            _ => false,
        };
        if !opens {
            return Err(Error::bad_request(format!(
                "Image {} is unacceptable: its snapshot has not the volume's key; make a new volume of it.",
                image.id
            )));
        }
        Ok(snapshot)
    }

    async fn replace(&self, tx: &mut Tx, ctx: &Ctx, volume: &mut Volume, image: &Image) -> Result<()> {
        let below = match create::root_snapshot(image) {
            Some(id) => self.check_snapshot(tx, volume, image, &id).await?.layer,
            None => {
                check_image(volume, image)?;
                let bytes = image.virtual_size.or(image.size).unwrap_or(0);
                let base = Layer::of_image(&image.id, create::format_of(image)?, bytes);
                layers::store::insert(tx, &base).await?;
                base.id
            }
        };
        let head = Layer::over(&below, volume.bytes()).locked(volume.cipher.clone());
        layers::store::insert(tx, &head).await?;
        let old = [Some(std::mem::replace(&mut volume.head, head.id)), volume.writing.take()];
        volume.image_metadata = metadata_of(image);
        volume.image_id = Some(image.id.clone());
        volume.bootable = true;
        store::update(tx, ctx, "volume.reimage", volume).await?;
        for layer in old.iter().flatten() {
            layers::store::release(tx, layer).await?;
        }
        Ok(())
    }

    /// Of a volume that no machine has open, by who sees to that.
    pub async fn reimage(&self, ctx: &Ctx, volume_id: &str, image: &Image) -> Result<()> {
        db::write!(self.db, |tx| {
            let mut volume = load(tx, ctx, volume_id).await?;
            self.replace(tx, ctx, &mut volume, image).await
        })?;
        self.changed(volume_id);
        Ok(())
    }
}
