//! Volumes that machines write, as they are at one moment: for a copy of the whole cloud.
//!
//! ```text
//!   head                 the machine writes it
//!   head ◄── new head    now it stays as it is, and may be copied for as long as that takes
//! ```

use base::{Error, Result};
use camino::Utf8Path;
use db::Db;
use host::LayerFormat;

use crate::reconcile::acting_in;
use crate::volumes::freeze::freeze;
use crate::volumes::{self, Volume};
use crate::{Cinder, attachments, layers};

impl Cinder {
    /// Servers that were told where a volume is.
    pub async fn servers_with_volumes(&self) -> Result<Vec<String>> {
        attachments::store::servers(&mut *self.db.read().await?).await.map_err(Into::into)
    }

    /// Puts into `dir` the layers that this server's machine may write, as they are now, and answers with their names. While
    /// the machine is paused all of them are of the same moment. With the rows and all other layers they make the volumes.
    /// One of several machines is not among them, nor what another machine keeps. 409: a volume is being changed.
    pub async fn hold_volumes(&self, server_id: &str, dir: &Utf8Path) -> Result<Vec<String>> {
        let all = attachments::store::of_server(&mut *self.db.read().await?, server_id).await?;
        let mut held = Vec::new();
        for one in all.iter().filter(|one| one.is_connected()) {
            let found = volumes::store::get(&mut *self.db.read().await?, &one.volume_id).await?;
            if let Some(volume) = found {
                held.extend(self.hold(&volume, dir).await?);
            }
        }
        Ok(held)
    }

    async fn hold(&self, volume: &Volume, dir: &Utf8Path) -> Result<Option<String>> {
        let disk = self.disk(&volume.id).await?;
        // A simulated one has no file.
        if disk.rbd.is_some() || disk.multiattach || !disk.path.exists() {
            return Ok(None);
        }
        // Layers that are encrypted or shall be one file again do not merge: more of them would stay for ever.
        if volume.cipher.is_some() || volume.multiattach {
            let name = disk.path.file_name().unwrap_or_default().to_owned();
            let (from, to) = (disk.path, dir.join(&name));
            let copied = tokio::task::spawn_blocking(move || std::fs::copy(from, to)).await;
            copied.map_err(Error::internal)?.map_err(Error::internal)?;
            return Ok(Some(name));
        }
        // Of a call before, which met a volume that was being changed.
        let old = dir.join(disk.path.file_name().unwrap_or_default());
        if old.exists() {
            std::fs::remove_file(old).map_err(Error::internal)?;
        }
        let ctx = acting_in(&volume.project_id);
        let volume = db::write!(self.db, |tx| {
            let mut now = volumes::load(tx, &ctx, &volume.id).await?;
            let changes = now.writing.is_some() || now.pending_size.is_some() || now.upload.is_some();
            if changes {
                return Err(Error::conflict(format!("Volume {} is being changed.", now.id)));
            }
            freeze(tx, &mut now).await?;
            volumes::store::update(tx, &ctx, "volume.hold", &mut now).await?;
            Ok(now)
        })?;
        self.settle_head(&ctx, &volume).await?;
        let opened = self.opened(self.disk(&volume.id).await?).await?;
        let head = opened.layers.last().ok_or_else(|| Error::internal("a volume has no layer"))?;
        let name = opened.path.file_name().unwrap_or_default().to_owned();
        self.driver.make_at(head, &dir.join(&name)).await.map_err(Error::internal)?;
        Ok(Some(name))
    }
}

/// Layers that were held before these rows were copied are those that machines may write by the rows, of what is in `dir`: no
/// more and no less. The answer is a volume for which that is not so.
pub async fn held_otherwise(rows: &Db, held: &[String], dir: &Utf8Path) -> Result<Option<String>> {
    let mut conn = rows.read().await?;
    let mut left: Vec<&String> = held.iter().collect();
    for volume in volumes::store::list(&mut conn, None).await? {
        let Some(head) = layers::store::get(&mut conn, &volume.head).await? else { continue };
        let name = format!("{}.{}", head.id, head.format.as_str());
        let known = left.iter().position(|held| **held == name);
        if let Some(at) = known {
            left.swap_remove(at);
            continue;
        }
        let all = attachments::store::of_volume(&mut conn, &volume.id).await?;
        let written = all.iter().any(|one| one.is_connected() && one.server_id.is_some());
        let shared = volume.multiattach && head.format == LayerFormat::Raw;
        if written && !shared && dir.join(&name).exists() {
            return Ok(Some(volume.id));
        }
    }
    Ok(left.first().map(|name| format!("of layer {name}")))
}
