//! For a service that runs machines: plain functions, with the caller's context.
//!
//! ```text
//!   reserve ──► connect: where the disk is ──► (the machine has it) ──► complete     detach
//! ```
//! The other way round, [`Guests`] is told what happens to disks that machines have open.

use std::collections::BTreeMap;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use camino::Utf8PathBuf;
use host::LayerPlan;
use host::plan::DiskLimits;
use serde_json::{Value, json};

use crate::attachments::store::Connector;
use crate::attachments::{self, Attachment, store as attached};
use crate::volumes::{self, Volume, load};
use crate::words::{invalid_input, no_attachment, no_volume};
use crate::{Cinder, layers, qos};

/// A volume as a machine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Also the disk's serial number.
    pub volume_id: String,
    pub bytes: u64,
    /// Other machines may write it at the same time, and can: it is one raw file.
    pub multiattach: bool,
    pub readonly: bool,
    /// In the key manager: what opens its encrypted layers.
    pub key_id: Option<String>,
    /// What the volume type's QoS specs ask of whoever runs machines.
    pub limits: DiskLimits,
    /// From the lowest up to the one that is written. Each stands on the one before it, whatever its header says.
    pub layers: Vec<LayerPlan>,
    /// Of the layers.
    pub files: Vec<Utf8PathBuf>,
    /// Of the last layer.
    pub path: Utf8PathBuf,
    /// Some: machines open it there.
    pub rbd: Option<host::RbdImage>,
}

/// Where a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub disk: Disk,
    /// What its type's QoS specs say to whoever opens it. None: it has none, or they are for the backend alone.
    pub qos_specs: Option<BTreeMap<String, String>>,
}

impl Connection {
    /// In the shape that connectors of OpenStack read.
    pub fn info(&self) -> Value {
        let Disk { volume_id, readonly, layers, path, key_id, .. } = &self.disk;
        json!({
            "driver_volume_type": "local",
            "serial": volume_id,
            "volume_id": volume_id,
            "data": {
                "volume_id": volume_id,
                "device_path": path,
                "format": layers.last().map_or("raw", |layer| layer.format.as_str()),
                "access_mode": if *readonly { "ro" } else { "rw" },
                "discard": true,
                "encrypted": key_id.is_some(),
                "qos_specs": self.qos_specs,
                "cacheable": false,
            },
        })
    }
}

/// Whoever runs machines. Each call may come again after a crash.
#[async_trait]
pub trait Guests: Send + Sync + 'static {
    /// From now on the server's machine writes into the disk's last layer, which is empty. One that does not run will
    /// find it when it starts.
    async fn switch(&self, server_id: &str, disk: &Disk) -> Result<()>;
    /// A running machine reads the disk through these layers from now on and has no other one open: one that it had was
    /// merged into the one below it.
    async fn rebase(&self, server_id: &str, disk: &Disk) -> Result<()>;
    /// Makes a disk that a running machine has open as large as it says, and tells the guest. False: no machine has it
    /// open.
    async fn extend(&self, server_id: &str, disk: &Disk) -> Result<bool>;
    /// Is this attachment a server's, so that only its service may end it?
    async fn uses(&self, server_id: &str, attachment_id: &str) -> Result<bool>;
}

impl Cinder {
    /// 404 unless `ctx` may see it.
    pub async fn volume(&self, ctx: &Ctx, id: &str) -> Result<Volume> {
        load(&mut *self.db.read().await?, ctx, id).await
    }

    /// The volume is this server's from now on; 400 in Cinder's words when it cannot be.
    pub async fn reserve(&self, ctx: &Ctx, volume_id: &str, server_id: &str) -> Result<Attachment> {
        attached::create(&self.db, ctx, volume_id, Some(server_id), None, None).await
    }

    /// Where it is, for a machine that is about to have it. The disk does not move while it is connected, but
    /// [`Guests::switch`] adds layers.
    pub async fn connect(
        &self,
        ctx: &Ctx,
        attachment_id: &str,
        host: &str,
        mountpoint: &str,
    ) -> Result<Disk> {
        let connector = Connector::read(&json!({"host": host, "mountpoint": mountpoint}));
        let one = attached::connect(&self.db, ctx, attachment_id, &connector).await?;
        let mut disk = self.opened(self.connection(&one.volume_id).await?.disk).await?;
        disk.readonly |= one.mode.as_deref() == Some("ro");
        Ok(disk)
    }

    pub async fn complete(&self, ctx: &Ctx, attachment_id: &str) -> Result<()> {
        attached::complete(&self.db, ctx, attachment_id).await.map(|_| ())
    }

    /// Gone already is fine.
    pub async fn detach(&self, ctx: &Ctx, attachment_id: &str) -> Result<()> {
        match attached::delete(&self.db, ctx, attachment_id).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done.map(|_| ()),
        }
    }

    pub async fn attachment(&self, id: &str) -> Result<Attachment> {
        attached::get(&mut *self.db.read().await?, id).await?.ok_or_else(|| no_attachment(id))
    }

    /// In the order in which they were attached.
    pub async fn attachments_of(&self, server_id: &str) -> Result<Vec<Attachment>> {
        Ok(attached::of_server(&mut *self.db.read().await?, server_id).await?)
    }

    /// Where a volume is now, after everything that is to be made for it is there.
    pub async fn connection(&self, volume_id: &str) -> Result<Connection> {
        self.waker.wake_and_wait(&format!("volume/{volume_id}")).await.map_err(|reason| {
            Error::unavailable(format!("Volume {volume_id} is not ready yet; try again.")).because(reason)
        })?;
        self.connection_as_told(volume_id).await
    }

    /// As rows say it is.
    pub(crate) async fn connection_as_told(&self, volume_id: &str) -> Result<Connection> {
        let disk = self.disk(volume_id).await?;
        let mut conn = self.db.read().await?;
        let volume = volumes::store::get(&mut conn, volume_id).await?.ok_or_else(|| no_volume(volume_id))?;
        let qos_specs = qos::front_end::specs(&mut conn, &volume).await?;
        Ok(Connection { disk, qos_specs })
    }

    /// With the key of its encrypted layers.
    pub(crate) async fn opened(&self, mut disk: Disk) -> Result<Disk> {
        if let Some(id) = &disk.key_id {
            let whose = format!("volume {}", disk.volume_id);
            let key = self.keys.passphrase(&mut *self.db.read().await?, id, &whose).await?;
            for layer in disk.layers.iter_mut().filter(|layer| layer.cipher.is_some()) {
                layer.key = Some(key.clone());
            }
        }
        Ok(disk)
    }

    pub(crate) async fn disk(&self, volume_id: &str) -> Result<Disk> {
        let mut conn = self.db.read().await?;
        let volume = volumes::store::get(&mut conn, volume_id).await?.ok_or_else(|| no_volume(volume_id))?;
        let chain = layers::store::chain(&mut conn, &volume.head).await?;
        let limits = qos::front_end::limits(&mut conn, &volume).await?;
        drop(conn);
        let (id, format) = chain.last().map_or(("", host::LayerFormat::Raw), |top| (&top.id, top.format));
        Ok(Disk {
            bytes: u64::try_from(volume.bytes()).unwrap_or(0),
            multiattach: volume.multiattach && layers::is_alone(&chain),
            limits,
            readonly: volume.readonly == Some(true),
            key_id: volume.key_id,
            path: self.driver.path(id, format),
            rbd: self.driver.remote(id),
            files: chain.iter().map(|layer| self.driver.path(&layer.id, layer.format)).collect(),
            layers: layers::plans(&chain, None),
            volume_id: volume.id,
        })
    }

    /// Does a server have the volume by this attachment?
    async fn is_used(&self, one: &Attachment) -> Result<bool> {
        match (self.guests.get(), &one.server_id) {
            (Some(guests), Some(server)) if one.is_connected() => guests.uses(server, &one.id).await,
            _ => Ok(false),
        }
    }

    /// 409 when one has: only the service that runs it may end that.
    pub(crate) async fn check_unused(&self, ctx: &Ctx, one: &Attachment) -> Result<()> {
        if ctx.auth.has_role("service") || !self.is_used(one).await? {
            return Ok(());
        }
        Err(compute_api(one.server_id.as_deref().unwrap_or_default()))
    }

    /// Of a volume's attachments those that no server has.
    pub(crate) async fn unused(&self, volume_id: &str) -> Result<Vec<Attachment>> {
        let all = attached::of_volume(&mut *self.db.read().await?, volume_id).await?;
        let mut unused = Vec::new();
        for one in all {
            if !self.is_used(&one).await? {
                unused.push(one);
            }
        }
        Ok(unused)
    }

    /// For the older actions, which may leave out the attachment. Only a service is believed without one that can be looked
    /// at.
    pub(crate) async fn check_detach(&self, ctx: &Ctx, volume: &Volume, id: Option<&str>) -> Result<()> {
        if ctx.auth.has_role("service") {
            return Ok(());
        }
        let mut conn = self.db.read().await?;
        let one = match id {
            Some(id) => attachments::store::get(&mut conn, id).await?,
            None => {
                let mut all = attachments::store::of_volume(&mut conn, &volume.id).await?;
                match all.len() {
                    0 => return Ok(()),
                    1 => all.pop(),
                    _ => None,
                }
            }
        };
        drop(conn);
        match one {
            Some(one) if one.volume_id != volume.id => Err(invalid_input("Mismatched volume and attachment")),
            Some(one) => self.check_unused(ctx, &one).await,
            None => Err(compute_api("")),
        }
    }
}

fn compute_api(server: &str) -> Error {
    Error::conflict(format!("Detach volume from instance {server} using the Compute API"))
}
