//! Disk images built on this machine from Debian packages, without loop mounts, and official ones fetched.
//!
//! ```text
//! process   run a program; an error names the Debian package that has it, or the last lines it said
//! cache     finished parts on disk: keyed by their inputs, checksummed, never half made
//! debian    a Debian root file system from the machine's own mirror (mmdebstrap)
//! disk      a root tree -> partitioned, GRUB-bootable, compressed qcow2
//! tiny      the small test guest: busybox, dropbear, a metadata script; ssh in seconds under TCG
//! node      the Kubernetes node: Debian, cloud-init, containerd, kubelet, kubeadm, container images
//! fetch     official cloud images of CirrOS, Debian and Ubuntu, with their checksums
//! ```
//!
//! How an image comes to be:
//!
//! ```text
//! Cache::open ─> debian::bootstrap ─> root tree ─> disk::build ─> Cache::file ─> BuiltImage
//!                (a cached tar)       (own files)  (ext4+GRUB)    (rename)
//! ```
//!
//! Everything here is plain synchronous code that starts programs and writes files; it knows no service and
//! no cloud, and depends on no other crate of the workspace. Call it from a blocking task.

pub mod cache;
pub mod debian;
pub mod disk;
mod error;
pub mod fetch;
pub mod node;
pub mod process;
mod progress;
pub mod tiny;

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

pub use cache::{Cache, Key};
pub use error::{Error, Result};
pub use progress::{Step, Watch, silent, step};

/// A finished image, with what an image service wants to know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    pub path: Utf8PathBuf,
    /// Name to give it in the image service, for instance `tiny`.
    pub name: String,
    /// `qcow2`, as in Glance's `disk_format`.
    pub disk_format: String,
    /// Smallest disk a flavor may have, in GiB.
    pub min_disk_gib: u64,
    /// Least memory it runs in, in MiB.
    pub min_ram_mib: u64,
    /// Glance properties: `os_distro`, `hw_disk_bus` and so on.
    pub properties: BTreeMap<String, String>,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}
