//! Volumes that are plans in a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use super::{Faults, Operation};
use crate::process::file_error;
use crate::{DiskImage, Error, LayerBase, LayerFormat, LayerPlan, Lock, Result, VolumeSpace, Volumes};

/// Orders by metadata are a server's.
static NO_HINTS: BTreeMap<String, String> = BTreeMap::new();

/// Bytes of a disk with nothing on it.
const EMPTY_DISK: usize = 512;

/// The fake driver of volumes. It forgets everything when it ends, and nobody notices: rows say what there is.
#[derive(Debug)]
pub struct FakeVolumes {
    faults: Faults,
    layers: Mutex<BTreeMap<String, LayerPlan>>,
    /// What a guest would have written, by layer and place.
    written: Mutex<BTreeMap<String, BTreeMap<u64, u64>>>,
    space: VolumeSpace,
}

impl FakeVolumes {
    /// `delay`: how long each call takes.
    pub fn new(delay: Duration) -> Self {
        let space = VolumeSpace { total_bytes: 1 << 50, free_bytes: 1 << 50 };
        Self { faults: Faults::new(delay), layers: Mutex::default(), written: Mutex::default(), space }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// As last planned.
    pub fn layer(&self, id: &str) -> Option<LayerPlan> {
        self.layers().get(id).cloned()
    }

    /// As a guest would.
    pub fn write(&self, layer: &str, at: u64, what: u64) {
        self.written().entry(layer.to_owned()).or_default().insert(at, what);
    }

    /// What a guest would read of the last of these layers, where that is not 0.
    pub fn shows(&self, chain: &[LayerPlan]) -> BTreeMap<u64, u64> {
        let written = self.written();
        let layers = chain.iter().filter_map(|layer| written.get(&layer.id));
        let mut shown: BTreeMap<u64, u64> = layers.flatten().map(|(at, what)| (*at, *what)).collect();
        shown.retain(|_, what| *what != 0);
        shown
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<u64, u64>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As when a file is opened that is not there.
    fn open(&self, chain: &[LayerPlan]) -> Result<()> {
        let layers = self.layers();
        match chain.iter().find(|layer| !layers.contains_key(&layer.id)) {
            Some(gone) => Err(Error::Refused(format!("layer {} has no file", gone.id))),
            None => Ok(()),
        }
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

    async fn make_at(&self, _: &LayerPlan, _: &Utf8Path) -> Result<()> {
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
        self.written().remove(id);
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
        self.difference(chain, &[], layer).await
    }

    fn merges(&self) -> bool {
        true
    }

    async fn merge(&self, chain: &[LayerPlan]) -> Result<()> {
        let [.., lower, upper] = chain else { return Err(Error::Refused("nothing to merge".into())) };
        self.faults.pass(Operation::MergeVolume, &lower.id, &NO_HINTS).await?;
        self.open(chain)?;
        let mut written = self.written();
        let more = written.get(&upper.id).cloned().unwrap_or_default();
        written.entry(lower.id.clone()).or_default().extend(more);
        if let Some(there) = self.layers().get_mut(&lower.id) {
            there.bytes = there.bytes.max(upper.bytes);
        }
        Ok(())
    }

    async fn difference(&self, chain: &[LayerPlan], below: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        let top = chain.last().map_or("", |layer| &layer.id);
        self.faults.pass(Operation::CopyVolume, top, &NO_HINTS).await?;
        chain.iter().chain([layer]).try_for_each(|layer| layer.lock().map(|_| ()))?;
        self.open(chain)?;
        self.open(below)?;
        let there = self.shows(below);
        let mut shown = self.shows(chain);
        for at in there.keys() {
            shown.entry(*at).or_insert(0);
        }
        shown.retain(|at, what| there.get(at) != Some(what));
        self.layers().insert(layer.id.clone(), layer.clone());
        self.written().insert(layer.id.clone(), shown);
        Ok(())
    }

    async fn space(&self) -> Result<VolumeSpace> {
        Ok(self.space)
    }
}
