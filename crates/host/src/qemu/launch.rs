//! Starts a machine's process: opens what it may use, gives away all else, and lets go of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Resource;
use tokio::process::Command;

use super::argv::{self, Inherited, Settings};
use super::blank;
use super::capacity;
use super::paths::VmFiles;
use super::record::Record;
use super::shared::Shared;
use super::volume;
use crate::plan::{RootDisk, VmPlan};
use crate::probe::Accelerator;
use crate::process::{Confinement, Process, confine, file_error, is_root, memory_limit};
use crate::{Error, Passphrase, Result};

pub(super) const MONITOR: &str = "qmp.sock";
pub(super) const SERIAL: &str = "serial.sock";
pub(super) const AGENT: &str = "agent.sock";
pub(super) const SOCKETS: [&str; 3] = [MONITOR, SERIAL, AGENT];

/// The machine's process. It is in a session of its own and nothing ties it to this one: it lives on when this
/// process ends, however that ends.
///
/// Sockets are made and listened on here, so that a connection can be made at once, before QEMU is up.
pub(super) async fn launch(
    shared: &Shared,
    vm: &VmPlan,
    files: &VmFiles,
    record: &Record,
    taps: Vec<OwnedFd>,
    state: Option<OwnedFd>,
) -> Result<Process> {
    let binary = &shared.options.binary;
    let settings = Settings {
        accelerator: shared.verdict().await.accelerator,
        unsafe_disk_cache: shared.options.unsafe_disk_cache,
        translation_mib: argv::translation_mib(vm.memory_mib, capacity::memory_mib()),
    };
    let user = is_root().then_some(record.user);
    let stays = shared.options.reaches_storage;
    let mut confinement = Confinement { user, keeps_network: stays, ..Confinement::default() };
    if settings.accelerator == Accelerator::Kvm {
        confinement.groups = crate::probe::kvm_groups();
    }
    confinement.limits = vec![(Resource::Nofile, 4096)];
    if is_root() {
        let memory = memory_limit(vm.memory_mib, settings.translation_mib);
        confinement.groups_to_join = shared.groups.enter(&vm.id, &vm.limits, memory);
    }

    let monitor = listen(files, MONITOR).await?;
    let serial = listen(files, SERIAL).await?;
    let agent = listen(files, AGENT).await?;
    let console = open(&files.console(), OpenOptions::new().append(true).create(true))?;
    let root = match &vm.root {
        Some(root) => Some((
            open(&files.disk(), OpenOptions::new().read(true).write(true))?,
            open(&image_of(root, files), OpenOptions::new().read(true))?,
        )),
        None => None,
    };
    let rescue = match vm.rescue {
        Some(_) => Some((
            open(&files.rescue_disk(), OpenOptions::new().read(true).write(true))?,
            open(&files.rescue_image(), OpenOptions::new().read(true))?,
        )),
        None => None,
    };
    let blank = blank::of(vm)
        .map(|(blank, _)| open(&blank.file(files), OpenOptions::new().read(true).write(true)))
        .collect::<Result<Vec<File>>>()?;
    let drive = match vm.config_drive {
        Some(_) => Some(open(&files.drive_for(vm), OpenOptions::new().read(true))?),
        None => None,
    };
    let access = shared.disk_access().await;
    let volumes = vm
        .disks
        .iter()
        .map(|disk| volume::open(disk, access))
        .collect::<Result<Vec<Vec<volume::Opened>>>>()?;
    let keys = vm
        .disks
        .iter()
        .map(|disk| disk.secret().map(Passphrase::file).transpose())
        .collect::<Result<Vec<Option<File>>>>()?;
    let log = open(&files.log(), OpenOptions::new().write(true).create(true).truncate(true))?;
    let pid_file = open(&files.pid(), OpenOptions::new().write(true).create(true).truncate(true))?;
    confinement.pid_file = Some(pid_file.into());
    let held = open(&files.pid(), OpenOptions::new().read(true))?;
    // Refused when a process that nobody knows of is there: two of them would ruin the disk.
    held.try_lock().map_err(|error| file_error("locking", &files.pid(), error.into()))?;
    confinement.keep(&held);

    let inherited = Inherited {
        monitor: confinement.keep(&monitor),
        serial: confinement.keep(&serial),
        agent: confinement.keep(&agent),
        console: confinement.keep(&console),
        root: root.as_ref().map(|(disk, image)| (confinement.keep(disk), confinement.keep(image))),
        rescue: rescue.as_ref().map(|(disk, image)| (confinement.keep(disk), confinement.keep(image))),
        blank: blank.iter().map(|file| confinement.keep(file)).collect(),
        config_drive: drive.as_ref().map(|file| confinement.keep(file)),
        volumes: volumes
            .iter()
            .map(|layers| layers.iter().map(|(file, access)| (confinement.keep(file), *access)).collect())
            .collect(),
        keys: keys.iter().map(|key| key.as_ref().map(|file| confinement.keep(file))).collect(),
        state: state.as_ref().map(|socket| confinement.keep(socket)),
        taps: taps.iter().map(|tap| confinement.keep(&tap.as_raw_fd())).collect(),
    };
    let second = log.try_clone().map_err(|error| file_error("opening", &files.log(), error))?;
    let mut command = Command::new(binary);
    command
        .args(argv::arguments(vm, &inherited, settings, &record.slots))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(second));
    confine(&mut command, confinement);
    let child = command.spawn().map_err(|error| start_error(binary, &error))?;
    // Once `child` is dropped the runtime still takes note of its end, should this process be there to see it.
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    let process = Process::open(pid).map_err(|error| start_error(binary, &error))?;
    process.ok_or_else(|| ended_early(files))
}

/// The image's file under this machine's own name for it; machines of older releases have none.
pub(super) fn image_of(root: &RootDisk, files: &VmFiles) -> Utf8PathBuf {
    let own = files.image();
    if own.exists() { own } else { root.image.clone() }
}

/// QEMU ended where it should have run: its own words say why.
pub(super) fn ended_early(files: &VmFiles) -> Error {
    let said = std::fs::read_to_string(files.log()).unwrap_or_default();
    let said = said.trim();
    let said = said.char_indices().nth_back(500).map_or(said, |(at, _)| &said[at..]);
    Error::Monitor(format!("QEMU ended at its start: {}", if said.is_empty() { "no message" } else { said }))
}

fn start_error(binary: &str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::MissingProgram { program: binary.into(), package: super::PACKAGE.into() };
    }
    Error::Command {
        command: binary.into(),
        status: "an error before it ran".into(),
        stderr: error.to_string(),
    }
}

async fn listen(files: &VmFiles, name: &str) -> Result<UnixListener> {
    files
        .with_socket(name, async |path: &str| match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => UnixListener::bind(path),
        })
        .await
}

fn open(path: &Utf8Path, options: &mut OpenOptions) -> Result<File> {
    options.mode(0o600).open(path).map_err(|error| file_error("opening", path, error))
}
