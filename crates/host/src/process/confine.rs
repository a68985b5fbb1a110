//! Gives away everything a child process does not need, between fork and exec.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, Uid, UnshareFlags};
use tokio::process::Command;

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a child is and has. The default is: an own session, no other files, no core dumps, no new privileges.
#[derive(Debug, Default)]
pub(crate) struct Confinement {
    /// Becomes this user and the group of the same number, alone in an empty network namespace. None when this
    /// process is not root and so has nothing to give away.
    pub user: Option<u32>,
    /// Stays in this process's network namespace nevertheless.
    pub keeps_network: bool,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// May read any file in spite of its user: for tools that inspect files which only root can read.
    pub reads_any_file: bool,
    /// Open files the child keeps, under the same numbers. The caller keeps them open until the child runs.
    pub files: Vec<RawFd>,
    /// Where the child writes its process id before it becomes another program, so that no crash of this process
    /// can leave one behind that nobody knows.
    pub pid_file: Option<OwnedFd>,
    /// The child is killed when the thread that starts it ends, which threads of the runtime do with this process only:
    /// for tools whose work is worth nothing to a later process.
    pub ends_with_us: bool,
    pub limits: Vec<(Resource, u64)>,
    /// Control groups that the child joins: their `cgroup.procs`.
    pub groups_to_join: Vec<OwnedFd>,
}

/// Makes `command` start as `confinement` says.
#[allow(unsafe_code)]
pub(crate) fn confine(command: &mut Command, confinement: Confinement) {
    let groups: Vec<Gid> = confinement.groups.iter().copied().map(Gid::from_raw).collect();
    let parent = rustix::process::getpid();
    let child = move || {
        enter(&confinement, &groups)?;
        // After the change of user, which takes this back.
        if confinement.ends_with_us { end_with(parent) } else { Ok(()) }
    };
    // SAFETY: `enter` makes system calls only: it takes no lock and allocates nothing, as a child forked from a
    // process with several threads must.
    unsafe { command.pre_exec(child) };
}

fn enter(confinement: &Confinement, groups: &[Gid]) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if let Some(file) = &confinement.pid_file {
        write_pid(file)?;
    }
    for group in &confinement.groups_to_join {
        // Limits are for the host's comfort; a kernel that refuses (no memory for it, say) costs nobody his machine.
        let _ = rustix::io::write(group, b"0");
    }
    limit(Resource::Core, 0)?;
    for (resource, value) in &confinement.limits {
        limit(*resource, *value)?;
    }
    if let Some(user) = confinement.user {
        if !confinement.keeps_network {
            leave_network()?;
        }
        become_user(user, groups, confinement.reads_any_file)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    keep_only(&confinement.files)
}

fn end_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let value = Rlimit { current: Some(value), maximum: Some(value) };
    Ok(rustix::process::setrlimit(resource, value)?)
}

#[allow(unsafe_code)]
fn leave_network() -> io::Result<()> {
    // SAFETY: only the network namespace changes; no open file depends on it and this thread is the only one.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)? };
    Ok(())
}

fn become_user(user: u32, groups: &[Gid], reads_any_file: bool) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    rustix::thread::set_keep_capabilities(reads_any_file)?;
    rustix::thread::set_thread_groups(groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    if reads_any_file {
        let only = CapabilitySet::DAC_READ_SEARCH;
        let sets = CapabilitySets { effective: only, permitted: only, inheritable: only };
        rustix::thread::set_capabilities(None, sets)?;
        rustix::thread::configure_capability_in_ambient_set(only, true)?;
    }
    Ok(())
}

/// Everything but the standard streams closes at exec, also what a library opened without saying so.
#[allow(unsafe_code)]
fn keep_only(files: &[RawFd]) -> io::Result<()> {
    // SAFETY: sets flags of this process's own descriptors; invalid numbers are skipped by the kernel.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    for file in files {
        // SAFETY: the caller of `confine` keeps these files open until the child runs.
        let file = unsafe { BorrowedFd::borrow_raw(*file) };
        rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?;
    }
    Ok(())
}

fn write_pid(file: &OwnedFd) -> io::Result<()> {
    let mut digits = [0_u8; 12];
    let mut at = digits.len() - 1;
    digits[at] = b'\n';
    let mut rest = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    rustix::io::write(file, &digits[at..])?;
    Ok(())
}

impl Confinement {
    pub(crate) fn keep(&mut self, file: &impl AsRawFd) -> RawFd {
        let number = file.as_raw_fd();
        self.files.push(number);
        number
    }
}
