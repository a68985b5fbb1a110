//! The daemon as a process: started in the background, one per data directory, asked to end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::{Error, Result};

fn file_error(operation: &'static str, path: &Utf8Path, source: std::io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}

/// Starts this same program with `args` in a session of its own, its output appended to `log`.
pub fn start(args: &[String], log: &Utf8Path) -> Result<Child> {
    let program =
        std::env::current_exe().map_err(|e| file_error("find the program", Utf8Path::new("itself"), e))?;
    let open = || {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(log)
            .map_err(|e| file_error("open", log, e))
    };
    let mut command = Command::new(&program);
    command.args(args).stdin(Stdio::null()).stdout(open()?).stderr(open()?);
    // A session of its own: a Ctrl-C or hang-up of the terminal that ran `up` must not reach the cloud.
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into));
    }
    command.spawn().map_err(|e| file_error("start", log, e))
}

/// Files that this process makes from now on are its owner's alone, unless they say otherwise.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Held as long as this process lives; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub struct PidLock {
    _file: File,
}

impl PidLock {
    /// None: another process holds it.
    pub fn acquire(path: &Utf8Path) -> Result<Option<PidLock>> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o644)
            .open(path)
            .map_err(|e| file_error("open", path, e))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(e) => return Err(file_error("lock", path, e.into())),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|e| file_error("write", path, e))?;
        Ok(Some(PidLock { _file: file }))
    }

    /// The process that holds it, if one does.
    pub fn holder(path: &Utf8Path) -> Result<Option<u32>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(file_error("open", path, e)),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|e| file_error("read", path, e))?;
                Ok(text.trim().parse().ok())
            }
            Err(e) => Err(file_error("lock", path, e.into())),
        }
    }
}

/// Held as long as this process lives: in one network namespace, two clouds with the same names for links and
/// namespaces would take each other's for strays. A socket without a file: it is bound to the namespace, and is gone
/// with the process.
#[derive(Debug)]
pub struct NameGuard {
    _socket: std::os::unix::net::UnixListener,
}

impl NameGuard {
    /// None: another process holds it.
    pub fn take(label: &str) -> Result<Option<NameGuard>> {
        use std::os::linux::net::SocketAddrExt;
        let failed = |e| file_error("take the name", Utf8Path::new(label), e);
        let address = std::os::unix::net::SocketAddr::from_abstract_name(format!("cumulet/cloud/{label}"))
            .map_err(failed)?;
        match std::os::unix::net::UnixListener::bind_addr(&address) {
            Ok(socket) => Ok(Some(NameGuard { _socket: socket })),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }
}

/// Ends the process that holds the lock: asked first, after `patience` made to. True: there was one.
pub async fn end_holder(lock: &Utf8Path, patience: std::time::Duration) -> Result<bool> {
    use rustix::process::{Pid, PidfdFlags, Signal};
    let Some(pid) = PidLock::holder(lock)?.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) else {
        return Ok(false);
    };
    let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return Ok(false) };
    // Looked at again: the number belongs to the holder as long as it holds the lock.
    if PidLock::holder(lock)?.is_none() {
        return Ok(true);
    }
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = rustix::process::pidfd_send_signal(&handle, signal);
        let end = std::time::Instant::now() + patience;
        while std::time::Instant::now() < end {
            if PidLock::holder(lock)?.is_none() {
                return Ok(true);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    Err(Error::Refused(format!("process {} does not end", pid.as_raw_nonzero())))
}

/// True for the user that may make namespaces and links.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// This machine's name, as the host of servers and ports.
pub fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".into() } else { name }
}

/// Resident memory of a process, KiB.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Programs that the real drivers run, each with the Debian package that has it.
pub const PROGRAMS: [(&str, &str); 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
];

/// The first missing program.
pub fn missing_program() -> Option<(&'static str, &'static str)> {
    PROGRAMS.into_iter().find(|(program, _)| find_program(program).is_none())
}

/// One process at a time gets its turn with this directory; others wait.
pub fn turn(directory: &Utf8Path) -> Result<File> {
    let open = || {
        let file = File::open(directory)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    };
    open().map_err(|e| file_error("lock", directory, e))
}

/// Whether systemd runs this machine.
pub fn has_systemd() -> bool {
    Utf8Path::new("/run/systemd/system").exists()
}

pub fn systemctl(arguments: &[&str]) -> Result<()> {
    let command = format!("systemctl {}", arguments.join(" "));
    let output = Command::new("systemctl").args(arguments).output();
    let output = output.map_err(|e| file_error("start", Utf8Path::new("systemctl"), e))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Command { command, status: output.status.to_string(), stderr })
}

/// The machine is on its way down, and not only this service.
pub fn machine_stops() -> bool {
    let asked = Command::new("systemctl").arg("is-system-running").output();
    asked.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim() == "stopping")
}

/// Looks through PATH and the system directories, which an unprivileged PATH leaves out.
pub fn find_program(name: &str) -> Option<Utf8PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| Utf8Path::new(dir).join(name))
        .find(|p| p.is_file())
}
