//! Layers in a pool of Ceph, by its own program `rbd`; machines open them by QEMU's own driver.
//!
//! ```text
//!   blank       layer.A                       an image
//!   snapshot    layer.A ─► layer.B @A         the image goes on under the new layer's name; the old layer is a snapshot of it
//!   clone       layer.B @A ◄── layer.C        a clone of that snapshot
//!   deleted B   dead.B @A                     what others stand on stays until nobody does
//! ```
//! So a machine that has the volume open goes on in the image that it has open, whatever its name, and has not to be told. The
//! pool is this cloud's alone: an image says whose it is.

mod images;
mod program;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::images::{Images, dead, layer_image};
use self::program::Rbd;
use super::lock::Secrets;
use super::{LayerBase, LayerFormat, LayerPlan, Lock, Passphrase, VolumeSpace, Volumes};
use crate::files::{Conversion, convert};
use crate::process::Confinement;
use crate::{DiskImage, Error, Result};

/// The image that says whose pool it is.
const OWNER: &str = "cumulet.owner";

#[derive(Debug, Clone)]
pub struct RbdOptions {
    pub pool: String,
    /// Without `client.`
    pub user: String,
    pub conf: Utf8PathBuf,
    /// The user's key.
    pub keyring: Utf8PathBuf,
    /// Who this cloud is, for good.
    pub owner: String,
    /// For data on its way from and to files.
    pub scratch: Utf8PathBuf,
    /// `rbd` and `ceph`.
    pub programs: [String; 2],
}

impl RbdOptions {
    pub fn new(pool: &str, user: &str, owner: &str, scratch: Utf8PathBuf) -> Self {
        Self {
            pool: pool.into(),
            user: user.into(),
            conf: "/etc/ceph/ceph.conf".into(),
            keyring: format!("/etc/ceph/ceph.client.{user}.keyring").into(),
            owner: owner.into(),
            scratch,
            programs: ["rbd", "ceph"].map(str::to_owned),
        }
    }
}

/// An image as QEMU opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RbdImage {
    pub pool: String,
    pub image: String,
    pub user: String,
    pub conf: Utf8PathBuf,
    /// The user's key as Ceph writes it: base64.
    pub key: Passphrase,
}

impl RbdImage {
    /// `secret`: the name of the object that holds the key.
    pub(crate) fn node(&self, name: &str, secret: &str, writable: bool) -> Value {
        json!({
            "driver": "rbd", "node-name": name, "pool": self.pool, "image": self.image, "user": self.user,
            "conf": self.conf, "key-secret": secret, "read-only": !writable, "discard": "unmap",
        })
    }
}

/// The driver of machines whose volumes are in Ceph.
#[derive(Debug)]
pub struct RbdVolumes {
    rbd: Rbd,
    options: RbdOptions,
    key: Passphrase,
    /// Names and snapshots change one at a time: a name decides what a snapshot is of.
    turn: Mutex<()>,
}

impl RbdVolumes {
    /// # Errors
    /// One sentence on what is missing: a program, QEMU's driver, the key, the pool; or that the pool is another cloud's.
    pub async fn open(options: RbdOptions) -> Result<Self> {
        let rbd = Rbd::new(&options);
        rbd.check_programs().await?;
        let key = program::key(&options.keyring)?;
        let volumes = Self { rbd, options, key, turn: Mutex::new(()) };
        volumes.take_pool().await?;
        Ok(volumes)
    }

    async fn take_pool(&self) -> Result<()> {
        let owner = &self.options.owner;
        if !self.rbd.images().await?.has(OWNER) {
            self.rbd.create(OWNER, 1 << 20).await?;
        }
        match self.rbd.note(OWNER).await? {
            None => self.rbd.set_note(OWNER, owner).await,
            Some(other) if other == *owner => Ok(()),
            Some(other) => Err(Error::Refused(format!(
                "pool {} is the cloud's {other}, and this one is {owner}: give each cloud a pool of its own",
                self.options.pool
            ))),
        }
    }

    /// What goes on under another name, or a clone of it.
    async fn make_over(&self, images: &Images, layer: &LayerPlan, base: &str) -> Result<()> {
        let name = layer_image(&layer.id);
        if let Some(snapshot) = images.snapshot(base)
            && snapshot.image != layer_image(base)
        {
            if !snapshot.protected {
                self.rbd.protect(&snapshot.image, base).await?;
            }
            return self.rbd.clone_of(&snapshot.image, base, &name).await;
        }
        let lower = layer_image(base);
        if !images.has(&lower) {
            return Err(Error::Refused(format!("layer {base} is not in pool {}", self.options.pool)));
        }
        match images.snapshot(base) {
            None => {
                self.rbd.snapshot(&lower, base).await?;
                self.rbd.protect(&lower, base).await?;
            }
            Some(snapshot) if !snapshot.protected => self.rbd.protect(&lower, base).await?,
            // A call that was cut off.
            Some(_) => {}
        }
        self.rbd.rename(&lower, &name).await
    }

    async fn import(&self, from: &Utf8Path, layer: &LayerPlan) -> Result<()> {
        let part = images::part(&layer.id);
        self.forget(&part).await?;
        let scratch = self.scratch(&layer.id);
        let source = match layer.format {
            LayerFormat::Raw => from,
            LayerFormat::Qcow2 => {
                to_raw_or(LayerFormat::Qcow2, from, &scratch, LayerFormat::Raw).await?;
                &scratch
            }
        };
        let done = self.rbd.import(source, &part).await;
        crate::files::remove(&scratch)?;
        done?;
        self.rbd.rename(&part, &layer_image(&layer.id)).await
    }

    fn scratch(&self, id: &str) -> Utf8PathBuf {
        self.options.scratch.join(format!("{id}.rbd.part"))
    }

    async fn forget(&self, image: &str) -> Result<()> {
        if self.rbd.images().await?.has(image) { self.rbd.remove(image).await } else { Ok(()) }
    }

    /// Where a layer is: an image, or a snapshot of one.
    async fn place(&self, id: &str) -> Result<String> {
        let images = self.rbd.images().await?;
        // A name is a layer only where no snapshot is: a call that was cut off leaves both, with the same in them.
        match images.snapshot(id) {
            Some(snapshot) => Ok(format!("{}@{id}", snapshot.image)),
            None => Ok(layer_image(id)),
        }
    }

    async fn grow_to(&self, name: &str, bytes: u64) -> Result<()> {
        let there = self.rbd.images().await?.size(name).unwrap_or(0);
        if there < bytes { self.rbd.resize(name, bytes).await } else { Ok(()) }
    }
}

/// A file of one format as a file of another.
async fn to_raw_or(from: LayerFormat, path: &Utf8Path, to: &Utf8Path, format: LayerFormat) -> Result<()> {
    crate::files::remove(to)?;
    let mut source = json!({"driver": from.as_str(), "file": {"driver": "file", "filename": path.as_str()}});
    if from == LayerFormat::Qcow2 {
        source["backing"] = Value::Null;
    }
    let conversion = Conversion {
        source: &source,
        target: to.as_str(),
        format: format.as_str(),
        options: None,
        secrets: Secrets::default(),
    };
    convert(conversion, to, Confinement::default()).await
}

fn not_encrypted(what: &str) -> Error {
    Error::Refused(format!(
        "{what} cannot be encrypted in Ceph yet: its volume type has to be without encryption"
    ))
}

#[async_trait]
impl Volumes for RbdVolumes {
    async fn make(&self, layer: &LayerPlan) -> Result<()> {
        if layer.cipher.is_some() {
            return Err(not_encrypted(&format!("layer {}", layer.id)));
        }
        let (images, name) = (self.rbd.images().await?, layer_image(&layer.id));
        if images.is_frozen(&layer.id) {
            return Ok(());
        }
        if !images.has(&name) {
            match &layer.base {
                LayerBase::Nothing => self.rbd.create(&name, layer.bytes).await?,
                LayerBase::File(from) => self.import(from, layer).await?,
                LayerBase::Layer { id, .. } => {
                    let _turn = self.turn.lock().await;
                    self.make_over(&self.rbd.images().await?, layer, id).await?;
                }
            }
        }
        // An image's data is as large as it is: nobody sees it but through what stands on it.
        if matches!(layer.base, LayerBase::File(_)) { Ok(()) } else { self.grow_to(&name, layer.bytes).await }
    }

    async fn grow(&self, layer: &LayerPlan) -> Result<()> {
        self.grow_to(&layer_image(&layer.id), layer.bytes).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let turn = self.turn.lock().await;
        let images = self.rbd.images().await?;
        let mut gone: Vec<String> = images.parts_of(id).map(str::to_owned).collect();
        if let Some(snapshot) = images.snapshot(id) {
            if snapshot.protected {
                self.rbd.unprotect(&snapshot.image, id).await?;
            }
            self.rbd.remove_snapshot(&snapshot.image, id).await?;
        }
        let name = layer_image(id);
        if images.has(&name) {
            // Others may stand on what it was.
            let needed = images.snapshots_of(&name).any(|other| other != id);
            if needed {
                self.rbd.rename(&name, &dead(id)).await?;
            } else {
                gone.push(name);
            }
        }
        let images = self.rbd.images().await?;
        let empty = images.dead().filter(|name| images.snapshots_of(name).next().is_none());
        gone.extend(empty.map(str::to_owned));
        // That takes as long as there is data.
        drop(turn);
        for image in &gone {
            self.forget(image).await?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>> {
        Ok(self.rbd.images().await?.layers())
    }

    /// As people and Ceph's programs name it.
    fn path(&self, id: &str, _: LayerFormat) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("rbd:{}/{}", self.options.pool, layer_image(id)))
    }

    fn remote(&self, id: &str) -> Option<RbdImage> {
        Some(RbdImage {
            pool: self.options.pool.clone(),
            image: layer_image(id),
            user: self.options.user.clone(),
            conf: self.options.conf.clone(),
            key: self.key.clone(),
        })
    }

    async fn flatten(
        &self,
        chain: &[LayerPlan],
        to: &Utf8Path,
        format: LayerFormat,
        lock: Option<Lock<'_>>,
    ) -> Result<DiskImage> {
        let Some(top) = chain.last() else { return Err(Error::Refused("there is no layer to copy".into())) };
        if lock.is_some() {
            return Err(not_encrypted(&format!("a copy of layer {}", top.id)));
        }
        let scratch = self.scratch(&top.id);
        crate::files::remove(&scratch)?;
        let exported = self.rbd.export(&self.place(&top.id).await?, &scratch).await;
        let done = match (exported, format) {
            (Err(error), _) => Err(error),
            (Ok(()), LayerFormat::Raw) => crate::files::rename(&scratch, to),
            (Ok(()), format) => to_raw_or(LayerFormat::Raw, &scratch, to, format).await,
        };
        crate::files::remove(&scratch)?;
        done?;
        Ok(DiskImage { format: format.as_str().into(), virtual_size: top.bytes })
    }

    async fn copy(&self, chain: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        if layer.cipher.is_some() {
            return Err(not_encrypted(&format!("layer {}", layer.id)));
        }
        let name = layer_image(&layer.id);
        let images = self.rbd.images().await?;
        if images.has(&name) || images.is_frozen(&layer.id) {
            return Ok(());
        }
        let Some(top) = chain.last() else { return Err(Error::Refused("there is no layer to copy".into())) };
        let part = images::part(&layer.id);
        self.forget(&part).await?;
        self.rbd.copy(&self.place(&top.id).await?, &part).await?;
        self.grow_to(&part, layer.bytes).await?;
        self.rbd.rename(&part, &name).await
    }

    async fn space(&self) -> Result<VolumeSpace> {
        self.rbd.space().await
    }
}
