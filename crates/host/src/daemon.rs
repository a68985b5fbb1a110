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

/// Looks through PATH and the system directories, which an unprivileged PATH leaves out.
pub fn find_program(name: &str) -> Option<Utf8PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| Utf8Path::new(dir).join(name))
        .find(|p| p.is_file())
}
