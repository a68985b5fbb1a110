//! Cards and disks that come to a running machine, and go.

use std::os::fd::OwnedFd;
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, timeout_at};

use super::machine::Machine;
use super::slots;
use super::snapshot::take_back;
use super::switch::nodes_of;
use super::volume::{self, Access};
use crate::plan::{Bus, DiskPlan, NicPlan};
use crate::qmp::{Client, Event};
use crate::{Error, Result};

/// A guest that boots does not listen yet, so it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(30);

impl Machine {
    pub(super) async fn has_device(&self, device: &str) -> Result<bool> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let devices = monitor.execute("qom-list", json!({"path": "/machine/peripheral"})).await?;
        Ok(devices.as_array().is_some_and(|list| list.iter().any(|entry| entry["name"] == device)))
    }

    pub(super) async fn add_nic(&self, nic: &NicPlan, tap: OwnedFd, port: usize) -> Result<()> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let (device, cable) = (slots::nic(&nic.port_id), format!("net-{}", nic.port_id));
        // Left by a call that was cut off.
        drop(monitor.execute("netdev_del", json!({"id": cable})).await);
        monitor.execute_with_files("getfd", json!({"fdname": cable}), vec![tap]).await?;
        monitor.execute("netdev_add", json!({"type": "tap", "id": cable, "fd": cable})).await?;
        let card = json!({
            "driver": "virtio-net-pci", "id": device, "bus": format!("port{port}"), "netdev": cable,
            "mac": nic.mac, "host_mtu": nic.mtu, "romfile": "",
        });
        if let Err(error) = monitor.execute("device_add", card).await {
            drop(monitor.execute("netdev_del", json!({"id": cable})).await);
            return Err(error.into());
        }
        Ok(())
    }

    pub(super) async fn remove_nic(&self, port_id: &str) -> Result<()> {
        self.remove_device(&slots::nic(port_id)).await?;
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        // The tap goes with its cable. It may have gone in a call that was cut off.
        drop(monitor.execute("netdev_del", json!({"id": format!("net-{port_id}")})).await);
        Ok(())
    }

    pub(super) async fn add_disk(&self, disk: &DiskPlan, port: usize, access: Access) -> Result<()> {
        if disk.bus == Bus::Sata {
            let why = "a disk on the SATA bus cannot be plugged in while the machine runs";
            return Err(Error::Refused(why.into()));
        }
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let name = slots::volume(&disk.id);
        // Left by a call that was cut off.
        forget_disk(&monitor, &disk.id).await;
        let opened = volume::open(disk, access)?;
        let added = async {
            let mut files = Vec::with_capacity(opened.len());
            for (file, access) in opened {
                files.push((self.hand_over(&monitor, file.into(), &name).await?, access));
            }
            if let Some(group) = volume::throttle_group(disk) {
                monitor.execute("object-add", group).await?;
            }
            show_key(&monitor, disk).await?;
            for node in volume::nodes(disk, &files) {
                monitor.execute("blockdev-add", node).await?;
            }
            hide_key(&monitor, &disk.id).await;
            for device in volume::devices(disk, port, 0, false) {
                monitor.execute("device_add", device).await?;
            }
            Ok(())
        };
        let added: Result<()> = added.await;
        if added.is_err() {
            // A controller that got no disk.
            if self.has_device(&name).await? {
                self.remove_device(&name).await?;
            }
            forget_disk(&monitor, &disk.id).await;
        }
        added
    }

    pub(super) async fn remove_disk(&self, id: &str) -> Result<()> {
        self.remove_device(&slots::volume(id)).await?;
        forget_disk(&self.monitor(super::GREETING_LIMIT).await?, id).await;
        Ok(())
    }

    /// Asks the guest to let go of a device until it has.
    async fn remove_device(&self, device: &str) -> Result<()> {
        if !self.has_device(device).await? {
            return Ok(());
        }
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let mut events = monitor.events();
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            // Refused while an earlier request is still open: then that one is waited for.
            drop(monitor.execute("device_del", json!({"id": device})).await);
            let again = (Instant::now() + ASK_AGAIN).min(end);
            if gone(&mut events, device, again).await || !self.has_device(device).await? {
                return Ok(());
            }
        }
        Err(Error::Refused(format!("the guest did not let go of {device} within {LIMIT:?}")))
    }
}

async fn gone(events: &mut Receiver<Event>, device: &str, until: Instant) -> bool {
    while let Ok(Ok(event)) = timeout_at(until, events.recv()).await {
        if event.name == "DEVICE_DELETED" && event.data["device"] == device {
            return true;
        }
    }
    false
}

/// For nodes that are about to be made: whoever has opened an encrypted layer does not ask again.
pub(super) async fn show_key(monitor: &Client, disk: &DiskPlan) -> Result<()> {
    if let Some(key) = volume::told_key(disk) {
        hide_key(monitor, &disk.id).await;
        monitor.execute("object-add", key).await?;
    }
    Ok(())
}

/// Not there is fine.
pub(super) async fn hide_key(monitor: &Client, volume: &str) {
    drop(monitor.execute("object-del", json!({"id": volume::key_id(volume)})).await);
}

/// Block nodes and files of a disk that no device uses. Nothing of it may be there.
async fn forget_disk(monitor: &Client, id: &str) {
    let mut nodes = nodes_of(monitor, id).await.unwrap_or_default();
    // Who stands on others goes first; the order of their making is not always that.
    loop {
        let mut used = Vec::new();
        for node in &nodes {
            if monitor.execute("blockdev-del", json!({"node-name": node})).await.is_err() {
                used.push(node.clone());
            }
        }
        if used.is_empty() || used.len() == nodes.len() {
            break;
        }
        nodes = used;
    }
    drop(monitor.execute("object-del", json!({"id": volume::throttle_id(id)})).await);
    hide_key(monitor, id).await;
    take_back(monitor, &slots::volume(id)).await;
}
