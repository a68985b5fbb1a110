//! HAProxy itself. Each change starts a new process, which takes the listening sockets over from the old one; that one ends
//! with its last connection. None of them is our child: they outlive the daemon, and the next one finds them by their
//! directory.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, PidfdFlags, Signal};
use sha2::{Digest, Sha256};

use super::config::{JAIL, METRICS, MOST, PEER, SERVERS, SOCKET};
use super::{stats, totals};
use crate::process::file_error;
use crate::{Error, Result};

const PROGRAM: &str = "haproxy";
const CONFIG: &str = "haproxy.cfg";
const NEXT: &str = "haproxy.cfg.next";
const PID: &str = "haproxy.pid";
/// Which process has taken over, and with what. The configuration's own file is there before that.
const FORCE: &str = "in-force";

/// Whether a process runs that was started with this configuration.
pub fn runs(directory: &Utf8Path, config: &str) -> bool {
    current(directory).is_some_and(|pid| in_force(directory) == Some((pid, digest(config))))
}

fn digest(config: &str) -> String {
    Sha256::digest(config.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_force(directory: &Utf8Path) -> Option<(i32, String)> {
    let text = std::fs::read_to_string(directory.join(FORCE)).ok()?;
    let (pid, digest) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, digest.to_owned()))
}

/// Connections that one process may have: each takes two files, and a pipe every now and then.
pub fn most() -> u32 {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let by_files = files.map_or(u64::MAX, |files| files.saturating_sub(500) * 10 / 26);
    u32::try_from(by_files).unwrap_or(u32::MAX).clamp(100, MOST)
}

/// The youngest process. A successor that cannot start may have taken the file along, and no more.
fn current(directory: &Utf8Path) -> Option<i32> {
    let pid = match std::fs::read_to_string(directory.join(PID)) {
        Ok(text) => text.lines().next()?.trim().parse().ok()?,
        Err(_) => in_force(directory)?.0,
    };
    is_ours(pid, directory).then_some(pid)
}

fn is_ours(pid: i32, directory: &Utf8Path) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let command = String::from_utf8_lossy(&command).into_owned();
    let mut arguments = command.split('\0');
    let program = arguments.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let config = directory.join(CONFIG);
    program == PROGRAM && arguments.any(|argument| argument == config)
}

fn write(path: &Utf8PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| file_error("writing", path, error))
}

fn note(directory: &Utf8Path, config: &str) -> Result<()> {
    match current(directory) {
        Some(pid) => write(&directory.join(FORCE), &format!("{pid} {}", digest(config))),
        None => Err(Error::Monitor(format!("HAProxy of {directory} has ended as soon as it began"))),
    }
}

/// In the namespace of the calling thread. Returns when the new process listens; no connection is lost by it.
pub fn start(directory: &Utf8Path, config: &str) -> Result<()> {
    let jail = directory.join(JAIL);
    std::fs::create_dir_all(&jail).map_err(|error| file_error("making", &jail, error))?;
    let (next, path) = (directory.join(NEXT), directory.join(CONFIG));
    write(&directory.join(METRICS), include_str!("metrics.lua"))?;
    write(&next, config)?;
    run(directory, &["-c", "-f", next.as_str()])?;
    std::fs::rename(&next, &path).map_err(|error| file_error("renaming", &next, error))?;
    let old = current(directory);
    let line = old.and_then(|_| totals::line(directory));
    // Who was down is down for the new process as well, until a check says otherwise.
    let servers = old.and_then(|_| stats::ask(directory, "show servers state").ok());
    write(&directory.join(SERVERS), servers.as_deref().unwrap_or_default())?;
    let pid_file = directory.join(PID);
    let mut arguments = vec!["-D", "-f", path.as_str(), "-p", pid_file.as_str(), "-L", PEER];
    let number = old.map(|pid| pid.to_string());
    if let Some(number) = &number {
        arguments.extend(["-x", SOCKET, "-sf", number]);
    }
    run(directory, &arguments)?;
    note(directory, config)?;
    line.map_or(Ok(()), |line| totals::keep(directory, line))
}

fn run(directory: &Utf8Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        // Its socket is named by a path that is short enough for any directory.
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::MissingProgram { program: PROGRAM.to_owned(), package: PROGRAM.to_owned() }
            }
            _ => file_error("starting HAProxy in", directory, error),
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: format!("{PROGRAM} {}", arguments.join(" ")),
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Ends all processes of the directory and returns when they are gone.
pub fn stop(directory: &Utf8Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut ours: Vec<i32> =
        crate::survey::processes().into_iter().filter(|pid| is_ours(*pid, directory)).collect();
    for pid in &ours {
        let Some(pid) = Pid::from_raw(*pid) else { continue };
        // Gone between two looks is as good.
        let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
    }
    while !ours.is_empty() {
        ours.retain(|pid| is_ours(*pid, directory));
        if Instant::now() > deadline {
            return Err(Error::Monitor(format!("HAProxy of {directory} does not end")));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    for name in [PID, SOCKET, CONFIG, FORCE] {
        match std::fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file_error("removing", &directory.join(name), error));
            }
            _ => {}
        }
    }
    Ok(())
}
