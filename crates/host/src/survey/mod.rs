//! What is on this machine, for those who must not get in its way. Looking changes nothing.

mod facts;
mod firewall;
mod kernel;
mod system;

use ipnet::IpNet;

pub use facts::{Distribution, Facts, Kernel, Kvm, Need, PROGRAMS, Program};

use crate::link::netlink::Netlink;
use crate::link::observe;

/// Links with their networks, and routes' destinations, of the calling thread's namespace. Nothing where they cannot
/// be seen.
pub fn networks() -> Vec<(String, IpNet)> {
    let Ok(observed) = Netlink::open().and_then(|mut netlink| observe::observe(&mut netlink)) else {
        return Vec::new();
    };
    let links = observed.links.into_iter().filter(|link| link.name != "lo");
    let mut found: Vec<(String, IpNet)> =
        links.flat_map(|link| link.addresses.into_iter().map(move |net| (link.name.clone(), net))).collect();
    found.extend(observed.routes.into_iter().map(|(net, via)| (format!("a route by {via}"), net)));
    found
}

/// For `doctor --fix`: in the machine's own namespace.
pub fn set_sysctl(key: &str, value: &str) -> crate::Result<()> {
    crate::netns::sysctl(key, value)
}

/// For `doctor --fix`.
pub fn load_module(name: &str) -> crate::Result<()> {
    let command = format!("modprobe {name}");
    let failed = |status: String, stderr: String| crate::Error::Command { command, status, stderr };
    match std::process::Command::new("modprobe").arg(name).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(failed(output.status.to_string(), said))
        }
        Err(error) => Err(failed("no start".into(), error.to_string())),
    }
}

/// Numbers of all processes.
pub fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// As whom processes run.
pub fn users() -> Vec<u32> {
    use std::os::unix::fs::MetadataExt;
    processes()
        .into_iter()
        .filter_map(|pid| std::fs::metadata(format!("/proc/{pid}")).ok())
        .map(|process| process.uid())
        .collect()
}
