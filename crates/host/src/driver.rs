//! The two traits at the edge of the machine.

use std::sync::Arc;

use async_trait::async_trait;
use camino::Utf8PathBuf;

use crate::plan::{NetworkPlan, RouterPlan, VmPlan};

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
    /// Ids of all machines with a process or files here.
    async fn list(&self) -> Result<Vec<String>>;
    /// The last `lines` of the serial console, or all that was kept.
    async fn console_log(&self, id: &str, lines: Option<usize>) -> Result<String>;
    /// Capacity of this host: what Placement's inventory and Nova's hypervisor view say.
    async fn capacity(&self) -> Result<Capacity>;
    /// Events that no call caused: a machine ended, its guest powered off. Ids are sent; state() tells the rest.
    fn changes(&self) -> tokio::sync::broadcast::Receiver<String>;
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
    async fn remove_network(&self, id: &str) -> Result<()>;
    async fn apply_router(&self, plan: &RouterPlan) -> Result<()>;
    async fn remove_router(&self, id: &str) -> Result<()>;
    /// Ids of the networks and routers that have something on this host.
    async fn list(&self) -> Result<Present>;
    /// Who answers 169.254.169.254; set once, before anything is applied.
    fn serve_metadata(&self, source: Arc<dyn MetadataSource>);
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    pub networks: Vec<String>,
    pub routers: Vec<String>,
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

#[async_trait]
pub trait MetadataSource: Send + Sync + 'static {
    /// `path` as in the request line, e.g. `/openstack/latest/meta_data.json`. None is a 404.
    async fn get(&self, caller: &MetadataCaller, path: &str) -> Option<MetadataAnswer>;
}
