//! Volumes, seen as layers: in files ([`FileVolumes`]), or in Ceph ([`rbd`]).
//!
//! ```text
//!   blank        raw                         written by its volume
//!   snapshot     raw ◄── qcow2               the lower one is never written again, the upper one is the volume now
//!   clone        raw ◄─┬ qcow2               the source
//!                      └ qcow2               the copy: nothing was copied
//!   from image   image ◄── qcow2             the image's file by another name, so it may be deleted
//! ```
//! What a guest sees of a layer that something stands on never changes, and none stands on an encrypted one without being so,
//! too. Which layers there should be is the caller's; here are their files.

mod files;
pub(crate) mod lock;
pub mod rbd;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use crate::{DiskImage, Error, Result};

pub use files::FileVolumes;
pub use lock::{Cipher, Lock, Passphrase};
pub use rbd::{RbdImage, RbdOptions, RbdVolumes};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerFormat {
    Raw,
    Qcow2,
}

impl LayerFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            LayerFormat::Raw => "raw",
            LayerFormat::Qcow2 => "qcow2",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [LayerFormat::Raw, LayerFormat::Qcow2].into_iter().find(|format| format.as_str() == text)
    }
}

/// What a new layer begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerBase {
    /// Zeros.
    Nothing,
    /// What was never written is read from there.
    Layer { id: String, format: LayerFormat },
    /// It is this file, which is never written again by anybody.
    File(Utf8PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPlan {
    /// A UUID.
    pub id: String,
    pub format: LayerFormat,
    /// What a guest sees.
    pub bytes: u64,
    pub base: LayerBase,
    /// Some: it is encrypted.
    pub cipher: Option<Cipher>,
    /// What opens an encrypted one, where it is to be opened.
    pub key: Option<Passphrase>,
}

impl LayerPlan {
    /// None: it is not encrypted.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] when it is, and its key is not known.
    pub fn lock(&self) -> Result<Option<Lock<'_>>> {
        match (&self.cipher, &self.key) {
            (None, _) => Ok(None),
            (Some(cipher), Some(key)) => Ok(Some(Lock { cipher, key })),
            (Some(_), None) => Err(lock::no_key(&self.id)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeSpace {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// Every call may come again after a crash, and several at once.
#[async_trait]
pub trait Volumes: Send + Sync + 'static {
    /// The layer's file is there afterwards, whole. One that is there already is left as it is.
    async fn make(&self, layer: &LayerPlan) -> Result<()>;
    /// The file of a qcow2 layer that nobody has written to yet, elsewhere.
    async fn make_at(&self, layer: &LayerPlan, path: &Utf8Path) -> Result<()> {
        Err(Error::Refused(format!("layer {} has no file, at {path} or elsewhere", layer.id)))
    }
    /// The topmost layer of a volume that no machine has open is as large as planned; it is never made smaller.
    async fn grow(&self, layer: &LayerPlan) -> Result<()>;
    /// Gone already is fine.
    async fn remove(&self, id: &str) -> Result<()>;
    /// Ids of layers that have any file here, half-made ones too.
    async fn list(&self) -> Result<Vec<String>>;
    /// Where a layer's file is.
    fn path(&self, id: &str, format: LayerFormat) -> Utf8PathBuf;
    /// What a guest sees of the last layer, which stands on the one before it and so on, as a new file that needs no
    /// other: "raw" or "qcow2"; encrypted with a `lock`.
    async fn flatten(
        &self,
        chain: &[LayerPlan],
        to: &Utf8Path,
        format: LayerFormat,
        lock: Option<Lock<'_>>,
    ) -> Result<DiskImage>;
    /// Makes a layer that stands on nothing and shows what a guest sees of the last one of `chain`.
    async fn copy(&self, chain: &[LayerPlan], layer: &LayerPlan) -> Result<()>;
    /// Whether [`Volumes::merge`] and [`Volumes::difference`] can be had.
    fn merges(&self) -> bool {
        false
    }
    /// Writes what the last layer of `chain` has into the one before it, so that both show the same. Nobody writes either of
    /// them, and nobody sees the one before it but through the last one: whoever does so sees no difference, now or when
    /// this was cut off, and the last one stays as it is.
    async fn merge(&self, chain: &[LayerPlan]) -> Result<()> {
        Err(Error::Refused(format!("{} layers cannot be merged", chain.len())))
    }
    /// Makes a layer that stands on the last one of `below`, shows what a guest sees of the last one of `chain`, and has no
    /// more than what differs.
    async fn difference(&self, chain: &[LayerPlan], below: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        Err(Error::Refused(format!("{} cannot be {} layers less {}", layer.id, chain.len(), below.len())))
    }
    async fn space(&self) -> Result<VolumeSpace>;
    /// Some: machines open a volume whose last layer this is there, and not by files.
    fn remote(&self, _id: &str) -> Option<RbdImage> {
        None
    }
}
