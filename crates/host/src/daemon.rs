//! The daemon as a process: started in the background, one per data directory, asked to end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::process::Process;
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

    /// As [`holder`](Self::holder), after one that is ending had its time to: a process that was killed is gone for who
    /// sent the signal, but its lock goes only with the last of its threads.
    pub async fn lasting_holder(path: &Utf8Path, patience: Duration) -> Result<Option<u32>> {
        let deadline = Instant::now() + patience;
        let mut lives = 0;
        while let Some(pid) = PidLock::holder(path)? {
            // Looked at twice: between a signal that is taken and the end that it begins there is no trace of either.
            lives = if is_ending(pid) { 0 } else { lives + 1 };
            if lives == 2 || Instant::now() > deadline {
                return Ok(Some(pid));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(None)
    }
}

/// Gone, dead, or on the way there with no way back.
#[must_use]
pub fn is_ending(pid: u32) -> bool {
    let file = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    match (file("stat"), file("status")) {
        (Ok(stat), Ok(status)) => tells_end(&stat, &status),
        (Err(e), _) | (_, Err(e)) => {
            e.kind() == std::io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH)
        }
    }
}

/// From the kernel's `/proc/PID/stat` and `status`.
fn tells_end(stat: &str, status: &str) -> bool {
    /// `PF_EXITING` of the kernel's sched.h.
    const EXITING: u64 = 0x4;
    const KILL: u64 = 1 << (libc::SIGKILL - 1);
    // The name before them may have spaces and parentheses in it.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let dead = matches!(fields.next(), Some("Z" | "X"));
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok()).unwrap_or_default();
    let pending = |line: &str| {
        let mask = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & KILL != 0)
    };
    dead || flags & EXITING != 0 || status.lines().any(pending)
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

/// The process that holds a lock, to be waited for: the lock goes before the last of its files.
#[derive(Debug)]
pub struct Holder(Process);

impl Holder {
    /// None: nobody holds it, or nobody whom this process can see.
    pub fn of(lock: &Utf8Path) -> Result<Option<Holder>> {
        let Some(pid) = PidLock::holder(lock)? else { return Ok(None) };
        let process = i32::try_from(pid).map_or(Ok(None), Process::open);
        let process = process.map_err(|e| file_error("watch the holder of", lock, e))?;
        // Looked at again: the number belongs to the holder as long as it holds the lock.
        let still = PidLock::holder(lock)? == Some(pid);
        Ok(process.filter(|_| still).map(Holder))
    }

    /// Nothing of it is left: no file, no socket.
    pub async fn gone(&self) {
        self.0.ended().await;
    }
}

/// Ends the process that holds the lock: asked first, after `patience` made to. True: there was one.
pub async fn end_holder(lock: &Utf8Path, patience: Duration) -> Result<bool> {
    let Some(holder) = Holder::of(lock)? else { return Ok(false) };
    for signal in [Signal::TERM, Signal::KILL] {
        holder.0.signal(signal).map_err(|e| file_error("end the holder of", lock, e))?;
        if tokio::time::timeout(patience, holder.gone()).await.is_ok() {
            return Ok(true);
        }
    }
    Err(Error::Refused(format!("process {} does not end", holder.0.pid())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_who_is_ending() {
        let stat = |state: &str, flags: u64| format!("7 (a) b) {state} 1 7 7 0 -1 {flags} 100 0 0");
        let status = |own: &str, shared: &str| format!("Name:\ta) b\nSigPnd:\t{own}\nShdPnd:\t{shared}\n");
        let none = "0000000000000000";
        assert!(!tells_end(&stat("S", 0x40_0100), &status(none, none)));
        assert!(tells_end(&stat("Z", 0x40_0100), &status(none, none)));
        assert!(tells_end(&stat("R", 0x40_0104), &status(none, none)));
        assert!(tells_end(&stat("D", 0x40_0100), &status("0000000000000100", none)));
        assert!(tells_end(&stat("D", 0x40_0100), &status(none, "0000000000000100")));
        // A SIGTERM may be waited out.
        assert!(!tells_end(&stat("S", 0x40_0100), &status(none, "0000000000004000")));
        assert!(!is_ending(std::process::id()));
    }

    /// Takes the lock with a second process that holds it a while longer than the first one lives, as the threads of a
    /// killed daemon do.
    fn killed(lock: &Utf8Path, longer: &str) -> (Child, u32) {
        let script = format!("exec 9>{lock}; flock -x 9; echo $$ >&9; sleep {longer} & echo locked; read _");
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 7];
        shell.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let pid = shell.id();
        (shell, pid)
    }

    #[tokio::test]
    async fn who_is_ending_holds_its_lock_for_a_moment_only() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Utf8PathBuf::from_path_buf(dir.path().join("pid")).unwrap();
        assert_eq!(PidLock::lasting_holder(&lock, Duration::from_secs(9)).await.unwrap(), None);

        let (mut shell, pid) = killed(&lock, "0.4");
        let begin = Instant::now();
        assert_eq!(PidLock::lasting_holder(&lock, Duration::from_secs(9)).await.unwrap(), Some(pid));
        assert!(begin.elapsed() < Duration::from_secs(5), "who lives is not waited for");
        shell.kill().unwrap();
        assert_eq!(PidLock::holder(&lock).unwrap(), Some(pid), "the lock is held on");
        assert_eq!(PidLock::lasting_holder(&lock, Duration::from_secs(9)).await.unwrap(), None);
        shell.wait().unwrap();

        let (mut shell, pid) = killed(&lock, "5");
        shell.kill().unwrap();
        let patience = Duration::from_millis(100);
        assert_eq!(PidLock::lasting_holder(&lock, patience).await.unwrap(), Some(pid));
        shell.wait().unwrap();
    }
}
