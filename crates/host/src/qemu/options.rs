//! What the driver is told, and who gives it network cards.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use crate::ledger::Ledger;
use crate::link::open_tap;
use crate::network::LinuxNetwork;
use crate::plan::NicPlan;
use crate::probe::AcceleratorChoice;
use crate::process::file_error;
use crate::{NicCounters, Result, names, netns};

#[derive(Debug, Clone)]
pub struct Options {
    /// Machines live in `vms` below; the KVM test's verdict in `accelerator.json`.
    pub data_dir: Utf8PathBuf,
    /// Of this cloud; its machines' control groups are below a group of this name.
    pub label: String,
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
    /// Machines' processes open volumes over this machine's network, in which they are then; else they are in none.
    pub reaches_storage: bool,
    /// Where machines are written down before their processes start.
    pub ledger: Option<Arc<Ledger>>,
}

impl Options {
    pub fn new(data_dir: impl Into<Utf8PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            label: "cumulet".into(),
            binary: "qemu-system-x86_64".into(),
            accelerator: AcceleratorChoice::Auto,
            first_user: 0x63_0000,
            unsafe_disk_cache: false,
            console_limit: 4 << 20,
            reboot_grace: Duration::from_secs(120),
            reaches_storage: false,
            ledger: None,
        }
    }
}

/// Where a machine's network cards are plugged in.
#[async_trait]
pub trait TapSource: Send + Sync + 'static {
    /// An open tap device, connected to the card's network.
    async fn open_tap(&self, nic: &NicPlan) -> Result<OwnedFd>;

    /// What has passed the card; numbers that nobody counts are None.
    async fn counters(&self, nic: &NicPlan) -> NicCounters {
        NicCounters { port_id: nic.port_id.clone(), mac: nic.mac.clone(), ..NicCounters::default() }
    }
}

#[async_trait]
impl TapSource for LinuxNetwork {
    async fn open_tap(&self, nic: &NicPlan) -> Result<OwnedFd> {
        open_tap(&self.namespace(&nic.network_id), &nic.port_id, nic.mtu).await
    }

    async fn counters(&self, nic: &NicPlan) -> NicCounters {
        let mut counters =
            NicCounters { port_id: nic.port_id.clone(), mac: nic.mac.clone(), ..NicCounters::default() };
        let (name, namespace) = (names::tap(&nic.port_id), self.namespace(&nic.network_id));
        let read = netns::inside(&namespace, move || {
            let path = Utf8Path::new("/proc/thread-self/net/dev");
            let text = std::fs::read_to_string(path).map_err(|e| file_error("reading", path, e))?;
            Ok(text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:")).map(str::to_owned)))
        });
        if let Ok(Some(line)) = read.await {
            let all: Vec<u64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
            // What the tap received the guest has sent. Eight columns for each direction.
            let column = |n: usize| all.get(n).copied();
            counters.sent_bytes = column(0);
            counters.sent_packets = column(1);
            counters.sent_errors = column(2);
            counters.sent_dropped = column(3);
            counters.received_bytes = column(8);
            counters.received_packets = column(9);
            counters.received_errors = column(10);
            counters.received_dropped = column(11);
        }
        counters
    }
}
