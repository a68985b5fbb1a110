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
mod paths;
mod record;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::{OnceCell, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::argv::Settings;
use self::machine::Machine;
use self::paths::VmFiles;
use self::record::{Record, Users};
use crate::files::{ImageInfo, create_overlay, inspect_image};
use crate::plan::{NicPlan, VmPlan};
use crate::probe::{self, AcceleratorChoice, Verdict};
use crate::process::{Confinement, file_error, is_root, run};
use crate::{Capacity, Error, Hypervisor, Result, VmState};

const PACKAGE: &str = "qemu-system-x86";
const GIB: u64 = 1 << 30;
/// From the start of the process to the monitor's greeting. 60 ms on an idle machine.
const GREETING_LIMIT: Duration = Duration::from_secs(60);

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

/// The driver of real machines. Dropping it leaves them running.
pub struct QemuHypervisor {
    shared: Arc<Shared>,
    taps: Arc<dyn TapSource>,
    _close: DropGuard,
}

struct Shared {
    options: Options,
    vms: Utf8PathBuf,
    /// Of QEMU, as `--version` prints it.
    version: String,
    verdict: OnceCell<Verdict>,
    running: Mutex<HashMap<String, Arc<Machine>>>,
    users: Mutex<Users>,
    images: Mutex<HashMap<Utf8PathBuf, (SystemTime, ImageInfo)>>,
    changes: broadcast::Sender<String>,
    closing: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Shared {
    async fn verdict(&self) -> &Verdict {
        let user = is_root().then_some(self.options.first_user.saturating_sub(1));
        let memory = self.options.data_dir.join("accelerator.json");
        let Options { accelerator, binary, .. } = &self.options;
        self.verdict.get_or_init(|| probe::decide(*accelerator, &memory, binary, &self.version, user)).await
    }

    fn running(self: &Arc<Self>, id: &str) -> Option<Arc<Machine>> {
        let machine = lock(&self.running).get(id).cloned()?;
        if machine.process.has_ended() {
            // Its watcher has not noticed yet.
            self.ended(&machine);
            return None;
        }
        Some(machine)
    }

    fn adopt(self: &Arc<Self>, machine: Machine) -> Arc<Machine> {
        let machine = Arc::new(machine);
        lock(&self.running).insert(machine.id.clone(), Arc::clone(&machine));
        tokio::spawn(machine::watch(Arc::clone(self), Arc::clone(&machine)));
        machine
    }

    /// Whoever notices the end first cleans up, once. A successor of the same id is left alone.
    fn ended(&self, machine: &Arc<Machine>) {
        let mut running = lock(&self.running);
        if !running.get(&machine.id).is_some_and(|current| Arc::ptr_eq(current, machine)) {
            return;
        }
        forget_process(&machine.files);
        running.remove(&machine.id);
        drop(running);
        if !machine.is_quiet() {
            tracing::info!(machine = machine.id, "a machine ended by itself");
            self.tell(&machine.id);
        }
    }

    fn tell(&self, id: &str) {
        // Nobody listening is fine: state() says the same.
        drop(self.changes.send(id.to_owned()));
    }

    /// Images do not change, so each is looked at once.
    async fn inspect(&self, path: &Utf8Path, format: &str) -> Result<ImageInfo> {
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

    async fn prepare(&self, vm: &VmPlan) -> Result<()> {
        let files = VmFiles::new(&self.vms, &vm.id)?;
        make_private_dir(files.dir())?;
        if Record::read(&files).is_none() {
            let user = lock(&self.users).take()?;
            Record { user }.write(&files).inspect_err(|_| lock(&self.users).give_back(user))?;
        }
        if !files.disk().exists() {
            let image = self.inspect(&vm.root.image, &vm.root.image_format).await?;
            let bytes = disk_size(image.virtual_size, vm.root.size_gib)?;
            create_overlay(&files.disk(), &vm.root.image, &vm.root.image_format, bytes).await?;
        }
        if let Some(content) = &vm.config_drive
            && !files.config_drive().exists()
        {
            drive::write(&files.config_drive(), content)?;
        }
        Ok(())
    }

    async fn stop(self: &Arc<Self>, id: &str, grace: Option<Duration>) -> Result<()> {
        let Some(machine) = self.running(id) else { return Ok(()) };
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
            memory_mib: memory.totalram as u64 * u64::from(memory.mem_unit) >> 20,
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

/// No size asked for: the image's own.
fn disk_size(image: u64, size_gib: u64) -> Result<u64> {
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
fn ids(vms: &Utf8Path) -> Result<Vec<String>> {
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

fn make_private_dir(path: &Utf8Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| file_error("making", path, error))
}

/// What is left of a process that is no more.
fn forget_process(files: &VmFiles) {
    for name in launch::SOCKETS.iter().map(|name| files.dir().join(name)).chain([files.pid()]) {
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %name, %error, "a file could not be removed");
            }
            _ => {}
        }
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
