//! Network namespaces: making, entering, removing.
//!
//! A thread that entered a namespace never goes back to a pool: it would carry the namespace into somebody else's
//! work. So every visit is a thread of its own (tens of microseconds), which ends with the visit. What it opened
//! there (sockets, taps) stays bound to the namespace and may be used from anywhere afterwards.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::link::netlink::{LinkChange, Netlink};
use crate::names::{NETNS_DIRECTORY, NetnsKind, NetnsName};
use crate::{Error, Result};

/// Runs `work` inside the namespace and waits for it without blocking the runtime.
pub async fn inside<T, F>(name: &NetnsName, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let name = name.clone();
    on_own_thread(move || {
        let path = name.path();
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Link(format!("network namespace {name} does not exist")),
            _ => file_error("open", &path, source),
        })?;
        rustix::thread::move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| file_error("enter network namespace", &path, errno.into()))?;
        work()
    })
    .await
}

/// Runs blocking `work` in the daemon's own namespace.
pub async fn on_own_thread<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let (answer, result) = tokio::sync::oneshot::channel();
    // What is logged there belongs to the same request.
    let cause = tracing::Span::current();
    std::thread::Builder::new()
        .name("netns".to_owned())
        .spawn(move || cause.in_scope(|| answer.send(work()).ok()))
        .map_err(|error| Error::Link(format!("cannot start a thread: {error}")))?;
    result.await.map_err(|_| Error::Link("a network thread panicked: see the log above".to_owned()))?
}

/// Makes the namespace unless it exists; true if it was made now. `alias` is written on its loopback link before the namespace gets its name,
/// so whatever [`list`] finds can be told apart.
pub async fn create(name: &NetnsName, alias: &str) -> Result<bool> {
    if is_namespace(&name.path()) {
        return Ok(false);
    }
    let (name, alias) = (name.clone(), alias.to_owned());
    on_own_thread(move || {
        prepare_directory()?;
        let path = name.path();
        // SAFETY: only the network namespace of this thread changes, and the thread ends with this closure.
        #[allow(unsafe_code)]
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .map_err(|errno| Error::Link(format!("cannot make network namespace {name}: {errno}")))?;
        let mut netlink = Netlink::open()?;
        netlink
            .change_link(1, &LinkChange { up: Some(true), alias: Some(alias), ..LinkChange::default() })?;
        give_name(&path, "/proc/thread-self/ns/net")
    })
    .await?;
    Ok(true)
}

/// Held while a name is given: until its namespace is mounted on it, it looks like one that a crash left.
static NAMING: Mutex<()> = Mutex::new(());

fn give_name(path: &Utf8Path, namespace: &str) -> Result<()> {
    let _held = NAMING.lock().unwrap_or_else(PoisonError::into_inner);
    // A file left by a crash between these two lines is mounted over at the next attempt.
    File::create(path).map_err(|source| file_error("create", path, source))?;
    rustix::mount::mount_bind(namespace, path.as_str())
        .map_err(|errno| file_error("mount a network namespace on", path, errno.into()))
}

/// Takes away a name that a crash left without a namespace.
pub fn remove_empty(name: &NetnsName) -> Result<()> {
    let _held = NAMING.lock().unwrap_or_else(PoisonError::into_inner);
    if is_namespace(&name.path()) { Ok(()) } else { remove(name) }
}

/// Gives a namespace its name back, if it lost it; true if it had. `handle` is the namespace itself, with all that is
/// in it still running.
pub fn restore(name: &NetnsName, handle: &File) -> Result<bool> {
    let path = name.path();
    if is_namespace(&path) {
        return Ok(false);
    }
    prepare_directory()?;
    give_name(&path, &format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
    Ok(true)
}

/// Takes the name away. The namespace and its links go when its last socket and process are gone.
pub fn remove(name: &NetnsName) -> Result<()> {
    let path = name.path();
    match rustix::mount::unmount(path.as_str(), UnmountFlags::DETACH) {
        // EINVAL: a plain file, left by a crash.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
        Err(errno) => return Err(file_error("unmount", &path, errno.into())),
    }
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(file_error("remove", &path, source)),
        _ => Ok(()),
    }
}

/// This cloud's namespaces by their names.
pub fn list(prefix: &str) -> Result<Vec<(NetnsKind, NetnsName)>> {
    let directory = Utf8Path::new(NETNS_DIRECTORY);
    let entries = match directory.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(file_error("list", directory, source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| file_error("list", directory, source))?;
        found.extend(NetnsName::recognize(prefix, entry.file_name()));
    }
    found.sort_by(|left, right| left.1.cmp(&right.1));
    Ok(found)
}

/// Writes a sysctl of the namespace that the calling thread is in.
pub fn sysctl(key: &str, value: &str) -> Result<()> {
    let path = Utf8Path::new("/proc/sys").join(key);
    let same = std::fs::read_to_string(&path).is_ok_and(|now| now.trim() == value);
    if same {
        return Ok(());
    }
    std::fs::write(&path, value).map_err(|source| file_error("write", &path, source))
}

/// Whether a namespace is mounted there, not only a file that a crash left.
#[must_use]
pub fn is_namespace(path: &Utf8Path) -> bool {
    const NSFS_MAGIC: i64 = 0x6e73_6673;
    // The type of `f_type` differs between architectures.
    #[allow(clippy::useless_conversion)]
    rustix::fs::statfs(path.as_str()).is_ok_and(|found| i64::from(found.f_type) == NSFS_MAGIC)
}

/// As `ip netns` does it: the directory is a shared mount, so that namespaces named here are seen (and, when removed,
/// let go) in the mount namespaces of other programs.
fn prepare_directory() -> Result<()> {
    let directory = Utf8Path::new(NETNS_DIRECTORY);
    std::fs::create_dir_all(directory).map_err(|source| file_error("create", directory, source))?;
    let share = || {
        rustix::mount::mount_change(
            directory.as_str(),
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
    };
    match share() {
        Ok(()) => return Ok(()),
        // Not a mount point yet.
        Err(Errno::INVAL) => {}
        Err(errno) => return Err(file_error("share the mount", directory, errno.into())),
    }
    rustix::mount::mount_bind_recursive(directory.as_str(), directory.as_str())
        .and_then(|()| share())
        .map_err(|errno| file_error("mount", directory, errno.into()))
}

fn file_error(operation: &'static str, path: &Utf8Path, source: io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}
