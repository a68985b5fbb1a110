//! From received bytes to an active image, or to staged data.

use base::{Ctx, Error, Kind, Result};
use bytes::Bytes;
use camino::Utf8Path;
use futures::Stream;

use super::digests::ALGORITHM;
use super::receive::{Received, place, receive};
use super::{files, formats};
use crate::Glance;
use crate::images::{Image, Status, store};

/// Receives the data of an image that is `saving`: it is active afterwards, or queued again.
pub async fn finish<E>(
    glance: &Glance,
    ctx: &Ctx,
    image: &Image,
    target: &str,
    body: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> Result<()>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let part = glance.files.part(target, &image.id);
    let received = async { receive(body, &part, glance.room(image).await?).await }.await;
    settle(glance, ctx, image, target, received).await
}

/// The same with a file that is finished and not changed any more; it stays where it is.
pub async fn adopt(glance: &Glance, ctx: &Ctx, image: &Image, target: &str, file: &Utf8Path) -> Result<()> {
    let (from, part) = (file.to_owned(), glance.files.part(target, &image.id));
    let received = tokio::task::spawn_blocking(move || {
        files::remove(&part)?;
        // On the same file system it is only one more name.
        if std::fs::hard_link(&from, &part).is_err() {
            std::fs::copy(&from, &part).map_err(|e| files::told("copy data to", &part, e))?;
        }
        received(&part)
    });
    settle(glance, ctx, image, target, received.await.map_err(Error::internal)?).await
}

/// What was received (as the store's `.part`) becomes the image's data, or is refused.
async fn settle(
    glance: &Glance,
    ctx: &Ctx,
    image: &Image,
    target: &str,
    received: Result<Received>,
) -> Result<()> {
    let part = glance.files.part(target, &image.id);
    let accepted = async {
        let received = received?;
        let virtual_size = formats::inspect(image, received.size, &part).await?;
        place(&part, &glance.files.path(target, &image.id))?;
        Ok((received, virtual_size))
    };
    match accepted.await {
        Ok((received, virtual_size)) => {
            let done = store::edit(&glance.db, ctx, "image.activate", &image.id, |image| {
                expect(image, Status::Saving)?;
                image.status = Status::Active;
                image.stores = vec![target.to_owned()];
                describe(image, &received, virtual_size);
                Ok(())
            })
            .await;
            match done {
                Ok(image) => {
                    if image.is_unhashed() {
                        glance.hashing.wake(&image.id);
                    }
                    Ok(())
                }
                Err(e) => {
                    // Deleted while its data came: the row decides, the data goes.
                    glance.files.remove_from(target, &image.id)?;
                    Err(if e.is_not_found() { gone(&image.id) } else { e })
                }
            }
        }
        Err(error) => {
            glance.files.remove_from(target, &image.id)?;
            back_to_queued(glance, ctx, &image.id, Status::Saving).await?;
            Err(error)
        }
    }
}

/// Receives data that waits for its import.
pub async fn stage<E>(
    glance: &Glance,
    ctx: &Ctx,
    image: &Image,
    body: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> Result<()>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let part = glance.files.staged_part(&image.id);
    let accepted = async {
        let limit = glance.room(image).await?;
        let received = receive(body, &part, limit).await?;
        place(&part, &glance.files.staged(&image.id))?;
        Ok(received.size)
    };
    let done = match accepted.await {
        Ok(size) => store::edit(&glance.db, ctx, "image.stage", &image.id, |image| {
            expect(image, Status::Uploading)?;
            image.size = Some(size);
            Ok(())
        })
        .await
        .map(|_| ()),
        Err(error) => {
            back_to_queued(glance, ctx, &image.id, Status::Uploading).await?;
            Err(error)
        }
    };
    done.map_err(|e| {
        if let Err(left) = glance.files.unstage(&image.id) {
            tracing::warn!(image = image.id, error = %left, "staged data is left over");
        }
        if e.is_not_found() { gone(&image.id) } else { e }
    })
}

/// What is known of an image's data now that it is there.
pub fn describe(image: &mut Image, received: &Received, virtual_size: Option<i64>) {
    image.size = Some(received.size);
    image.virtual_size = virtual_size;
    image.hash_algo = Some(ALGORITHM.into());
    let (md5, sha512) = received.digests.clone().unzip();
    image.checksum = md5;
    image.hash_value = sha512;
}

/// Data that is in place already, received elsewhere.
pub fn received(path: &Utf8Path) -> Result<Received> {
    let size = std::fs::metadata(path).map_err(|e| files::told("look at", path, e))?.len();
    Ok(Received { size: i64::try_from(size).unwrap_or(i64::MAX), digests: None })
}

fn expect(image: &Image, status: Status) -> Result<()> {
    if image.status == status { Ok(()) } else { Err(gone(&image.id)) }
}

async fn back_to_queued(glance: &Glance, ctx: &Ctx, id: &str, from: Status) -> Result<()> {
    let done = store::edit(&glance.db, ctx, "image.upload_failed", id, |image| {
        if image.status == from {
            image.requeue();
        }
        Ok(())
    })
    .await;
    match done {
        Err(e) if !e.is_not_found() => Err(e),
        _ => Ok(()),
    }
}

fn gone(id: &str) -> Error {
    Error::new(
        Kind::Gone,
        format!(
            "Image {id} could not be found after upload. The image may have been deleted during the upload, cleaning \
             up the chunks uploaded."
        ),
    )
}
