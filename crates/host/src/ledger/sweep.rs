//! Takes away what a ledger names, and only if it still is what the ledger means.

use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Ledger, Thing};
use crate::link::netlink::Netlink;
use crate::names::NetnsName;
use crate::network::delete_links;
use crate::process::{Groups, file_error};
use crate::{Error, Result, netns, nft};

/// What came of it.
#[derive(Debug, Default)]
pub struct Swept {
    pub removed: Vec<Thing>,
    /// Left on purpose, with the reason.
    pub kept: Vec<(Thing, String)>,
    pub failed: Vec<(Thing, Error)>,
}

/// Works without daemon and database. What is gone already is simply forgotten.
pub async fn sweep(ledger: &Ledger, prefix: &str) -> Swept {
    let mut swept = Swept::default();
    for thing in ledger.things() {
        match remove(&thing, prefix).await.and_then(|done| ledger.forget(&thing).map(|()| done)) {
            Ok(Done::Removed) => swept.removed.push(thing),
            Ok(Done::Gone) => {}
            Ok(Done::Kept(reason)) => swept.kept.push((thing, reason)),
            Err(error) => swept.failed.push((thing, error)),
        }
    }
    swept
}

enum Done {
    Removed,
    Gone,
    Kept(String),
}

async fn remove(thing: &Thing, prefix: &str) -> Result<Done> {
    match thing {
        Thing::Machine { id } => {
            let machine = id.clone();
            let done = netns::on_own_thread(move || kill("qemu-system", &machine)).await?;
            Groups::new(prefix).clear(id).await;
            Ok(done)
        }
        Thing::Balancer { id } => {
            let id = id.clone();
            netns::on_own_thread(move || kill("haproxy", &id)).await
        }
        Thing::Netns { name } => remove_namespace(name, prefix).await,
        Thing::NftTable { family, name } => {
            let removal = format!("add table {family} {name}\ndelete table {family} {name}\n");
            netns::on_own_thread(move || nft::load(&removal, &mut None)).await?;
            Ok(Done::Removed)
        }
        Thing::Link { name } => {
            let name = name.clone();
            netns::on_own_thread(move || {
                let mut netlink = Netlink::open()?;
                match netlink.index(&name)? {
                    Some(index) => netlink.delete_link(index).map(|()| Done::Removed),
                    None => Ok(Done::Gone),
                }
            })
            .await
        }
        Thing::Module { name } => {
            let name = name.clone();
            netns::on_own_thread(move || Ok(unload(&name))).await
        }
        Thing::File { path } => match std::fs::remove_file(path) {
            Ok(()) => Ok(Done::Removed),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Done::Gone),
            Err(error) => Err(file_error("removing", path, error)),
        },
    }
}

/// Its name alone proves nothing: inside, the loopback must carry the id that the name was made of.
async fn remove_namespace(name: &str, prefix: &str) -> Result<Done> {
    let Some((_, name)) = NetnsName::recognize(prefix, name) else {
        return Ok(Done::Kept("its name is not one of this cloud's".to_owned()));
    };
    if !name.path().exists() {
        return Ok(Done::Gone);
    }
    if netns::is_namespace(&name.path()) {
        let short = name.as_str().len() - name.as_str().len().min(11);
        let alias = crate::network::id_of(&name).await?;
        if !alias.is_some_and(|id| id.starts_with(&name.as_str()[short..])) {
            return Ok(Done::Kept("somebody else made it".to_owned()));
        }
        netns::inside(&name, delete_links).await?;
    }
    netns::remove(&name)?;
    Ok(Done::Removed)
}

/// A program is known by the id of what it is for among its arguments.
fn kill(expected: &str, id: &str) -> Result<Done> {
    let mut found = Vec::new();
    for pid in crate::survey::processes() {
        let Ok(command) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).into_owned();
        let mut arguments = command.split('\0');
        let program = arguments.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        if !(program.starts_with(expected) && arguments.any(|argument| argument.contains(id))) {
            continue;
        }
        let Some(pid) = Pid::from_raw(pid) else { continue };
        // Gone between two looks is as good.
        let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
        found.push(pid);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    for pid in &found {
        while is_alive(*pid) {
            if Instant::now() > deadline {
                return Err(Error::Monitor(format!("process {pid:?} of {id} does not end")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(if found.is_empty() { Done::Gone } else { Done::Removed })
}

/// A zombie has let go of everything but its number.
fn is_alive(pid: Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    state.is_ok_and(|text| !text.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// br_netfilter filters every bridge of the machine, so it may be in somebody else's use by now.
fn unload(name: &str) -> Done {
    if !Utf8Path::new("/sys/module").join(name).exists() {
        return Done::Gone;
    }
    let bridges = std::fs::read_dir("/sys/class/net")
        .map(|links| links.flatten().any(|link| link.path().join("bridge").exists()))
        .unwrap_or(true);
    let namespaces =
        std::fs::read_dir(crate::names::NETNS_DIRECTORY).is_ok_and(|mut all| all.next().is_some());
    if bridges || namespaces {
        return Done::Kept(format!("bridges of others may need it; `modprobe -r {name}` unloads it"));
    }
    match Command::new("modprobe").args(["-r", name]).output() {
        Ok(output) if output.status.success() => Done::Removed,
        _ => Done::Kept(format!("the kernel does not let go of it; `modprobe -r {name}` unloads it")),
    }
}
