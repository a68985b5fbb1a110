//! `os-volume_upload_image`: a volume becomes an image.

use base::{Ctx, Error, Result};
use serde_json::json;

use super::actions::Action;
use super::freeze::freeze;
use super::{Status, Volume, rules, store};
use crate::reconcile::acting_in;
use crate::words::{any_of, invalid_volume, no_volume};
use crate::{Cinder, policy, types};

const FORMATS: [&str; 7] = ["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"];

/// Properties of the image that the volume was made of go into the new one, but for what describes that image's data.
const OF_THE_DATA: [&str; 10] = [
    "image_id",
    "image_name",
    "container_format",
    "disk_format",
    "checksum",
    "size",
    "min_disk",
    "min_ram",
    rules::IMAGE_KEY,
    rules::IMAGE_KEY_POLICY,
];

pub async fn begin(action: &Action<'_>) -> Result<web::Response> {
    let ctx = &action.asker.ctx;
    action.may(&policy::UPLOAD)?;
    let mut known = vec!["image_name", "force", "disk_format", "container_format"];
    if ctx.at_least(3, 1) {
        known.extend(["visibility", "protected"]);
    }
    let form = action.form(&known)?;
    let name = form.required_text("image_name")?;
    let force = form.flag("force")?.unwrap_or(false);
    let format = form.one_of("disk_format", &FORMATS)?.unwrap_or("raw");
    if !["raw", "qcow2"].contains(&format) {
        return Err(Error::bad_request(format!(
            "Disk format {format} is not made here: use raw or qcow2, and convert the image afterwards."
        )));
    }
    let container = form.text("container_format", 0)?.unwrap_or("bare");
    if action.volume.key_id.is_some() && (format, container) != ("raw", "bare") {
        return Err(Error::bad_request(
            "An encrypted volume uploaded as an image must use 'raw' disk_format and 'bare' container_format, which are \
             the defaults for these options.",
        ));
    }
    let mut body = json!({"name": name, "disk_format": format, "container_format": container});
    if ctx.at_least(3, 1) {
        let visibility = form.one_of("visibility", &["community", "public", "private", "shared"])?;
        let visibility = visibility.unwrap_or("private");
        if visibility == "public" {
            action.may(&policy::UPLOAD_PUBLIC)?;
        }
        body["visibility"] = json!(visibility);
        body["protected"] = json!(form.flag("protected")?.unwrap_or(false));
    }
    for (key, value) in &action.volume.image_metadata {
        if !OF_THE_DATA.contains(&key.as_str()) && body.get(key).is_none() {
            body[key] = json!(value);
        }
    }
    let cinder = action.cinder;
    let id = &action.volume.id;
    let (volume, kind, image): (Volume, Option<types::VolumeType>, String) = db::write!(cinder.db, |tx| {
        let mut volume = store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
        let allowed = volume.status == Status::Available || force && volume.status == Status::InUse;
        if !allowed {
            let states: &[&str] = if force { &["available", "in-use"] } else { &["available"] };
            return Err(invalid_volume(format!("Volume {id} status must be {}", any_of(states))));
        }
        let mut body = body.clone();
        if let Some(key) = &volume.key_id {
            body[rules::IMAGE_KEY] = json!(cinder.keys.copy(tx, ctx, key).await?);
            body[rules::IMAGE_KEY_POLICY] = json!("on_image_deletion");
        }
        let image = cinder.glance.plan_image(ctx, &body)?;
        cinder.glance.insert_image(tx, ctx, &image, &volume.project_id).await?;
        volume.previous_status = Some(volume.status);
        volume.upload = Some(format!("{} {format}", image.id));
        if volume.status == Status::InUse {
            // What is below its new head is copied, which nobody writes and no other layer comes between.
            freeze(tx, &mut volume).await?;
            volume.upload = Some(format!("{} {format} below", image.id));
        }
        volume.status = Status::Uploading;
        store::update(tx, ctx, "volume.upload", &mut volume).await?;
        let kind = types::store::get(tx, &volume.type_id).await?;
        Ok::<_, Error>((volume, kind, image.id))
    })?;
    action.wake();
    let mut answer = json!({
        "id": volume.id,
        "updated_at": volume.updated_at.map(base::time::micros_naive),
        "status": "uploading",
        "display_description": volume.description,
        "size": volume.size,
        "volume_type": kind.map(|kind| json!({"id": kind.id, "name": kind.name, "description": kind.description})),
        "image_id": image,
        "container_format": container,
        "disk_format": format,
        "image_name": name,
    });
    if ctx.at_least(3, 1) {
        answer["visibility"] = body["visibility"].clone();
        answer["protected"] = body["protected"].clone();
    }
    Ok(web::json(202, &json!({ "os-volume_upload_image": answer })))
}

impl Cinder {
    /// Copies the volume's data. It may have been done before a crash, wholly or in part.
    pub(crate) async fn fill_image(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let upload = volume.upload.as_deref().unwrap_or_default();
        let mut words = upload.split(' ');
        let (image, format) = (words.next().unwrap_or_default(), words.next().unwrap_or("raw"));
        let found = match self.glance.image(ctx, image).await {
            // Somebody deleted it meanwhile.
            Err(error) if error.is_not_found() => return Ok(()),
            found => found?,
        };
        if found.status == glance::Status::Active {
            return Ok(());
        }
        let mut disk = self.opened(self.disk(&volume.id).await?).await?;
        if words.next() == Some("below") {
            disk.layers.pop();
        }
        let file = self.glance.scratch_file(image, "volume");
        let format = host::LayerFormat::parse(format).unwrap_or(host::LayerFormat::Raw);
        let key = self.key_of(volume).await?;
        let cipher = volume.cipher.as_deref().and_then(host::Cipher::read);
        let lock = cipher.as_ref().zip(key.as_ref()).map(|(cipher, key)| host::Lock { cipher, key });
        let copied = self.driver.flatten(&disk.layers, &file, format, lock).await;
        let done = match copied {
            Ok(made) => self.glance.fill_image(ctx, image, &made.format, &file).await,
            Err(error) => Err(Error::internal(error)),
        };
        host::files::remove(&file).map_err(Error::internal)?;
        match done {
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        }
    }

    /// An image that gets no data is of use to nobody, and neither is its copy of the key.
    pub(crate) async fn discard_unfilled(&self, ctx: &Ctx, volume: &Volume) -> Result<()> {
        let upload = volume.upload.as_deref().unwrap_or_default();
        let image = match self.glance.image(ctx, upload.split(' ').next().unwrap_or_default()).await {
            Err(error) if error.is_not_found() => return Ok(()),
            found => found?,
        };
        match &image.owner {
            Some(owner) if matches!(image.status, glance::Status::Queued | glance::Status::Saving) => {
                // Whose the image is may be somebody else than whose the volume is.
                self.glance.discard_image(&acting_in(owner), &image.id).await
            }
            _ => Ok(()),
        }
    }
}
