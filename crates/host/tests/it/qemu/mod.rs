//! Real QEMU processes on this machine. The guest is one sector of ours, so nothing has to be built or downloaded.
//! Where QEMU is not installed these tests say so and pass; without root they run, less the change of user.

mod changes;
mod death;
mod guest;
mod kills;
mod life;
mod limits;
mod linux;
mod volumes;
mod volumes_linux;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use host::plan::{NicPlan, RootDisk, VmPlan};
use host::qemu::{Options, QemuHypervisor, TapSource};
use host::{AcceleratorChoice, Error, Hypervisor};

/// A Linux guest needs 10 s on an idle machine without KVM, and tests share theirs with others.
const PATIENCE: Duration = Duration::from_secs(180);

pub const ID: &str = "6f1f2b0e-52a7-4a2b-9d0f-0a63b6c4a001";

/// These guests have no network cards.
pub struct NoTaps;

#[async_trait]
impl TapSource for NoTaps {
    async fn open_tap(&self, nic: &NicPlan) -> host::Result<OwnedFd> {
        Err(Error::Link(format!("no tap for {}", nic.port_id)))
    }
}

/// A data directory with an image. Whatever runs in it is killed in the end, also when a test fails.
pub struct House {
    dir: Utf8PathBuf,
    /// None in a child of the test's: another looks after it.
    own: Option<tempfile::TempDir>,
}

impl House {
    /// None, said aloud, when this machine lacks QEMU.
    pub fn new() -> Option<Self> {
        for program in ["qemu-system-x86_64", "qemu-img"] {
            if !["/usr/bin", "/usr/local/bin"].iter().any(|dir| Utf8Path::new(dir).join(program).exists()) {
                eprintln!("SKIPPED: {program} is not installed");
                return None;
            }
        }
        let own = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(own.path().to_owned()).unwrap();
        let house = Self { dir, own: Some(own) };
        guest::write_image(&house.path("image"));
        Some(house)
    }

    /// Another process's.
    pub fn at(dir: &std::ffi::OsStr) -> Self {
        Self { dir: Utf8PathBuf::from_path_buf(dir.into()).unwrap(), own: None }
    }

    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.dir.join(name)
    }

    pub fn vm_path(&self, name: &str) -> Utf8PathBuf {
        self.path("data/vms").join(ID).join(name)
    }

    /// Machines of all houses have one id and run side by side.
    pub fn label(&self) -> String {
        label(&self.path(""))
    }

    pub fn options(&self) -> Options {
        let mut options = Options::new(self.path("data"));
        options.label = self.label();
        options.accelerator = AcceleratorChoice::Tcg;
        options.reboot_grace = Duration::from_secs(30);
        options
    }

    pub async fn host(&self) -> QemuHypervisor {
        QemuHypervisor::new(self.options(), Arc::new(NoTaps)).await.unwrap()
    }

    pub fn vm(&self) -> VmPlan {
        VmPlan {
            id: ID.into(),
            name: "test".into(),
            vcpus: 1,
            memory_mib: 64,
            root: Some(RootDisk { image: self.path("image"), image_format: "raw".into(), size_gib: 1 }),
            nics: Vec::new(),
            config_drive: Some([("openstack/latest/meta_data.json".to_owned(), b"{}".to_vec())].into()),
            ..VmPlan::default()
        }
    }

    pub fn pid(&self) -> i32 {
        std::fs::read_to_string(self.vm_path("pid")).unwrap().trim().parse().unwrap()
    }

    /// Types into the guest's serial console.
    pub fn type_in(&self, text: &str) {
        let mut socket = std::os::unix::net::UnixStream::connect(self.vm_path("serial.sock")).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
    }
}

pub fn label(house: &Utf8Path) -> String {
    format!("cumulet-test{}", house.file_name().unwrap())
}

impl Drop for House {
    fn drop(&mut self) {
        if self.own.is_none() {
            return;
        }
        let Ok(machines) = std::fs::read_dir(self.path("data/vms")) else { return };
        for machine in machines.flatten() {
            let Ok(text) = std::fs::read_to_string(machine.path().join("pid")) else { continue };
            if let Some(pid) = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw) {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
            }
        }
        for hierarchy in ["", "cpu", "memory"] {
            let ours = Utf8Path::new("/sys/fs/cgroup").join(hierarchy).join(self.label());
            // A group is in use until the last process in it has been waited for.
            for _ in 0..100 {
                if !ours.exists() {
                    break;
                }
                std::fs::remove_dir(ours.join(ID)).ok();
                std::fs::remove_dir(&ours).ok();
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

pub fn is_alive(pid: i32) -> bool {
    // A zombie has no arguments left.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

/// Polls until `done` gives something.
pub async fn until<T>(what: &str, mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = done().await {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The guest says that it is up, for the `count`th time.
pub async fn up(host: &QemuHypervisor, count: u32) {
    let line = format!("guest is up, start {count}");
    until(&line, async || host.console_log(ID, None).await.unwrap().contains(&line).then_some(())).await;
}
