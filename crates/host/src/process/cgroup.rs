//! Control groups: how much of this host a machine's process may use. Version 2 where the host has it, else version 1,
//! else nothing: a host without them (a container, say) runs machines all the same.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::plan::Limits;

const CONTROLLERS: &str = "+cpu +memory";
const LOOK: Duration = Duration::from_millis(20);
/// Looks before an unused group is left to the machine's next end.
const PATIENCE: u32 = 50;
/// QEMU's own needs beside the guest's memory and the cache of translated code. Generous: this limit is for a process
/// that has gone mad, not for one that works.
const OVERHEAD: u64 = 1 << 30;
/// Version 1's default share, and the longest and shortest that it knows.
const LEAST_SHARES: u64 = 2;
const MOST_SHARES: u64 = 262_144;
const DEFAULT_PERIOD: u64 = 100_000;
/// What one process weighs that nobody has limited, and the most that a group can: in version 2, in version 1.
const WEIGHT: (u64, u64) = (100, 10_000);
const SHARES: (u64, u64) = (1024, MOST_SHARES);

/// The control groups of a cloud's machines.
#[derive(Debug)]
pub(crate) struct Groups {
    root: Utf8PathBuf,
    /// The directory of ours: two clouds on this host may have machines of one id, say after a restore.
    ours: String,
    /// Machines whose group stays, though no process may be in it yet.
    entered: Mutex<HashSet<String>>,
}

impl Groups {
    pub(crate) fn new(ours: &str) -> Self {
        Self { root: "/sys/fs/cgroup".into(), ours: ours.to_owned(), entered: Mutex::default() }
    }

    fn entered(&self) -> MutexGuard<'_, HashSet<String>> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the groups of a machine with its limits. The files are where its process writes `0` to join.
    pub(crate) fn enter(&self, name: &str, limits: &Limits, memory: u64) -> Vec<OwnedFd> {
        let mut entered = self.entered();
        entered.insert(name.to_owned());
        let wanted = if self.is_unified() {
            // Limits can be set in our groups once the groups above pass the controllers on. A refusal shows then.
            drop(std::fs::write(self.root.join("cgroup.subtree_control"), CONTROLLERS));
            vec![(self.root.clone(), unified_settings(limits, memory))]
        } else {
            let cpu = self.controller("cpu").map(|dir| (dir, cpu_settings(limits)));
            let bytes = vec![("memory.limit_in_bytes", memory.to_string())];
            let memory = self.controller("memory").map(|dir| (dir, bytes));
            cpu.into_iter().chain(memory).collect()
        };
        let made = wanted.into_iter().filter_map(|(dir, settings)| {
            let dir = dir.join(&self.ours).join(name);
            make(&dir, &settings)
                .inspect_err(|error| tracing::debug!(%dir, %error, "no control group for a machine"))
                .ok()
        });
        let made = made.collect();
        self.weigh();
        made
    }

    /// Together the machines weigh as much as that many processes. Left alone their group weighs as one, and they starve
    /// beside whatever else this host does.
    fn weigh(&self) {
        let (dir, file, (one, most)) = if self.is_unified() {
            (self.root.clone(), "cpu.weight", WEIGHT)
        } else if let Some(dir) = self.controller("cpu") {
            (dir, "cpu.shares", SHARES)
        } else {
            return;
        };
        let ours = dir.join(&self.ours);
        let Ok(entries) = ours.read_dir_utf8() else { return };
        let machines =
            entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).count();
        let weight = one.saturating_mul(machines.max(1) as u64).min(most);
        // It may go at this moment, with its last machine.
        drop(std::fs::write(ours.join(file), weight.to_string()));
    }

    /// A machine has ended. From here on `clear` may take its groups, unless it enters again.
    pub(crate) fn leave(&self, name: &str) {
        self.entered().remove(name);
    }

    /// The groups of a machine that has left go. A process counts until its parent has taken note of its end.
    pub(crate) async fn clear(&self, name: &str) {
        for _ in 0..PATIENCE {
            if self.remove(name) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::debug!(name, "a control group is in use still");
    }

    /// False: a group is not empty.
    fn remove(&self, name: &str) -> bool {
        let entered = self.entered();
        if entered.contains(name) {
            return true;
        }
        let dirs = [Some(self.root.clone()), self.controller("cpu"), self.controller("memory")];
        let mut gone = true;
        for ours in dirs.into_iter().flatten().map(|dir| dir.join(&self.ours)) {
            match std::fs::remove_dir(ours.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => gone = false,
                // The last one to go takes the directory above along.
                _ => drop(std::fs::remove_dir(ours)),
            }
        }
        self.weigh();
        gone
    }

    fn is_unified(&self) -> bool {
        self.root.join("cgroup.controllers").exists()
    }

    /// Of version 1, where controllers are mounted one by one.
    fn controller(&self, name: &str) -> Option<Utf8PathBuf> {
        let dir = self.root.join(name);
        (!self.is_unified() && dir.join("cgroup.procs").exists()).then_some(dir)
    }
}

type Settings = Vec<(&'static str, String)>;

fn make(dir: &Utf8Path, settings: &Settings) -> io::Result<OwnedFd> {
    // A machine that ends takes the empty directory above along, perhaps between its making and that of `dir`.
    let mut tries = PATIENCE;
    while let Err(error) = std::fs::create_dir_all(dir) {
        tries -= 1;
        if error.kind() != io::ErrorKind::NotFound || tries == 0 {
            return Err(error);
        }
    }
    if let Some(ours) = dir.parent()
        && ours.join("cgroup.controllers").exists()
    {
        drop(std::fs::write(ours.join("cgroup.subtree_control"), CONTROLLERS));
    }
    for (file, value) in settings {
        if let Err(error) = std::fs::write(dir.join(file), value) {
            tracing::warn!(%dir, file, value, %error, "a limit of a machine could not be set");
        }
    }
    Ok(OpenOptions::new().write(true).open(dir.join("cgroup.procs"))?.into())
}

fn unified_settings(limits: &Limits, memory: u64) -> Settings {
    let mut settings = vec![("memory.max", memory.to_string())];
    if let Some(shares) = limits.cpu_shares {
        // The kernel's own way from shares to weights.
        let weight = 1 + (shares.clamp(LEAST_SHARES, MOST_SHARES) - LEAST_SHARES) * 9_999 / 262_142;
        settings.push(("cpu.weight", weight.to_string()));
    }
    if let Some(quota) = limits.cpu_quota {
        let period = limits.cpu_period.unwrap_or(DEFAULT_PERIOD);
        settings.push(("cpu.max", format!("{quota} {period}")));
    }
    settings
}

fn cpu_settings(limits: &Limits) -> Settings {
    let shares = limits.cpu_shares.map(|shares| ("cpu.shares", shares));
    let period = limits.cpu_period.map(|period| ("cpu.cfs_period_us", period));
    let quota = limits.cpu_quota.map(|quota| ("cpu.cfs_quota_us", quota));
    [shares, period, quota].into_iter().flatten().map(|(file, value)| (file, value.to_string())).collect()
}

/// Bytes that the process of a guest with this memory may take, with its cache of translated code.
pub(crate) fn memory_limit(guest_mib: u64, translation_mib: u64) -> u64 {
    ((guest_mib + translation_mib) << 20) + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Groups) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().to_owned();
        (dir, Groups { root, ..Groups::new("cumulet") })
    }

    const LIMITS: Limits = Limits { cpu_shares: Some(1024), cpu_quota: Some(50_000), cpu_period: None };

    #[tokio::test]
    async fn a_host_without_them_limits_nothing() {
        let (_dir, groups) = tree();
        assert!(groups.enter("a", &LIMITS, 1 << 30).is_empty());
        groups.clear("a").await;
        assert_eq!(std::fs::read_dir(&groups.root).unwrap().count(), 0);
    }

    #[test]
    fn version_2_has_one_group() {
        let (_dir, groups) = tree();
        std::fs::write(groups.root.join("cgroup.controllers"), "cpu memory").unwrap();
        let own = groups.root.join("cumulet/a");
        std::fs::create_dir_all(&own).unwrap();
        // The kernel makes this file with the directory.
        std::fs::write(own.join("cgroup.procs"), "").unwrap();
        assert_eq!(groups.enter("a", &LIMITS, 1 << 30).len(), 1);
        let read = |name: &str| std::fs::read_to_string(own.join(name)).unwrap();
        assert_eq!((read("cpu.weight"), read("cpu.max")), ("39".into(), "50000 100000".into()));
        assert_eq!(read("memory.max"), (1_u64 << 30).to_string());
    }

    #[test]
    fn version_1_has_one_for_each_controller() {
        let (_dir, groups) = tree();
        for name in ["cpu", "memory"] {
            let own = groups.root.join(name).join("cumulet/a");
            std::fs::create_dir_all(&own).unwrap();
            std::fs::write(groups.root.join(name).join("cgroup.procs"), "").unwrap();
            std::fs::write(own.join("cgroup.procs"), "").unwrap();
        }
        assert_eq!(groups.enter("a", &LIMITS, 4096).len(), 2);
        let read = |name: &str| std::fs::read_to_string(groups.root.join(name)).unwrap();
        assert_eq!(read("cpu/cumulet/a/cpu.shares"), "1024");
        assert_eq!(read("cpu/cumulet/a/cpu.cfs_quota_us"), "50000");
        assert_eq!(read("memory/cumulet/a/memory.limit_in_bytes"), "4096");
    }

    #[test]
    fn all_machines_weigh_as_many_processes() {
        let (_dir, groups) = tree();
        let ours = groups.root.join("cpu/cumulet");
        for machine in ["a", "b", "c"] {
            std::fs::create_dir_all(ours.join(machine)).unwrap();
        }
        std::fs::write(groups.root.join("cpu/cgroup.procs"), "").unwrap();
        let weight = || std::fs::read_to_string(ours.join("cpu.shares")).unwrap();
        groups.enter("c", &LIMITS, 4096);
        assert_eq!(weight(), "3072");
        assert!(groups.remove("b"));
        assert_eq!(weight(), "2048");
    }

    #[tokio::test]
    async fn a_machine_that_starts_again_keeps_its_group() {
        let (_dir, groups) = tree();
        std::fs::write(groups.root.join("cgroup.controllers"), "cpu memory").unwrap();
        let own = groups.root.join("cumulet/a");
        std::fs::create_dir_all(&own).unwrap();
        groups.leave("a");
        groups.enter("a", &LIMITS, 4096);
        // The kernel lets go of a group whatever files are in it.
        for file in std::fs::read_dir(&own).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        groups.clear("a").await;
        assert!(own.exists());
        groups.leave("a");
        groups.clear("a").await;
        assert!(!own.exists());
    }

    #[test]
    fn memory_has_room_for_qemu_itself() {
        assert_eq!(memory_limit(512, 128), (512 + 128 + 1024) << 20);
    }
}
