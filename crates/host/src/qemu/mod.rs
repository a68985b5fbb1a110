//! Real machines: one QEMU process each, which outlives this one.
//!
//! ```text
//!   <data_dir>/vms/<id>/   vm.json (who it runs as)  disk.qcow2  config.img  console.log  qemu.log  pid  *.sock
//!
//!   absent ──prepare──► stopped ──start──► running ◄──pause/resume──► paused
//!      ▲                   ▲                  │
//!      └──────destroy──────┴── power-off, stop, kill ──┘
//! ```
//!
//! A machine is found again by its pid file, the id in its arguments and its monitor's socket; nothing else is
//! remembered. Its process runs as a user of its own, in an empty network namespace, under seccomp, and owns no
//! file: disks, taps and sockets come to it open.

mod argv;
mod console;
mod drive;
mod launch;
mod machine;
mod options;
mod paths;
mod record;
mod shared;
#[cfg(test)]
mod tests;

pub use options::{Options, TapSource};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OnceCell, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::argv::Settings;
use self::machine::Machine;
use self::paths::VmFiles;
use self::record::{Record, Users};
use self::shared::{Shared, forget_process, ids, lock, make_private_dir};
use crate::plan::VmPlan;
use crate::probe::Verdict;
use crate::process::{Confinement, file_error, is_root, run};
use crate::{Capacity, Error, Hypervisor, Result, VmState};

const PACKAGE: &str = "qemu-system-x86";
const GIB: u64 = 1 << 30;
/// From the start of the process to the monitor's greeting. 60 ms on an idle machine.
const GREETING_LIMIT: Duration = Duration::from_secs(60);

/// The driver of real machines. Dropping it leaves them running.
pub struct QemuHypervisor {
    shared: Arc<Shared>,
    taps: Arc<dyn TapSource>,
    _close: DropGuard,
}

impl QemuHypervisor {
    /// Adopts the machines that run already. The KVM test goes on in the background; the first start waits for it.
    ///
    /// # Errors
    /// QEMU is not installed, or the data directory cannot be written.
    pub async fn new(options: Options, taps: Arc<dyn TapSource>) -> Result<Self> {
        let vms = options.data_dir.join("vms");
        make_private_dir(&vms)?;
        let version = version(&options.binary).await?;
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared {
            users: Mutex::new(Users::scan(options.first_user, &vms)),
            running: Mutex::default(),
            images: Mutex::default(),
            verdict: OnceCell::new(),
            changes: broadcast::channel(1024).0,
            closing: closing.clone(),
            vms,
            version,
            options,
        });
        for id in ids(&shared.vms)? {
            match Machine::find(&id, VmFiles::new(&shared.vms, &id)?) {
                Ok(Some(machine)) => drop(shared.adopt(machine)),
                Ok(None) => {}
                Err(error) => tracing::warn!(machine = id, %error, "a machine could not be looked at"),
            }
        }
        let probe = Arc::clone(&shared);
        tokio::spawn(async move {
            let verdict = probe.verdict().await;
            tracing::info!(
                accelerator = verdict.accelerator.name(),
                reason = verdict.reason,
                "machines run by"
            );
        });
        Ok(Self { shared, taps, _close: closing.drop_guard() })
    }

    /// How machines run here, and why. Waits for the KVM test.
    pub async fn accelerator(&self) -> Verdict {
        self.shared.verdict().await.clone()
    }

    async fn launch(&self, vm: &VmPlan) -> Result<()> {
        let shared = &self.shared;
        let files = VmFiles::new(&shared.vms, &vm.id)?;
        let user = Record::read(&files).filter(|_| is_root()).map(|record| record.user);
        let settings = Settings {
            accelerator: shared.verdict().await.accelerator,
            unsafe_disk_cache: shared.options.unsafe_disk_cache,
        };
        let mut taps = Vec::with_capacity(vm.nics.len());
        for nic in &vm.nics {
            taps.push(self.taps.open_tap(nic).await?);
        }
        let process = launch::launch(&shared.options.binary, vm, &files, user, taps, settings).await?;
        let machine = Machine::new(&vm.id, files, process);
        let greeted = tokio::select! {
            greeted = machine.monitor(GREETING_LIMIT) => greeted,
            () = machine.process.ended() => Err(launch::ended_early(&machine.files)),
        };
        match greeted {
            Ok(_) => {
                shared.adopt(machine);
                Ok(())
            }
            Err(error) => {
                machine.kill().await?;
                forget_process(&machine.files);
                // The broken connection is an effect; what QEMU said on its way out is the cause.
                let silent = std::fs::metadata(machine.files.log()).is_ok_and(|log| log.len() == 0);
                Err(if silent { error } else { launch::ended_early(&machine.files) })
            }
        }
    }

    fn expect_running(&self, id: &str) -> Result<Arc<Machine>> {
        self.shared.running(id).ok_or_else(|| Error::Monitor(format!("machine {id} is not running")))
    }
}

#[async_trait]
impl Hypervisor for QemuHypervisor {
    async fn prepare(&self, vm: &VmPlan) -> Result<()> {
        self.shared.prepare(vm).await
    }

    async fn start(&self, vm: &VmPlan) -> Result<()> {
        if self.shared.running(&vm.id).is_some() {
            return Ok(());
        }
        self.shared.prepare(vm).await?;
        self.launch(vm).await
    }

    async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<()> {
        self.shared.stop(id, grace).await
    }

    /// Soft as Nova means it: the guest shuts down, then a new process starts.
    async fn reboot(&self, vm: &VmPlan, hard: bool) -> Result<()> {
        let grace = (!hard).then_some(self.shared.options.reboot_grace);
        self.shared.stop(&vm.id, grace).await?;
        self.start(vm).await
    }

    async fn pause(&self, id: &str) -> Result<()> {
        self.expect_running(id)?.execute("stop").await.map(drop)
    }

    async fn resume(&self, id: &str) -> Result<()> {
        self.expect_running(id)?.execute("cont").await.map(drop)
    }

    async fn destroy(&self, id: &str) -> Result<()> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        if let Some(machine) = self.shared.running(id) {
            machine.silence();
            machine.kill().await?;
            self.shared.ended(&machine);
        }
        let record = Record::read(&files);
        match tokio::fs::remove_dir_all(files.dir()).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_error("removing", files.dir(), error));
            }
            _ => {}
        }
        if let Some(record) = record {
            lock(&self.shared.users).give_back(record.user);
        }
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<VmState> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        if let Some(machine) = self.shared.running(id) {
            match machine.state().await {
                // It ended while it was asked.
                Err(_) if machine.process.has_ended() => self.shared.ended(&machine),
                state => return state,
            }
        }
        Ok(if files.dir().exists() { VmState::Stopped } else { VmState::Absent })
    }

    async fn list(&self) -> Result<Vec<String>> {
        ids(&self.shared.vms)
    }

    async fn console_log(&self, id: &str, lines: Option<usize>) -> Result<String> {
        let files = VmFiles::new(&self.shared.vms, id)?;
        console::read(&files.console(), lines, self.shared.options.console_limit)
    }

    async fn capacity(&self) -> Result<Capacity> {
        let options = &self.shared.options;
        let disk = rustix::fs::statvfs(options.data_dir.as_std_path())
            .map_err(|error| file_error("measuring", &options.data_dir, error.into()))?;
        let memory = rustix::system::sysinfo();
        let host = rustix::system::uname();
        Ok(Capacity {
            hostname: host.nodename().to_string_lossy().into_owned(),
            vcpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
            memory_mib: (memory.totalram as u64 * u64::from(memory.mem_unit)) >> 20,
            disk_gib: disk.f_blocks * disk.f_frsize / GIB,
            free_disk_gib: disk.f_bavail * disk.f_frsize / GIB,
            hypervisor_type: "QEMU".into(),
            hypervisor_version: version_number(&self.shared.version),
            accelerator: self.shared.verdict().await.accelerator.name().into(),
        })
    }

    fn changes(&self) -> broadcast::Receiver<String> {
        self.shared.changes.subscribe()
    }
}

/// E.g. "10.0.2".
async fn version(binary: &str) -> Result<String> {
    let arguments = ["--version".to_owned()];
    let output = run(binary, PACKAGE, &arguments, Confinement::default(), Duration::from_secs(10)).await?;
    let word = output.stdout.split_whitespace().nth(3);
    word.map(str::to_owned).ok_or_else(|| Error::Command {
        command: format!("{binary} --version"),
        status: output.status,
        stderr: output.stderr,
    })
}

/// As libvirt counts: 10.0.2 is 10000002.
fn version_number(version: &str) -> u32 {
    let parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    parts.chain([0, 0]).take(3).fold(0, |number, part| number * 1000 + part)
}
