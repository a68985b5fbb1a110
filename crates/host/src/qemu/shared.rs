//! The machines that run, and the steps that several calls are made of.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::{OnceCell, broadcast};
use tokio_util::sync::CancellationToken;

use super::machine::{self, Machine};
use super::options::Options;
use super::paths::{self, VmFiles};
use super::record::{Record, Users};
use super::slots::Slots;
use super::volume::Access;
use super::{GIB, argv, blank, drive, launch, quiesce};
use crate::files::{self, ImageInfo, create_overlay, inspect_image, remove};
use crate::ledger::Thing;
use crate::plan::VmPlan;
use crate::probe::{self, Verdict};
use crate::process::{Groups, file_error, is_root};
use crate::{Error, Result};

/// What the driver and the watchers of its machines have in common.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) vms: Utf8PathBuf,
    /// Of QEMU, as `--version` prints it.
    pub(super) version: String,
    pub(super) verdict: OnceCell<Verdict>,
    /// Whether QEMU's tools can use the kernel's newest way to read and write files.
    pub(super) io_uring: OnceCell<bool>,
    pub(super) running: Mutex<HashMap<String, Arc<Machine>>>,
    pub(super) groups: Arc<Groups>,
    pub(super) users: Mutex<Users>,
    pub(super) images: Mutex<HashMap<Utf8PathBuf, (SystemTime, ImageInfo)>>,
    /// Machines whose process was killed while no driver watched.
    pub(super) fallen: Mutex<HashSet<String>>,
    pub(super) changes: broadcast::Sender<String>,
    pub(super) closing: CancellationToken,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) async fn verdict(&self) -> &Verdict {
        let user = is_root().then_some(self.options.first_user.saturating_sub(1));
        let memory = self.options.data_dir.join("accelerator.json");
        let Options { accelerator, binary, .. } = &self.options;
        self.verdict.get_or_init(|| probe::decide(*accelerator, &memory, binary, &self.version, user)).await
    }

    /// How files of disks are best used here; a file's own file system has a say, too.
    pub(super) async fn disk_access(&self) -> Access {
        let io_uring = *self.io_uring.get_or_init(|| files::io_uring_works(&self.vms)).await;
        Access { io_uring, no_flush: self.options.unsafe_disk_cache, ..Access::default() }
    }

    pub(super) fn running(self: &Arc<Self>, id: &str) -> Option<Arc<Machine>> {
        let machine = lock(&self.running).get(id).cloned()?;
        if machine.process.has_ended() {
            // Its watcher has not noticed yet.
            self.ended(&machine);
            return None;
        }
        Some(machine)
    }

    /// Of a process that ended before this driver came: QEMU tells in its log of every end but a violent one.
    pub(super) fn look_at_remains(&self, id: &str) -> Result<()> {
        let files = VmFiles::new(&self.vms, id)?;
        if files.pid().exists() {
            let log = std::fs::read(files.log()).unwrap_or_default();
            if !String::from_utf8_lossy(&log).contains(argv::END) {
                tracing::warn!(machine = id, "a machine was killed while nobody watched");
                lock(&self.fallen).insert(id.to_owned());
            }
            forget_process(&files);
        }
        Ok(())
    }

    pub(super) fn adopt(self: &Arc<Self>, machine: Machine) -> Arc<Machine> {
        let machine = Arc::new(machine);
        lock(&self.fallen).remove(&machine.id);
        lock(&self.running).insert(machine.id.clone(), Arc::clone(&machine));
        tokio::spawn(machine::watch(Arc::clone(self), Arc::clone(&machine)));
        if machine.files.frozen().exists() {
            tokio::spawn(quiesce::thaw_left(Arc::clone(&machine)));
        }
        machine
    }

    /// Whoever notices the end first cleans up, once. A successor of the same id is left alone.
    pub(super) fn ended(&self, machine: &Arc<Machine>) {
        let mut running = lock(&self.running);
        if !running.get(&machine.id).is_some_and(|current| Arc::ptr_eq(current, machine)) {
            return;
        }
        forget_process(&machine.files);
        running.remove(&machine.id);
        // Before the machine can be started again.
        self.groups.leave(&machine.id);
        drop(running);
        let (groups, id) = (Arc::clone(&self.groups), machine.id.clone());
        tokio::spawn(async move { groups.clear(&id).await });
        if !machine.is_quiet() {
            tracing::info!(machine = machine.id, "a machine ended by itself");
            self.tell(&machine.id);
        }
    }

    pub(super) fn tell(&self, id: &str) {
        // Nobody listening is fine: state() says the same.
        drop(self.changes.send(id.to_owned()));
    }

    /// Images do not change, so each is looked at once.
    pub(super) async fn inspect(&self, path: &Utf8Path, format: &str) -> Result<ImageInfo> {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|error| file_error("opening the image", path, error))?;
        let known = lock(&self.images).get(path).cloned();
        if let Some((when, info)) = known
            && when == modified
            && info.format == format
        {
            return Ok(info);
        }
        let info = inspect_image(path, format).await?;
        lock(&self.images).insert(path.to_owned(), (modified, info.clone()));
        Ok(info)
    }

    pub(super) async fn prepare(&self, vm: &VmPlan) -> Result<()> {
        let files = VmFiles::new(&self.vms, &vm.id)?;
        if let Some(ledger) = &self.options.ledger {
            ledger.note(Thing::Machine { id: vm.id.clone() })?;
        }
        make_private_dir(files.dir())?;
        if Record::read(&files).is_none() {
            let user = lock(&self.users).take()?;
            Record { user, slots: Slots::default() }
                .write(&files)
                .inspect_err(|_| lock(&self.users).give_back(user))?;
        }
        match &vm.root {
            Some(root) if !files.disk().exists() => {
                link_image(&root.image, &files.image()).await?;
                let image = self.inspect(&files.image(), &root.image_format).await?;
                let bytes = disk_size(image.virtual_size, root.size_gib)?;
                create_overlay(&files.disk(), &files.image(), &root.image_format, bytes).await?;
            }
            None if vm.disks.is_empty() => {
                return Err(Error::Refused("there is nothing to boot from".into()));
            }
            _ => {}
        }
        match &vm.rescue {
            Some(rescue) if !files.rescue_disk().exists() => {
                // The image that the server was made from may be deleted by now, but for our own name of it.
                let disk = &rescue.disk;
                let source = match &vm.root {
                    Some(root) if disk.image == root.image => launch::image_of(root, &files),
                    _ => disk.image.clone(),
                };
                link_image(&source, &files.rescue_image()).await?;
                let image = self.inspect(&files.rescue_image(), &disk.image_format).await?;
                let bytes = disk_size(image.virtual_size, disk.size_gib)?;
                create_overlay(&files.rescue_disk(), &files.rescue_image(), &disk.image_format, bytes)
                    .await?;
            }
            None if self.is_at_rest(&vm.id) => {
                for path in [files.rescue_disk(), files.rescue_image(), files.rescue_drive()] {
                    remove(&path)?;
                }
            }
            _ => {}
        }
        blank::prepare(vm, &files)?;
        if let Some(content) = &vm.config_drive
            && !files.drive_for(vm).exists()
        {
            drive::write(&files.drive_for(vm), content)?;
        }
        Ok(())
    }

    fn is_at_rest(&self, id: &str) -> bool {
        !lock(&self.running).contains_key(id)
    }

    pub(super) async fn stop(self: &Arc<Self>, id: &str, grace: Option<Duration>) -> Result<()> {
        lock(&self.fallen).remove(id);
        let Some(machine) = self.running(id) else {
            // What a suspended machine remembers is gone like a running one's memory.
            return remove(&VmFiles::new(&self.vms, id)?.memory());
        };
        machine.silence();
        let off = match grace {
            Some(grace) => machine.power_off(grace).await,
            None => false,
        };
        if !off {
            machine.quit().await?;
        }
        self.ended(&machine);
        Ok(())
    }
}

/// No size asked for: the image's own.
pub(super) fn disk_size(image: u64, size_gib: u64) -> Result<u64> {
    let asked = size_gib.saturating_mul(GIB);
    match asked {
        0 => Ok(image),
        _ if asked < image => Err(Error::Image(format!(
            "the image needs a disk of {} GiB, the machine has {size_gib}: choose a larger flavor",
            image.div_ceil(GIB)
        ))),
        _ => Ok(asked),
    }
}

/// Machines with a directory.
pub(super) fn ids(vms: &Utf8Path) -> Result<Vec<String>> {
    let failed = |error| file_error("listing", vms, error);
    let mut ids = Vec::new();
    for entry in vms.read_dir_utf8().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_owned();
        if paths::is_id(&name) {
            ids.push(name);
        }
    }
    ids.sort();
    Ok(ids)
}

pub(super) fn make_private_dir(path: &Utf8Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| file_error("making", path, error))
}

/// Another name for the image's file, which then outlives the image; on another file system a copy.
async fn link_image(image: &Utf8Path, own: &Utf8Path) -> Result<()> {
    remove(own)?;
    std::fs::metadata(image).map_err(|error| file_error("opening the image", image, error))?;
    if std::fs::hard_link(image, own).is_ok() {
        return Ok(());
    }
    let part = own.with_extension("part");
    let copied = match tokio::fs::copy(image, &part).await {
        Ok(_) => std::fs::rename(&part, own),
        Err(error) => Err(error),
    };
    copied.map_err(|error| {
        // It may not even have been made.
        drop(std::fs::remove_file(&part));
        file_error("copying the image to", own, error)
    })
}

/// What is left of a process that is no more.
pub(super) fn forget_process(files: &VmFiles) {
    for name in launch::SOCKETS.iter().map(|name| files.dir().join(name)).chain([files.pid()]) {
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %name, %error, "a file could not be removed");
            }
            _ => {}
        }
    }
}
