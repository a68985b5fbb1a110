//! Volumes that are plans in a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use super::{Faults, Operation};
use crate::process::file_error;
use crate::{DiskImage, LayerBase, LayerFormat, LayerPlan, Lock, Result, VolumeSpace, Volumes};

/// Orders by metadata are a server's.
static NO_HINTS: BTreeMap<String, String> = BTreeMap::new();

/// Bytes of a disk with nothing on it.
const EMPTY_DISK: usize = 512;

/// The fake driver of volumes. It forgets everything when it ends, and nobody notices: rows say what there is.
#[derive(Debug)]
pub struct FakeVolumes {
    faults: Faults,
    layers: Mutex<BTreeMap<String, LayerPlan>>,
    space: VolumeSpace,
}

impl FakeVolumes {
    /// `delay`: how long each call takes.
    pub fn new(delay: Duration) -> Self {
        let space = VolumeSpace { total_bytes: 1 << 50, free_bytes: 1 << 50 };
        Self { faults: Faults::new(delay), layers: Mutex::default(), space }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// As last planned.
    pub fn layer(&self, id: &str) -> Option<LayerPlan> {
        self.layers().get(id).cloned()
    }

    fn layers(&self) -> MutexGuard<'_, BTreeMap<String, LayerPlan>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Volumes for FakeVolumes {
    async fn make(&self, layer: &LayerPlan) -> Result<()> {
        self.faults.pass(Operation::MakeVolume, &layer.id, &NO_HINTS).await?;
        layer.lock()?;
        self.layers().entry(layer.id.clone()).or_insert_with(|| layer.clone());
        Ok(())
    }

    async fn grow(&self, layer: &LayerPlan) -> Result<()> {
        self.faults.pass(Operation::GrowVolume, &layer.id, &NO_HINTS).await?;
        layer.lock()?;
        let mut layers = self.layers();
        let there = layers.entry(layer.id.clone()).or_insert_with(|| layer.clone());
        there.bytes = there.bytes.max(layer.bytes);
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.faults.pass(Operation::RemoveVolume, id, &NO_HINTS).await?;
        self.layers().remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>> {
        Ok(self.layers().keys().cloned().collect())
    }

    fn path(&self, id: &str, format: LayerFormat) -> Utf8PathBuf {
        Utf8PathBuf::from(format!("/simulated/{id}.{}", format.as_str()))
    }

    /// The image below, if there is one; disks are never written here.
    async fn flatten(
        &self,
        chain: &[LayerPlan],
        to: &Utf8Path,
        _: LayerFormat,
        _: Option<Lock<'_>>,
    ) -> Result<DiskImage> {
        let top = chain.last().map_or("", |layer| &layer.id);
        self.faults.pass(Operation::CopyVolume, top, &NO_HINTS).await?;
        chain.iter().try_for_each(|layer| layer.lock().map(|_| ()))?;
        let failed = |error| file_error("copying the disk to", to, error);
        let virtual_size = chain.last().map_or(0, |layer| layer.bytes);
        if let Some(LayerPlan { base: LayerBase::File(image), format, .. }) = chain.first()
            && tokio::fs::copy(image, to).await.is_ok()
        {
            return Ok(DiskImage { format: format.as_str().into(), virtual_size });
        }
        tokio::fs::write(to, vec![0; EMPTY_DISK]).await.map_err(failed)?;
        Ok(DiskImage { format: "raw".into(), virtual_size })
    }

    async fn copy(&self, chain: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        let top = chain.last().map_or("", |layer| &layer.id);
        self.faults.pass(Operation::CopyVolume, top, &NO_HINTS).await?;
        chain.iter().chain([layer]).try_for_each(|layer| layer.lock().map(|_| ()))?;
        self.layers().insert(layer.id.clone(), layer.clone());
        Ok(())
    }

    async fn space(&self) -> Result<VolumeSpace> {
        Ok(self.space)
    }
}
