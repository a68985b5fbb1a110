//! What a volume shows stays as it is while it goes on: for snapshots, clones, and copies of volumes in use.

use base::Result;
use db::Tx;

use super::Volume;
use crate::attachments;
use crate::layers::{self, DEEPEST, Layer};
use crate::words::invalid_volume;

/// The volume's head is written no more: the layer that is answered. A new head stands on it.
pub async fn freeze(tx: &mut Tx, volume: &mut Volume) -> Result<String> {
    let frozen = volume.head.clone();
    let open = attachments::store::of_volume(tx, &volume.id).await?;
    if volume.multiattach && open.len() > 1 {
        return Err(invalid_volume(format!(
            "Volume {} is attached to several servers, which cannot go on in a new layer together; detach it from all but \
             one first.",
            volume.id
        )));
    }
    if layers::store::chain(tx, &frozen).await?.len() >= DEEPEST {
        return Err(invalid_volume(format!(
            "Volume {} stands on {DEEPEST} snapshots and clones already; copy it into a new volume by way of an image.",
            volume.id
        )));
    }
    let head = Layer::over(&frozen, volume.bytes()).locked(volume.cipher.clone());
    layers::store::insert(tx, &head).await?;
    if volume.writing.is_none() && open.iter().any(attachments::Attachment::is_connected) {
        volume.writing = Some(frozen.clone());
    }
    volume.head = head.id;
    Ok(frozen)
}
