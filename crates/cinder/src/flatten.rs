//! Volumes for several machines become one raw file: all that several QEMUs can write at the same time (see
//! docs/decisions/0011). An encrypted volume that stands on something plain (an image, a backup) is copied, too, so that
//! all of it is encrypted. It happens while no machine has the volume.

use base::{Ctx, Error, Result};

use crate::Cinder;
use crate::attachments::{self, Attachment};
use crate::layers::{self, Layer, State, is_alone};
use crate::volumes::{self, Status, Volume};
use crate::words::invalid_volume;

impl Cinder {
    /// Copies what the volume's layers show into one, unless that is so already or somebody has the volume meanwhile:
    /// then it is tried when he has let go.
    pub(crate) async fn flatten(&self, ctx: &Ctx, id: &str) -> Result<()> {
        let Some((volume, chain, target)) = self.begin_flatten(ctx, id).await? else { return Ok(()) };
        let key = self.key_of(&volume).await?;
        let plans = layers::plans(&chain, key.as_ref());
        // One that was copied before a crash may be out of date.
        self.driver.remove(&target.id).await.map_err(Error::internal)?;
        let copied = self.driver.copy(&plans, &target.plan(None, None, key.as_ref())).await;
        let gone: Option<String> = db::write!(self.db, |tx| {
            let found = volumes::store::get(tx, id).await?;
            let same = |now: &Volume| now.flat.as_deref() == Some(&target.id);
            // Nobody waits for the copy any more.
            let Some(mut now) = found.filter(same) else { return Ok(Some(target.id.clone())) };
            now.flat = None;
            // Whoever had the volume in between has left a mark.
            let same = now.generation == volume.generation && is_free(tx, id).await?;
            let gone = match same && copied.is_ok() {
                true => {
                    layers::store::set_ready(tx, std::slice::from_ref(&target.id)).await?;
                    std::mem::replace(&mut now.head, target.id.clone())
                }
                false => target.id.clone(),
            };
            volumes::store::update(tx, ctx, "volume.flatten", &mut now).await?;
            layers::store::release(tx, &gone).await?;
            Ok::<_, Error>(Some(gone))
        })?;
        if let Some(gone) = gone {
            self.waker.wake(&format!("layer/{gone}"));
        }
        copied.map_err(Error::internal)
    }

    /// The volume with its new layer noted, the layers that it has, and the new one. None: nothing to do now.
    async fn begin_flatten(&self, ctx: &Ctx, id: &str) -> Result<Option<(Volume, Vec<Layer>, Layer)>> {
        db::write!(self.db, |tx| {
            let Some(mut volume) = volumes::store::get(tx, id).await? else { return Ok(None) };
            if volume.status == Status::Retyping {
                // It came after the look that led here, and `flat` is another one's.
                return Ok(None);
            }
            let chain = layers::store::chain(tx, &volume.head).await?;
            let at_rest =
                matches!(volume.status, Status::Available | Status::Creating | Status::RestoringBackup)
                    && volume.writing.is_none()
                    && chain.iter().all(|layer| layer.state == State::Ready);
            if is_as_wanted(&volume, &chain) || !at_rest || !is_free(tx, id).await? {
                return match volume.flat.take() {
                    // A crash came between, and then the volume was used.
                    Some(flat) => {
                        // Of a retype that an admin put an end to.
                        let key = volume.flat_key_id.take();
                        self.keys.remove(tx, ctx, key.as_deref()).await?;
                        volume.pending_type = None;
                        volumes::store::update(tx, ctx, "volume.flatten", &mut volume).await?;
                        layers::store::release(tx, &flat).await?;
                        Ok(None)
                    }
                    None => Ok(None),
                };
            }
            let target = match &volume.flat {
                Some(flat) => layers::store::get(tx, flat).await?,
                None => None,
            };
            let target = match target {
                Some(target) => target,
                None => {
                    let target = match volume.multiattach {
                        true => Layer::blank(volume.bytes()),
                        false => Layer::copy(volume.bytes()).locked(volume.cipher.clone()),
                    };
                    layers::store::insert(tx, &target).await?;
                    volume.flat = Some(target.id.clone());
                    volumes::store::update(tx, ctx, "volume.flatten", &mut volume).await?;
                    target
                }
            };
            Ok::<_, Error>(Some((volume, chain, target)))
        })
    }
}

/// A volume for one machine may be of many layers.
fn is_as_wanted(volume: &Volume, chain: &[Layer]) -> bool {
    let encrypted = volume.cipher.is_none() || chain.iter().all(|layer| layer.cipher.is_some());
    encrypted && (!volume.multiattach || is_alone(chain))
}

async fn is_free(conn: &mut db::AnyConnection, id: &str) -> Result<bool> {
    Ok(!attachments::store::of_volume(conn, id).await?.iter().any(Attachment::is_connected))
}

/// May one more machine have this volume beside `others`?
pub(crate) async fn may_share(
    conn: &mut db::AnyConnection,
    volume: &Volume,
    server: Option<&str>,
    others: &[Attachment],
) -> Result<()> {
    let elsewhere = |other: &Attachment| other.server_id.is_none() || other.server_id.as_deref() != server;
    if !volume.multiattach || !others.iter().any(elsewhere) {
        return Ok(());
    }
    if volume.writing.is_none() && is_alone(&layers::store::chain(conn, &volume.head).await?) {
        return Ok(());
    }
    Err(invalid_volume(format!(
        "Volume {} was snapshotted or cloned while a server had it, so only that server can write it; detach it there first.",
        volume.id
    )))
}
