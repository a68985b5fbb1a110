//! From received bytes to an active image.

use base::{Ctx, Error};
use bytes::Bytes;
use futures::Stream;

use super::files::told;
use super::receive::{Received, receive};
use crate::Glance;
use crate::images::{Image, Status, store};

/// Receives the data of an image that is `saving`: it is active afterwards, or queued again.
pub async fn finish<E>(
    glance: &Glance,
    ctx: &Ctx,
    mut image: Image,
    body: impl Stream<Item = Result<Bytes, E>> + Send,
) -> base::Result<()>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let part = glance.files.part(&image.id);
    let accepted = async {
        let received = receive(body, &part).await?;
        let virtual_size = inspect(&image, &received, &part).await?;
        std::fs::rename(&part, glance.files.path(&image.id)).map_err(|e| told("rename", &part, e))?;
        Ok((received, virtual_size))
    };
    match accepted.await {
        Ok((received, virtual_size)) => {
            image.status = Status::Active;
            image.size = Some(received.size);
            image.virtual_size = virtual_size;
            image.checksum = Some(received.md5);
            image.hash_algo = Some("sha512".into());
            image.hash_value = Some(received.sha512);
            let done = store::update(&glance.db, ctx, "image.activate", &image).await;
            if done.is_err() {
                // Deleted or changed while its data came: the row decides, the data goes.
                glance.files.remove(&image.id)?;
            }
            done
        }
        Err(error) => {
            glance.files.remove(&image.id)?;
            image.status = Status::Queued;
            store::update(&glance.db, ctx, "image.upload_failed", &image).await?;
            Err(error)
        }
    }
}

/// Refuses data that is not what the image says (415, as Glance since 2026) and anything that reaches outside itself.
async fn inspect(image: &Image, received: &Received, part: &camino::Utf8Path) -> base::Result<Option<i64>> {
    let format = image.disk_format.as_deref().unwrap_or_default();
    if received.size == 0 || !matches!(image.container_format.as_deref(), Some("bare")) {
        return Ok(None);
    }
    match host::files::inspect_image(part, format).await {
        Ok(info) => Ok(i64::try_from(info.virtual_size).ok()),
        Err(host::Error::Image(why)) => Err(Error::unsupported_media_type(format!(
            "Image content does not match its disk_format {format}: {why}"
        ))),
        Err(other) => Err(Error::internal(other)),
    }
}
