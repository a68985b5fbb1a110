//! Disks that grow, and come back as they were when their owner changes their mind.

use camino::Utf8Path;
use serde_json::json;

use super::machine::Machine;
use super::paths::VmFiles;
use crate::files::{remove, virtual_size};
use crate::plan::VmPlan;
use crate::process::file_error;
use crate::{Error, Result};

const GIB: u64 = super::GIB;

/// A running machine's disk is as large as the plan says afterwards, unless it is larger. QEMU itself makes it so: it
/// runs confined, and the disk's metadata is a stranger's.
pub(super) async fn grow(machine: &Machine, vm: &VmPlan) -> Result<()> {
    let Some(root) = &vm.root else { return Ok(()) };
    let wanted = root.size_gib.saturating_mul(GIB);
    if wanted <= virtual_size(&machine.files.disk())? {
        return Ok(());
    }
    let monitor = machine.monitor(super::GREETING_LIMIT).await?;
    monitor.execute("block_resize", json!({"node-name": "root", "size": wanted})).await?;
    Ok(())
}

/// Keeps the disk as it is now if the plan's is another size.
pub(super) async fn keep(vm: &VmPlan, files: &VmFiles) -> Result<()> {
    let Some(root) = &vm.root else { return Ok(()) };
    if files.kept_disk().exists() {
        return Ok(());
    }
    let (disk, kept) = (files.disk(), files.kept_disk());
    let (now, wanted) = (virtual_size(&disk)?, root.size_gib.saturating_mul(GIB));
    if wanted != 0 && wanted < now {
        return Err(Error::Refused("Unable to resize disk down.".into()));
    }
    if wanted <= now {
        return Ok(());
    }
    let copied = tokio::task::spawn_blocking(move || copy(&disk, &kept)).await;
    copied.map_err(|error| Error::Refused(error.to_string()))?
}

/// Shares the blocks where the file system can.
fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    let part = to.with_extension("part");
    let copied = std::fs::copy(from, &part).and_then(|_| std::fs::File::open(&part)?.sync_all());
    copied.and_then(|()| std::fs::rename(&part, to)).map_err(|error| {
        drop(std::fs::remove_file(&part));
        file_error("keeping a copy of the disk in", to, error)
    })
}

pub(super) fn settle(files: &VmFiles, revert: bool) -> Result<()> {
    let kept = files.kept_disk();
    if !revert {
        return remove(&kept);
    }
    match std::fs::rename(&kept, files.disk()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file_error("bringing back", &kept, error))
        }
        _ => Ok(()),
    }
}
