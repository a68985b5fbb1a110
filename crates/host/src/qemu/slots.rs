//! Which root port each device of a machine sits in. Guests name their network cards by it, and a saved machine finds
//! its devices again only where they were; so a device keeps its port for as long as the machine has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::blank::{self, Blank};
use crate::plan::{Bus, RescuePlace, VmPlan};
use crate::probe::Accelerator;
use crate::{Error, Result};

/// Empty ports for network cards and volumes that come while the machine runs: room for the 26 disks that Nova lets a
/// server have. An emulated guest takes 30 ms to find each of them when it boots, so it has fewer.
pub(super) fn spare_ports(accelerator: Accelerator) -> usize {
    match accelerator {
        Accelerator::Kvm => 28,
        Accelerator::Tcg => 16,
    }
}

/// The disk that a machine has of an image.
pub(super) const ROOT: &str = "disk-root";

/// The rescue disk, or the controller that it is plugged in to.
pub(super) const RESCUE: &str = "disk-rescue";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slots {
    /// Ports of the process that was started last.
    pub count: usize,
    taken: BTreeMap<String, usize>,
}

pub(super) fn nic(port_id: &str) -> String {
    format!("nic-{port_id}")
}

pub(super) fn disk(blank: Blank) -> String {
    format!("disk-{}", blank.name())
}

pub(super) fn volume(id: &str) -> String {
    format!("volume-{id}")
}

/// In the order in which a new machine gets its ports.
pub(super) fn devices(vm: &VmPlan) -> Vec<String> {
    let rescue = vm.rescue.as_ref().map(|rescue| rescue.place);
    let first = (rescue == Some(RescuePlace::First)).then_some(RESCUE);
    let last = matches!(rescue, Some(RescuePlace::Last(_))).then_some(RESCUE);
    let config = vm.config_drive.is_some().then_some("disk-config");
    let root = vm.root.is_some().then_some(ROOT);
    // One that is plugged in to the machine's own controller needs no port.
    let volumes: Vec<_> =
        vm.disks.iter().map(|disk| (disk.bus != Bus::Sata).then(|| volume(&disk.id))).collect();
    let (boot, volumes) = volumes.split_at(vm.disks.len().min(usize::from(vm.root.is_none())));
    let mut devices: Vec<String> = first.into_iter().chain(root).map(str::to_owned).collect();
    devices.extend(boot.iter().flatten().cloned());
    devices.extend(blank::of(vm).map(|(blank, _)| disk(blank)));
    devices.extend(config.into_iter().chain(["rng", "serial"]).map(str::to_owned));
    devices.extend(vm.nics.iter().map(|n| nic(&n.port_id)));
    devices.extend(volumes.iter().flatten().cloned());
    devices.extend(last.map(str::to_owned));
    devices
}

impl Slots {
    /// For a start: known devices keep their ports, new ones get free ones, the ports of others are free again. A saved
    /// machine must have as many ports as it had.
    pub(super) fn arrange(&self, devices: &[String], spare: usize, saved: bool) -> Self {
        let known = self.taken.iter().filter(|(device, _)| devices.contains(device));
        let mut slots = Self { count: usize::MAX, taken: known.map(|(d, p)| (d.clone(), *p)).collect() };
        for device in devices {
            // There are as many ports as numbers: this cannot fail.
            drop(slots.take(device));
        }
        let used = slots.taken.values().max().map_or(0, |port| port + 1);
        slots.count = if saved { self.count.max(used) } else { used.max(devices.len() + spare) };
        slots
    }

    /// Whether the rescue disk took the root disk's place.
    pub(super) fn displaced(&self) -> bool {
        self.of(RESCUE) == Some(0)
    }

    pub(super) fn of(&self, device: &str) -> Option<usize> {
        self.taken.get(device).copied()
    }

    /// A free port, or the one that the device has already.
    pub(super) fn take(&mut self, device: &str) -> Result<usize> {
        if let Some(port) = self.of(device) {
            return Ok(port);
        }
        let free = (0..self.count).find(|port| !self.taken.values().any(|taken| taken == port));
        let port = free.ok_or_else(|| {
            Error::Refused("the machine has no free slot: restart it to get more of them".into())
        })?;
        self.taken.insert(device.to_owned(), port);
        Ok(port)
    }

    pub(super) fn give_back(&mut self, device: &str) {
        self.taken.remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARE: usize = 5;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn devices_keep_their_ports() {
        let first = Slots::default().arrange(&names(&["a", "b", "c"]), SPARE, false);
        assert_eq!((first.of("a"), first.of("c"), first.count), (Some(0), Some(2), 3 + SPARE));
        let mut running = first.clone();
        assert_eq!(running.take("d").unwrap(), 3);
        running.give_back("b");
        assert_eq!((running.take("d").unwrap(), running.take("e").unwrap()), (3, 1));
        let again = running.arrange(&names(&["a", "d", "x"]), SPARE, false);
        assert_eq!((again.of("d"), again.of("x"), again.of("c")), (Some(3), Some(1), None));
        assert_eq!(running.arrange(&names(&["a", "d"]), SPARE, true).count, 3 + SPARE);
    }

    #[test]
    fn ports_are_finite() {
        let mut slots = Slots::default().arrange(&names(&["a"]), SPARE, false);
        for n in 0..SPARE {
            slots.take(&n.to_string()).unwrap();
        }
        assert!(matches!(slots.take("more"), Err(Error::Refused(_))));
    }
}
