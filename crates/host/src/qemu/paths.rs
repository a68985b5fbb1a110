//! The files of one machine. All belong to root: its QEMU gets them open and can reach nothing by name.

use std::fs::{File, TryLockError};
use std::os::fd::AsRawFd;

use camino::{Utf8Path, Utf8PathBuf};

use crate::plan::VmPlan;
use crate::process::file_error;
use crate::{Error, Result};

#[derive(Debug, Clone)]
pub(super) struct VmFiles {
    dir: Utf8PathBuf,
}

impl VmFiles {
    pub(super) fn new(vms: &Utf8Path, id: &str) -> Result<Self> {
        if !is_id(id) {
            return Err(Error::Refused(format!("`{id}` is not a machine's id: it must be a UUID")));
        }
        Ok(Self { dir: vms.join(id) })
    }

    pub(super) fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    pub(super) fn disk(&self) -> Utf8PathBuf {
        self.dir.join("disk.qcow2")
    }

    /// The image below the disk: a name of this machine's own for the image's file, which may be deleted meanwhile.
    pub(super) fn image(&self) -> Utf8PathBuf {
        self.dir.join("image")
    }

    /// The disk as it was before a resize that may be reverted.
    pub(super) fn kept_disk(&self) -> Utf8PathBuf {
        self.dir.join("disk-before.qcow2")
    }

    pub(super) fn rescue_disk(&self) -> Utf8PathBuf {
        self.dir.join("rescue.qcow2")
    }

    pub(super) fn rescue_image(&self) -> Utf8PathBuf {
        self.dir.join("rescue-image")
    }

    pub(super) fn rescue_drive(&self) -> Utf8PathBuf {
        self.dir.join("rescue-config.img")
    }

    /// A machine in rescue has another password, so it has another drive.
    pub(super) fn drive_for(&self, vm: &VmPlan) -> Utf8PathBuf {
        if vm.rescue.is_some() { self.rescue_drive() } else { self.config_drive() }
    }

    /// The state of a suspended machine.
    pub(super) fn memory(&self) -> Utf8PathBuf {
        self.dir.join("memory.img")
    }

    /// There while its guest's file systems are frozen.
    pub(super) fn frozen(&self) -> Utf8PathBuf {
        self.dir.join("frozen")
    }

    pub(super) fn config_drive(&self) -> Utf8PathBuf {
        self.dir.join("config.img")
    }

    pub(super) fn console(&self) -> Utf8PathBuf {
        self.dir.join("console.log")
    }

    /// What QEMU says of itself.
    pub(super) fn log(&self) -> Utf8PathBuf {
        self.dir.join("qemu.log")
    }

    /// The process's number; the process holds a lock on it as long as it lives.
    pub(super) fn pid(&self) -> Utf8PathBuf {
        self.dir.join("pid")
    }

    /// Whether some process holds the lock: QEMU, or the child of a daemon that is about to become QEMU.
    pub(super) fn is_held(&self) -> bool {
        File::open(self.pid()).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    pub(super) fn record(&self) -> Utf8PathBuf {
        self.dir.join("vm.json")
    }

    /// A socket's address holds 108 bytes and a data directory may be deep, so sockets are named through an open
    /// directory. `use_it` gets a short path that is valid while it runs.
    pub(super) async fn with_socket<T>(
        &self,
        name: &str,
        use_it: impl AsyncFnOnce(&str) -> std::io::Result<T>,
    ) -> Result<T> {
        let failed = |error| file_error("opening the socket", &self.dir.join(name), error);
        let dir = File::open(&self.dir).map_err(failed)?;
        let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        use_it(&short).await.map_err(failed)
    }
}

/// Lower-case UUIDs only: an id becomes a directory's name.
pub(super) fn is_id(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
