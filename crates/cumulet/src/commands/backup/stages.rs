//! Where what goes into an archive is held together: on the disks that it lies on.

use anyhow::{Context, bail};
use camino::{Utf8Path, Utf8PathBuf};
use host::daemon::PidLock;

use crate::config::{DataDir, Settings};
use crate::stores;

/// Made beside the data, so that files need not be copied to be kept as they are.
pub const NAME: &str = "backup.part";

/// One process has them at a time.
pub struct Stages {
    pub whole: Utf8PathBuf,
    /// Of image stores outside of the data directory: id, directory, stage.
    pub stores: Vec<(String, Utf8PathBuf, Utf8PathBuf)>,
    _lock: PidLock,
}

impl Stages {
    /// Empty ones, whatever an archive that came to no end has left in them.
    pub fn take(data: &DataDir, settings: &Settings) -> anyhow::Result<Self> {
        match Self::try_take(data, settings)? {
            Some(stages) => Ok(stages),
            None => bail!("another backup of this cloud is being written: run this again when it is done"),
        }
    }

    fn try_take(data: &DataDir, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(lock) = PidLock::acquire(&data.backup_lock())? else { return Ok(None) };
        let stores = stores::of(settings)?.into_iter().map(|(id, dir)| {
            let stage = dir.join(stores::BACKUP);
            (id, dir, stage)
        });
        let stages = Self { whole: data.path().join(NAME), stores: stores.collect(), _lock: lock };
        stages.clear()?;
        Ok(Some(stages))
    }

    pub fn clear(&self) -> anyhow::Result<()> {
        clear(&self.whole)?;
        self.stores.iter().try_for_each(|(_, _, stage)| stores::drop_kept(stage))
    }
}

/// Second names in the stages of a backup that was killed keep space taken and volumes' layers apart.
pub fn clear_left(data: &DataDir, settings: &Settings) -> anyhow::Result<()> {
    Stages::try_take(data, settings).map(drop)
}

fn clear(stage: &Utf8Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(stage) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {stage}"))
        }
        _ => Ok(()),
    }
}
