//! The two traits at the edge of the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};

use crate::plan::{DiskPlan, NetworkPlan, NicPlan, RouterPlan, VmPlan};

/// What a driver could not do. `Display` never repeats its source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{command}` failed with {status}: {stderr}")]
    Command { command: String, status: String, stderr: String },
    #[error("program `{program}` is missing: install the Debian package {package}")]
    MissingProgram { program: String, package: String },
    #[error("{operation} {path}")]
    File {
        operation: &'static str,
        path: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Link(String),
    #[error("the virtual machine's monitor: {0}")]
    Monitor(String),
    #[error("{0}")]
    Image(String),
    #[error("no space left on the disk under {path}")]
    DiskFull { path: Utf8PathBuf },
    /// The fake driver was told to fail, or a plan asks for what this machine lacks.
    #[error("{0}")]
    Refused(String),
    /// The guest runs no agent that could do it.
    #[error("QEMU guest agent is not enabled")]
    NoAgent,
}

/// Of a machine that boots from a volume.
pub(crate) fn no_root() -> Error {
    Error::Refused("the machine has no disk of its own: it boots from a volume".into())
}

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmState {
    Running,
    Paused,
    /// The disk and other files are there, no process is.
    Stopped,
    /// Nothing of this machine is on the host.
    Absent,
}

/// What a person sees of a machine and types into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// The screen, spoken of in RFB 3.8 (VNC), without a password.
    Screen,
    /// The first serial line, as it is.
    Serial,
}

/// Virtual machines. One caller at a time for one machine; different machines concurrently.
#[async_trait]
pub trait Hypervisor: Send + Sync + 'static {
    /// Makes disks and config drive if they are not there yet; starts nothing.
    async fn prepare(&self, vm: &VmPlan) -> Result<()>;
    /// The machine runs afterwards (it is prepared first if it has to be). Its networks must have been applied.
    async fn start(&self, vm: &VmPlan) -> Result<()>;
    /// ACPI power button, then after `grace` the hard way. `None`: the hard way at once.
    async fn stop(&self, id: &str, grace: Option<std::time::Duration>) -> Result<()>;
    /// `hard`: as if power was cut and given again, with devices as `vm` says now. Soft: asks the guest.
    async fn reboot(&self, vm: &VmPlan, hard: bool) -> Result<()>;
    async fn pause(&self, id: &str) -> Result<()>;
    async fn resume(&self, id: &str) -> Result<()>;
    /// Ends the machine and removes all its files.
    async fn destroy(&self, id: &str) -> Result<()>;
    async fn state(&self, id: &str) -> Result<VmState>;
    /// The stopped machine did not stop by itself: its process was killed while no driver watched it.
    fn fell(&self, id: &str) -> bool;
    /// Ids of all machines with a process or files here.
    async fn list(&self) -> Result<Vec<String>>;
    /// The last `lines` of the serial console, or all that was kept.
    async fn console_log(&self, id: &str, lines: Option<usize>) -> Result<String>;
    /// A connection to the running machine's screen or serial line; the latter has one reader at a time.
    async fn console(&self, id: &str, console: Console) -> Result<tokio::net::UnixStream>;
    /// Capacity of this host: what Placement's inventory and Nova's hypervisor view say.
    async fn capacity(&self) -> Result<Capacity>;
    /// Makes ready for a root disk as large as the plan says. The disk as it was is kept until `settle_resize`.
    /// The machine is stopped; the disk is larger from its next start on, and never smaller. A machine that boots from
    /// a volume has none: nothing to do.
    async fn resize(&self, vm: &VmPlan) -> Result<()>;
    /// The end of a resize: with `revert` the kept disk comes back (the machine is stopped then), else it goes.
    async fn settle_resize(&self, id: &str, revert: bool) -> Result<()>;
    /// Throws root disk and config drive of a stopped machine away: they are made anew at its next start. Volumes stay
    /// as they are.
    async fn reset(&self, id: &str) -> Result<()>;
    /// Memory and devices go to a file and the process ends; the next start goes on from there.
    async fn suspend(&self, id: &str) -> Result<()>;
    /// The root disk as it is at this instant, as a new file `to` that needs no other. The machine may run. Volumes are
    /// not the driver's to copy: a machine that boots from one is refused.
    async fn snapshot(&self, vm: &VmPlan, to: &Utf8Path) -> Result<DiskImage>;
    /// Connects a card to a running machine. One that is there, or a machine that does not run: nothing to do.
    async fn plug_nic(&self, id: &str, nic: &NicPlan) -> Result<()>;
    /// Returns when the guest has let go of the card.
    async fn unplug_nic(&self, id: &str, port_id: &str) -> Result<()>;
    /// As with cards.
    async fn plug_disk(&self, id: &str, disk: &DiskPlan) -> Result<()>;
    async fn unplug_disk(&self, id: &str, disk_id: &str) -> Result<()>;
    /// A running machine writes into the disk's last layer from now on, which is empty; what it wrote so far stays in
    /// the layers below. One that does it already, lacks the disk or does not run: nothing to do.
    async fn switch_disk(&self, id: &str, disk: &DiskPlan) -> Result<()>;
    /// A running machine reads the disk through these layers from now on, and has no other file of it open: some that it
    /// has open were merged into those below them. One that lacks the disk or does not run: nothing to do.
    async fn rebase_disk(&self, id: &str, disk: &DiskPlan) -> Result<()>;
    /// The last layer's file and the guest's idea of the disk's size grow to `bytes`, and never shrink. False: no
    /// running machine has it open, so that whoever asks may change the file.
    async fn grow_disk(&self, id: &str, disk: &DiskPlan, bytes: u64) -> Result<bool>;
    /// A non-maskable interrupt: a guest that is set up for it dumps its memory and restarts.
    async fn interrupt(&self, id: &str) -> Result<()>;
    /// By the guest's agent; [`Error::NoAgent`] without one.
    async fn set_password(&self, id: &str, user: &str, password: &str) -> Result<()>;
    /// Counters of a running machine.
    async fn diagnostics(&self, vm: &VmPlan) -> Result<Diagnostics>;
    /// Events that no call caused: a machine ended, its guest powered off. Ids are sent; state() tells the rest.
    fn changes(&self) -> tokio::sync::broadcast::Receiver<String>;
}

/// A file with a disk in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskImage {
    /// "qcow2" or "raw"
    pub format: String,
    /// Bytes the guest sees.
    pub virtual_size: u64,
}

/// None: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    pub uptime_seconds: Option<u64>,
    /// Of each virtual processor, in nanoseconds.
    pub cpu_times: Vec<Option<u64>>,
    /// Of the process.
    pub resident_mib: Option<u64>,
    pub disks: Vec<DiskCounters>,
    pub nics: Vec<NicCounters>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// The guest's name for it, e.g. "vda".
    pub name: String,
    pub read_bytes: u64,
    pub read_requests: u64,
    pub write_bytes: u64,
    pub write_requests: u64,
    pub errors: u64,
}

/// As the guest sees it: `received` is what came to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NicCounters {
    pub port_id: String,
    pub mac: String,
    pub received_bytes: Option<u64>,
    pub received_packets: Option<u64>,
    pub received_dropped: Option<u64>,
    pub received_errors: Option<u64>,
    pub sent_bytes: Option<u64>,
    pub sent_packets: Option<u64>,
    pub sent_dropped: Option<u64>,
    pub sent_errors: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    pub hostname: String,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
    pub free_disk_gib: u64,
    /// "QEMU" or "fake"
    pub hypervisor_type: String,
    /// As an integer, e.g. 7002018 for 7.2.18.
    pub hypervisor_version: u32,
    /// "kvm" or "tcg" or "none"
    pub accelerator: String,
}

/// Networks and routers. A plan replaces whatever was there for its id; equal plans change nothing.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    async fn apply_network(&self, plan: &NetworkPlan) -> Result<()>;
    /// Subports of this network's trunks that could not be served when it was applied, by their ids, and why.
    fn unserved(&self, _network_id: &str) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    async fn remove_network(&self, id: &str) -> Result<()>;
    async fn apply_router(&self, plan: &RouterPlan) -> Result<()>;
    async fn remove_router(&self, id: &str) -> Result<()>;
    /// Ids of the networks and routers that have something on this host.
    async fn list(&self) -> Result<Present>;
    /// What somebody else changed on this host: it is to be applied again.
    fn drifts(&self) -> tokio::sync::broadcast::Receiver<Drift> {
        tokio::sync::broadcast::channel(1).1
    }
    /// Who answers 169.254.169.254; set once, before anything is applied.
    fn serve_metadata(&self, source: Arc<dyn MetadataSource>);
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    pub networks: Vec<String>,
    pub routers: Vec<String>,
}

/// A network or router by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    Network(String),
    Router(String),
}

/// Who asks for metadata. It is decided by the namespace the request came in by and its source address, which
/// anti-spoofing makes trustworthy; never by a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataCaller {
    /// The port found in the applied plans.
    pub port_id: String,
    pub network_id: String,
    pub address: std::net::IpAddr,
}

#[derive(Debug, Clone)]
pub struct MetadataAnswer {
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// What became of something that a guest posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataPosted {
    Kept,
    /// There is one already.
    Conflict,
    TooLarge,
    /// Nothing can be posted there.
    Refused,
    NotFound,
    Failed,
}

#[async_trait]
pub trait MetadataSource: Send + Sync + 'static {
    /// `path` as in the request line, e.g. `/openstack/latest/meta_data.json`. None is a 404.
    async fn get(&self, caller: &MetadataCaller, path: &str) -> Option<MetadataAnswer>;

    async fn post(&self, _caller: &MetadataCaller, _path: &str, _body: &[u8]) -> MetadataPosted {
        MetadataPosted::Refused
    }
}
