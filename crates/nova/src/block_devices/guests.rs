//! What Cinder tells machines of: a new layer, more room. A machine that is being started is waited for, so that it is told,
//! too; see [`super::turns`].

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use cinder::{Disk, Guests};
use host::plan::{Bus, DiskLayer, DiskPlan};

use super::{BlockDevice, store};
use crate::instance_actions::store as actions;
use crate::{Nova, servers};

#[async_trait]
impl Guests for Nova {
    async fn switch(&self, server_id: &str, disk: &Disk) -> Result<()> {
        let _turn = self.turns.take(server_id).await;
        self.hypervisor.switch_disk(server_id, &plan(None, disk)).await.map_err(told)
    }

    async fn rebase(&self, server_id: &str, disk: &Disk) -> Result<()> {
        let _turn = self.turns.take(server_id).await;
        self.hypervisor.rebase_disk(server_id, &plan(None, disk)).await.map_err(told)
    }

    async fn extend(&self, server_id: &str, disk: &Disk) -> Result<bool> {
        let _turn = self.turns.take(server_id).await;
        let grown =
            self.hypervisor.grow_disk(server_id, &plan(None, disk), disk.bytes).await.map_err(told)?;
        if grown {
            db::write!(self.db, |tx| {
                let Some(server) = servers::store::get(tx, server_id).await? else { return Ok(()) };
                let ctx = Ctx::internal("volumes");
                actions::record(tx, &ctx, server_id, &server.project_id, "extend_volume").await
            })?;
        }
        Ok(grown)
    }

    async fn uses(&self, server_id: &str, attachment_id: &str) -> Result<bool> {
        let all = store::of_server(&mut *self.db.read().await?, server_id).await?;
        Ok(all.iter().any(|device| device.attachment_id.as_deref() == Some(attachment_id)))
    }
}

/// A volume as the driver wants to hear of it.
pub(crate) fn plan(device: Option<&BlockDevice>, disk: &Disk) -> DiskPlan {
    let layers = disk.layers.iter().zip(&disk.files);
    DiskPlan {
        id: disk.volume_id.clone(),
        layers: layers
            .map(|(layer, file)| DiskLayer {
                file: file.clone(),
                format: layer.format,
                encrypted: layer.cipher.is_some(),
            })
            .collect(),
        rbd: disk.rbd.clone(),
        key: disk.layers.iter().find_map(|layer| layer.key.clone()),
        read_only: disk.readonly,
        shared: disk.multiattach,
        limits: disk.limits,
        bus: match device.and_then(|device| device.disk_bus.as_deref()) {
            Some("scsi") => Bus::Scsi,
            Some("usb") => Bus::Usb,
            Some("sata" | "ide") => Bus::Sata,
            _ => Bus::Virtio,
        },
    }
}

/// Cinder tries again what passes by itself.
pub(crate) fn told(error: host::Error) -> Error {
    let text = error.to_string();
    match error {
        host::Error::Refused(_)
        | host::Error::Image(_)
        | host::Error::DiskFull { .. }
        | host::Error::MissingProgram { .. } => Error::conflict(text).because(error),
        _ => Error::unavailable(text).because(error),
    }
}
