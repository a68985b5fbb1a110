//! Layers as files of one directory: `<id>.raw` and `<id>.qcow2`, and `<id>.<format>.<n>.part` while they are made.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use super::lock::{self, Secrets};
use super::{LayerBase, LayerFormat, LayerPlan, Lock, VolumeSpace, Volumes};
use crate::files::{
    Conversion, INSPECTOR, check_own_disk, commit, convert, create_part, note_below, resize, stand_on,
    virtual_size,
};
use crate::process::{Confinement, file_error, is_root};
use crate::{DiskImage, Error, Result};

/// The driver of real machines.
#[derive(Debug)]
pub struct FileVolumes {
    dir: Utf8PathBuf,
    parts: AtomicU64,
}

impl FileVolumes {
    /// The directory is made if it is missing.
    pub fn open(dir: &Utf8Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|error| file_error("making", dir, error))?;
        Ok(Self { dir: dir.to_owned(), parts: AtomicU64::new(0) })
    }

    /// A name that nobody else writes to.
    fn part(&self, path: &Utf8Path) -> Utf8PathBuf {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        Utf8PathBuf::from(format!("{path}.{number}.part"))
    }

    /// Gives a whole file its name. Whoever is second leaves the first one's file alone: a machine may write it already.
    fn publish(&self, part: &Utf8Path, path: &Utf8Path) -> Result<()> {
        let synced = File::open(part).and_then(|file| file.sync_all());
        synced.map_err(|error| file_error("writing", part, error))?;
        let named = renameat_with(CWD, part.as_str(), CWD, path.as_str(), RenameFlags::NOREPLACE);
        match named {
            Err(rustix::io::Errno::EXIST) => crate::files::remove(part)?,
            Err(error) => return Err(file_error("renaming", part, error.into())),
            Ok(()) => {}
        }
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| file_error("writing", &self.dir, error))
    }

    fn make_blank(&self, path: &Utf8Path, bytes: u64) -> Result<()> {
        let part = self.part(path);
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let sized = made.and_then(|file| file.set_len(bytes));
        if let Err(error) = sized {
            crate::files::remove(&part)?;
            return Err(match error.kind() {
                std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::InvalidInput => Error::Refused(
                    format!("a file of {bytes} bytes is more than the file system of {path} takes"),
                ),
                _ => file_error("making", path, error),
            });
        }
        self.publish(&part, path)
    }

    fn link(&self, from: &Utf8Path, path: &Utf8Path) -> Result<()> {
        let part = self.part(path);
        if std::fs::hard_link(from, &part).is_err() {
            // Another file system, or one without links.
            std::fs::copy(from, &part).map_err(|error| file_error("copying", from, error))?;
        }
        self.publish(&part, path)
    }
}

/// Layers' files, open, and what they show, in QEMU's words.
struct Tree {
    node: Value,
    files: Vec<File>,
}

impl FileVolumes {
    /// What stands on what is said here: headers were written by processes that ran strangers' guests. The layers from
    /// `written` on may be written, while others have them open.
    fn tree(
        &self,
        chain: &[LayerPlan],
        written: usize,
        confinement: &mut Confinement,
        secrets: &mut Secrets,
    ) -> Result<Tree> {
        let mut tree = Tree { node: Value::Null, files: Vec::with_capacity(chain.len()) };
        for (at, layer) in chain.iter().enumerate() {
            let path = self.path(&layer.id, layer.format);
            let file = OpenOptions::new().read(true).write(at >= written).open(&path);
            let file = file.map_err(|error| file_error("opening", &path, error))?;
            let locked = layer.lock()?;
            if layer.format == LayerFormat::Qcow2 {
                check_own_disk(&path, &file, locked.is_some())?;
            }
            let name = format!("/proc/self/fd/{}", confinement.keep(&file.as_raw_fd()));
            let mut node =
                json!({"driver": layer.format.as_str(), "file": {"driver": "file", "filename": name}});
            if written < chain.len() {
                node["file"]["locking"] = json!("off");
                node["file"]["discard"] = json!("unmap");
                node["discard"] = json!("unmap");
            }
            if layer.format == LayerFormat::Qcow2 {
                node["backing"] = tree.node;
            }
            if let Some(locked) = locked {
                let secret = secrets.add(locked.key, confinement)?;
                lock::unlock(&mut node, layer.format, &secret);
            }
            tree.node = node;
            tree.files.push(file);
        }
        Ok(tree)
    }

    async fn fill_difference(&self, chain: &[LayerPlan], below: &[LayerPlan], part: &Utf8Path) -> Result<()> {
        let (mut confinement, mut secrets) = (Confinement::default(), Secrets::default());
        let source = self.tree(chain, chain.len(), &mut confinement, &mut secrets)?;
        let (names, below) = (below, self.tree(below, below.len(), &mut confinement, &mut secrets)?);
        let new = OpenOptions::new().read(true).write(true).open(part);
        let new = new.map_err(|error| file_error("opening", part, error))?;
        let lent = Lent::to_tool(&mut confinement, &[(&new, part)])?;
        let target = format!("/proc/self/fd/{}", confinement.keep(&new.as_raw_fd()));
        let node = json!({
            "driver": "qcow2", "file": {"driver": "file", "filename": target}, "backing": source.node,
            "detect-zeroes": "unmap", "discard": "unmap",
        });
        let done = stand_on(&node, &below.node, &secrets, part, confinement).await;
        lent.take_back()?;
        done?;
        // The tool's own names of the files mean nothing to whoever looks at it later.
        let Some(last) = names.last() else { return Ok(()) };
        note_below(part, (&format!("{}.{}", last.id, last.format.as_str()), last.format.as_str())).await
    }
}

/// Files that a tool may write which runs as nobody special.
struct Lent(Vec<(File, Utf8PathBuf)>);

impl Lent {
    fn to_tool(confinement: &mut Confinement, files: &[(&File, &Utf8Path)]) -> Result<Self> {
        if !is_root() {
            return Ok(Lent(Vec::new()));
        }
        confinement.user = Some(INSPECTOR);
        confinement.reads_any_file = true;
        let mut lent = Lent(Vec::with_capacity(files.len()));
        for (file, path) in files {
            give(file, path, INSPECTOR)?;
            let file = file.try_clone().map_err(|error| file_error("opening", path, error))?;
            lent.0.push((file, (*path).to_owned()));
        }
        Ok(lent)
    }

    fn take_back(self) -> Result<()> {
        self.0.iter().try_for_each(|(file, path)| give(file, path, 0))
    }
}

fn give(file: &File, path: &Utf8Path, user: u32) -> Result<()> {
    fchown(file, Some(user), Some(user)).map_err(|error| file_error("giving away", path, error))
}

#[async_trait]
impl Volumes for FileVolumes {
    async fn make(&self, layer: &LayerPlan) -> Result<()> {
        let path = self.path(&layer.id, layer.format);
        if path.is_file() {
            return Ok(());
        }
        match (&layer.base, layer.format) {
            (LayerBase::Nothing, LayerFormat::Raw) if layer.cipher.is_none() => {
                self.make_blank(&path, layer.bytes)
            }
            (LayerBase::File(from), _) => self.link(from, &path),
            (_, LayerFormat::Raw) => {
                Err(Error::Refused(format!("layer {} can only be made as qcow2", layer.id)))
            }
            (_, LayerFormat::Qcow2) => {
                let part = self.part(&path);
                self.make_at(layer, &part).await?;
                self.publish(&part, &path)
            }
        }
    }

    async fn make_at(&self, layer: &LayerPlan, path: &Utf8Path) -> Result<()> {
        let below = match &layer.base {
            // By its name alone: the directory may move.
            LayerBase::Layer { id, format } => Some((format!("{id}.{}", format.as_str()), format.as_str())),
            _ => None,
        };
        let below = below.as_ref().map(|(name, format)| (name.as_str(), *format));
        create_part(path, below, layer.bytes, layer.lock()?).await
    }

    async fn grow(&self, layer: &LayerPlan) -> Result<()> {
        let path = self.path(&layer.id, layer.format);
        if layer.format == LayerFormat::Raw {
            let failed = |error| file_error("extending", &path, error);
            let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            if file.metadata().map_err(failed)?.len() < layer.bytes {
                file.set_len(layer.bytes).and_then(|()| file.sync_all()).map_err(failed)?;
            }
            return Ok(());
        }
        if virtual_size(&path)? < layer.bytes {
            resize(&path, layer.bytes, layer.lock()?).await?;
        }
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let failed = |error| file_error("reading", &self.dir, error);
        crate::files::remove(&self.path(id, LayerFormat::Raw))?;
        crate::files::remove(&self.path(id, LayerFormat::Qcow2))?;
        for entry in self.dir.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().starts_with(id) && entry.file_name().ends_with(".part") {
                crate::files::remove(entry.path())?;
            }
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<String>> {
        let failed = |error| file_error("reading", &self.dir, error);
        let mut ids = std::collections::BTreeSet::new();
        for entry in self.dir.read_dir_utf8().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some((id, _)) = entry.file_name().split_once('.') {
                ids.insert(id.to_owned());
            }
        }
        Ok(ids.into_iter().collect())
    }

    fn path(&self, id: &str, format: LayerFormat) -> Utf8PathBuf {
        self.dir.join(format!("{id}.{}", format.as_str()))
    }

    async fn flatten(
        &self,
        chain: &[LayerPlan],
        to: &Utf8Path,
        format: LayerFormat,
        lock: Option<Lock<'_>>,
    ) -> Result<DiskImage> {
        let (mut confinement, mut secrets) = (Confinement::default(), Secrets::default());
        let source = self.tree(chain, chain.len(), &mut confinement, &mut secrets)?;
        let virtual_size = chain.last().map_or(0, |layer| layer.bytes);
        let new = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(to);
        let new = new.map_err(|error| file_error("making", to, error))?;
        let lent = Lent::to_tool(&mut confinement, &[(&new, to)])?;
        let target = format!("/proc/self/fd/{}", confinement.keep(&new.as_raw_fd()));
        let options = match lock {
            Some(lock) => Some(lock.options(format, &secrets.add(lock.key, &mut confinement)?)),
            None => None,
        };
        let conversion = Conversion {
            source: &source.node,
            target: &target,
            format: lock::driver(format, lock.is_some()),
            options,
            secrets,
        };
        let done = convert(conversion, to, confinement).await;
        lent.take_back()?;
        if let Err(error) = done {
            crate::files::remove(to)?;
            return Err(error);
        }
        new.sync_all().map_err(|error| file_error("writing", to, error))?;
        Ok(DiskImage { format: format.as_str().into(), virtual_size })
    }

    async fn copy(&self, chain: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        let path = self.path(&layer.id, layer.format);
        if path.is_file() {
            return Ok(());
        }
        let part = self.part(&path);
        self.flatten(chain, &part, layer.format, layer.lock()?).await?;
        self.publish(&part, &path)
    }

    fn merges(&self) -> bool {
        true
    }

    /// Machines have both open and go on: of the lower one they read only what the upper one lacks, and that stays.
    async fn merge(&self, chain: &[LayerPlan]) -> Result<()> {
        let Some(at) = chain.len().checked_sub(2) else {
            return Err(Error::Refused("one layer alone cannot be merged".into()));
        };
        let (mut confinement, mut secrets) = (Confinement::default(), Secrets::default());
        let source = self.tree(chain, at, &mut confinement, &mut secrets)?;
        let path = self.path(&chain[at].id, chain[at].format);
        let (lower, upper) = (&source.files[at], &source.files[at + 1]);
        // A tool that outlived the process that called it would ruin the file together with this one; it has the lock.
        lower.try_lock().map_err(|error| file_error("locking", &path, error.into()))?;
        let names = lower.metadata().map_err(|error| file_error("reading", &path, error))?.nlink();
        if names > 1 {
            return Err(Error::Refused(format!("{path} is being kept as it is: it has {names} names")));
        }
        let lent = Lent::to_tool(&mut confinement, &[(lower, &path), (upper, &path)])?;
        let merged = commit(&source.node, &secrets, &path, confinement).await;
        lent.take_back()?;
        merged?;
        lower.sync_all().map_err(|error| file_error("writing", &path, error))
    }

    async fn difference(&self, chain: &[LayerPlan], below: &[LayerPlan], layer: &LayerPlan) -> Result<()> {
        let path = self.path(&layer.id, layer.format);
        if path.is_file() {
            return Ok(());
        }
        let part = self.part(&path);
        create_part(&part, None, layer.bytes, None).await?;
        let done = self.fill_difference(chain, below, &part).await;
        if let Err(error) = done {
            crate::files::remove(&part)?;
            return Err(error);
        }
        self.publish(&part, &path)
    }

    async fn space(&self) -> Result<VolumeSpace> {
        let told = rustix::fs::statvfs(self.dir.as_str());
        let told = told.map_err(|error| file_error("measuring", &self.dir, error.into()))?;
        Ok(VolumeSpace {
            total_bytes: told.f_blocks * told.f_frsize,
            free_bytes: told.f_bavail * told.f_frsize,
        })
    }
}
