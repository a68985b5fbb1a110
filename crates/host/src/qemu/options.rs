//! What the driver is told, and who gives it network cards.

use std::os::fd::OwnedFd;
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8PathBuf;

use crate::Result;
use crate::link::open_tap;
use crate::network::LinuxNetwork;
use crate::plan::NicPlan;
use crate::probe::AcceleratorChoice;

#[derive(Debug, Clone)]
pub struct Options {
    /// Machines live in `vms` below; the KVM test's verdict in `accelerator.json`.
    pub data_dir: Utf8PathBuf,
    pub binary: String,
    pub accelerator: AcceleratorChoice,
    /// Machines run as users from this number on.
    pub first_user: u32,
    /// Guests' flushes are ignored. For test clouds: a crash of the host damages disks.
    pub unsafe_disk_cache: bool,
    /// Bytes of a console's log.
    pub console_limit: u64,
    /// A soft reboot whose guest has not shut down by then becomes a hard one.
    pub reboot_grace: Duration,
}

impl Options {
    pub fn new(data_dir: impl Into<Utf8PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            binary: "qemu-system-x86_64".into(),
            accelerator: AcceleratorChoice::Auto,
            first_user: 0x63_0000,
            unsafe_disk_cache: false,
            console_limit: 4 << 20,
            reboot_grace: Duration::from_secs(120),
        }
    }
}

/// Where a machine's network cards are plugged in.
#[async_trait]
pub trait TapSource: Send + Sync + 'static {
    /// An open tap device, connected to the card's network.
    async fn open_tap(&self, nic: &NicPlan) -> Result<OwnedFd>;
}

#[async_trait]
impl TapSource for LinuxNetwork {
    async fn open_tap(&self, nic: &NicPlan) -> Result<OwnedFd> {
        open_tap(&self.namespace(&nic.network_id), &nic.port_id, nic.mtu).await
    }
}
