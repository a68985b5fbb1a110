//! Running a program, the one way this crate does it.
//!
//! Its standard output is collected (or sent to a file), of its standard error the last lines are kept, and a
//! failure is an [`Error`] that carries both. Programs from `/sbin` are found even when `PATH` lacks it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, Result};

/// How many of the last lines of standard error an error message shows.
const LAST_LINES: usize = 12;

/// Which Debian package has a program that is looked for here.
const PACKAGES: &[(&str, &str)] = &[
    ("blockdev", "util-linux"),
    ("chroot", "coreutils"),
    ("cpio", "cpio"),
    ("ctr", "containerd"),
    ("curl", "curl"),
    ("dpkg-query", "dpkg"),
    ("fakeroot", "fakeroot"),
    ("gcc", "gcc"),
    ("git", "git"),
    ("go", "golang-go"),
    ("grub-mkimage", "grub-common"),
    ("gzip", "gzip"),
    ("make", "make"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.vfat", "dosfstools"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("pv", "pv"),
    ("qemu-img", "qemu-utils"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("setpriv", "util-linux"),
    ("sfdisk", "fdisk"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
    ("xorriso", "xorriso"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
];

/// A program to run, with its arguments. Build it up, then [`run`](Command::run) it.
#[derive(Debug)]
pub struct Command {
    program: String,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    clear_env: bool,
    apart: bool,
    dir: Option<Utf8PathBuf>,
    stdin: Option<Vec<u8>>,
    stdout: Option<Utf8PathBuf>,
}

impl Command {
    pub fn new(program: impl Into<String>) -> Self {
        Command {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            clear_env: false,
            apart: false,
            dir: None,
            stdin: None,
            stdout: None,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts with an empty environment but for [`env`](Command::env) and a plain `PATH`.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// Runs it in a process group of its own, for programs that signal their whole group when they fail; it would
    /// be ours. It is terminated when this process ends before it does.
    #[must_use]
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Utf8Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Sends standard output to a file, which is made anew.
    #[must_use]
    pub fn stdout_to(mut self, file: impl AsRef<Utf8Path>) -> Self {
        self.stdout = Some(file.as_ref().to_owned());
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// The program is not installed, or it did not exit with 0.
    pub fn run(self) -> Result<()> {
        self.output().map(drop)
    }

    /// Runs it to its end and returns its standard output (empty when that went to a file).
    ///
    /// # Errors
    /// The program is not installed, or it did not exit with 0.
    pub fn output(mut self) -> Result<String> {
        let shown = self.to_string();
        tracing::debug!(command = %shown, "run");
        let mut child = self.start()?;
        let stdin = self.stdin.take();
        let feeder = child.stdin.take().zip(stdin).map(|(mut pipe, text)| {
            // A program that stops reading early says why by its exit code, so EPIPE is not ours to report.
            thread::spawn(move || drop(pipe.write_all(&text)))
        });
        let stderr = child.stderr.take().map(|pipe| thread::spawn(move || last_lines(pipe)));
        let mut stdout = Vec::new();
        let read = child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut stdout));
        let status = child.wait().map_err(|source| self.cannot_start(source))?;
        read.map_err(|source| self.cannot_start(source))?;
        if let Some(feeder) = feeder {
            drop(feeder.join());
        }
        let stderr = stderr.and_then(|t| t.join().ok()).unwrap_or_default();
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        if status.success() {
            return Ok(stdout);
        }
        let said = if stderr.is_empty() { tail(&stdout) } else { stderr };
        if said.contains("No space left on device") {
            let path = self.stdout.or(self.dir).unwrap_or_else(|| "the build directory".into());
            return Err(Error::DiskFull { path });
        }
        Err(Error::CommandFailed { command: shown, status: describe(status), stderr: said })
    }

    /// Starts it in the background; it is killed and reaped when the handle is dropped. Its output goes to `log`.
    ///
    /// # Errors
    /// The program is not installed, or `log` cannot be made.
    pub fn background(self, log: &Utf8Path) -> Result<Running> {
        let shown = self.to_string();
        tracing::debug!(command = %shown, %log, "start");
        let file = File::create(log).map_err(Error::io("create", log))?;
        let copy = file.try_clone().map_err(Error::io("open", log))?;
        let mut command = self.prepare()?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().map_err(|source| self.cannot_start(source))?;
        Ok(Running { child, command: shown, log: log.to_owned() })
    }

    fn start(&self) -> Result<Child> {
        let mut command = self.prepare()?;
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stderr(Stdio::piped());
        match &self.stdout {
            Some(path) => command.stdout(File::create(path).map_err(Error::io("create", path))?),
            None => command.stdout(Stdio::piped()),
        };
        command.spawn().map_err(|source| self.cannot_start(source))
    }

    fn prepare(&self) -> Result<std::process::Command> {
        let program = find(&self.program)?;
        let mut command = if self.apart {
            let mut command = std::process::Command::new(find("setpriv")?);
            command.args(["--pdeathsig", "TERM", "--", program.as_str()]).process_group(0);
            command
        } else {
            std::process::Command::new(program)
        };
        command.args(&self.args);
        if self.clear_env {
            command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        }
        // Messages are read by us and by error reports: one language.
        command.env("LC_ALL", "C.UTF-8").envs(self.envs.iter().map(|(k, v)| (k, v)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        Ok(command)
    }

    fn cannot_start(&self, source: io::Error) -> Error {
        Error::Io { action: "run", path: self.program.clone().into(), source }
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program)?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || "'\"$;&|<>()*".contains(c)) {
                write!(f, " '{}'", arg.replace('\'', r"'\''"))?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

/// A program that runs in the background; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    log: Utf8PathBuf,
}

impl Running {
    /// Fails when the program has ended by itself, with the last lines of its log.
    ///
    /// # Errors
    /// It ended, whatever its exit code.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::CommandFailed {
                command: self.command.clone(),
                status: describe(status),
                stderr: File::open(&self.log).map(last_lines).unwrap_or_default(),
            }),
            Err(source) => Err(Error::Io { action: "wait for", path: self.command.clone().into(), source }),
        }
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Checks that all of `programs` are installed, so that a build fails in its first second and not in its last.
///
/// # Errors
/// The first that is missing, with the package to install.
pub fn require(programs: &[&str]) -> Result<()> {
    programs.iter().try_for_each(|program| find(program).map(drop))
}

/// Checks for root: `what` cannot be done without.
///
/// # Errors
/// [`Error::NeedsRoot`].
pub fn require_root(what: &str) -> Result<()> {
    if is_root() { Ok(()) } else { Err(Error::NeedsRoot { what: what.to_owned() }) }
}

#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Where `program` is; `PATH` first, then the directories that a plain user's `PATH` lacks.
///
/// # Errors
/// [`Error::MissingProgram`].
pub fn find(program: &str) -> Result<Utf8PathBuf> {
    if program.contains('/') {
        let path = Utf8PathBuf::from(program);
        return if path.exists() { Ok(path) } else { Err(missing(program)) };
    }
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"])
        .filter(|dir| !dir.is_empty())
        .map(|dir| Utf8Path::new(dir).join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| missing(program))
}

fn missing(program: &str) -> Error {
    let name = program.rsplit('/').next().unwrap_or(program);
    let package = PACKAGES.iter().find(|(known, _)| *known == name).map_or(name, |(_, package)| package);
    Error::MissingProgram { program: program.to_owned(), package: package.to_owned() }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

fn last_lines(pipe: impl Read) -> String {
    let mut kept: VecDeque<String> = VecDeque::with_capacity(LAST_LINES);
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::trace!(stderr = text);
            if kept.len() == LAST_LINES {
                kept.pop_front();
            }
            kept.push_back(text.to_owned());
        }
        line.clear();
    }
    Vec::from(kept).join("\n")
}

fn tail(text: &str) -> String {
    last_lines(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_names_its_package() {
        let err = missing("mke2fs").to_string();
        assert!(err.contains("apt-get install e2fsprogs"), "{err}");
        assert!(matches!(find("surely-no-such-program"), Err(Error::MissingProgram { .. })));
    }

    #[test]
    fn output_and_input() {
        let out = Command::new("cat").stdin("hello").output().unwrap();
        assert_eq!(out, "hello");
    }

    #[test]
    fn failure_carries_code_and_last_lines() {
        let script = "for i in $(seq 100); do echo line $i >&2; done; exit 3";
        let err = Command::new("sh").args(["-c", script]).run().unwrap_err();
        let Error::CommandFailed { status, stderr, command } = err else { panic!("{err}") };
        assert_eq!(status, "exit code 3");
        assert_eq!(stderr.lines().count(), LAST_LINES);
        assert!(stderr.ends_with("line 100"));
        assert!(command.starts_with("sh -c 'for i in"), "{command}");
    }

    #[test]
    fn full_disk_is_recognised_in_the_words_of_a_program() {
        let script = "echo 'cp: error writing: No space left on device' >&2; exit 1";
        let err = Command::new("sh").args(["-c", script]).dir("/tmp").run().unwrap_err();
        assert!(matches!(err, Error::DiskFull { .. }), "{err}");
    }

    #[test]
    fn program_that_hangs_up_on_its_group_does_not_reach_us() {
        let err = Command::new("sh").args(["-c", "kill -HUP 0; sleep 5"]).apart().run().unwrap_err();
        let Error::CommandFailed { status, .. } = err else { panic!("{err}") };
        assert_eq!(status, "signal 1");
    }

    #[test]
    fn background_program_is_watched_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let log = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
        let mut running = Command::new("sleep").arg("1000").background(&log).unwrap();
        running.check().unwrap();
        let id = running.id();
        drop(running);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
        let mut gone = Command::new("sh").args(["-c", "echo oops; exit 7"]).background(&log).unwrap();
        drop(gone.child.wait());
        let err = gone.check().unwrap_err().to_string();
        assert!(err.contains("exit code 7") && err.contains("oops"), "{err}");
    }
}
