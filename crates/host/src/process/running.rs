//! A process that need not be our child: held by a pidfd, so that its number cannot come to mean another one.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[allow(unsafe_code)]
fn register(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and the same for as long as it lives, and the AsyncFd owns it.
    Ok(unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?)
}

#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    handle: AsyncFd<OwnedFd>,
}

impl Process {
    /// None when there is no such process (any more).
    pub(crate) fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
        let handle = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let process = Self { pid, handle: register(handle)? };
        Ok((!process.has_ended()).then_some(process))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// True also for a zombie that its parent has not taken note of.
    pub(crate) fn has_ended(&self) -> bool {
        let mut poll = [PollFd::new(self.handle.get_ref(), PollFlags::IN)];
        matches!(rustix::event::poll(&mut poll, Some(&Timespec::default())), Ok(1..))
    }

    pub(crate) async fn ended(&self) {
        while !self.has_ended() {
            match self.handle.readable().await {
                Ok(mut guard) if !self.has_ended() => guard.clear_ready(),
                Ok(_) => {}
                // Only when the runtime shuts down.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Cannot be refused by the process. It may have ended already.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// It may have ended already.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(self.handle.get_ref(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A file that it has open, to be used from here, too.
    pub(crate) fn file(&self, fd: i32) -> io::Result<OwnedFd> {
        let flags = rustix::process::PidfdGetfdFlags::empty();
        Ok(rustix::process::pidfd_getfd(self.handle.get_ref(), fd, flags)?)
    }

    /// The arguments it was started with. Empty once it has ended.
    pub(crate) fn arguments(&self) -> io::Result<Vec<String>> {
        let raw = match std::fs::read(format!("/proc/{}/cmdline", self.pid())) {
            Ok(raw) => raw,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&raw);
        Ok(text.split_terminator('\0').map(str::to_owned).collect())
    }
}
