//! Volumes that change under a running machine: it goes on in a new layer, or its disk grows.

use serde_json::{Value, json};

use super::hotplug::{hide_key, show_key};
use super::machine::Machine;
use super::slots;
use super::volume::{self, Access, layer_node, layer_nodes, open_layer};
use crate::plan::DiskPlan;
use crate::qmp::Client;
use crate::{Error, Result};

/// Block nodes of one volume, by name, the youngest first.
pub(super) async fn nodes_of(monitor: &Client, volume: &str) -> Result<Vec<String>> {
    let all = monitor.execute("query-named-block-nodes", json!({"flat": true})).await?;
    let prefix = volume::prefix(volume);
    let names = all.as_array().into_iter().flatten().filter_map(|node| node["node-name"].as_str());
    Ok(names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect())
}

/// The nodes below the guest's device, the uppermost first. Empty: the machine has no such disk.
pub(super) async fn chain(monitor: &Client, volume: &str) -> Result<Vec<String>> {
    let stats = monitor.execute("query-blockstats", Value::Null).await?;
    let device = slots::volume(volume);
    let ours = |block: &&Value| block["qdev"].as_str().is_some_and(|path| path.contains(&device));
    let mut next = stats.as_array().into_iter().flatten().find(ours);
    let mut names = Vec::new();
    while let Some(name) = next.and_then(|node| node["node-name"].as_str()) {
        names.push(name.to_owned());
        next = next.map(|node| &node["backing"]);
    }
    Ok(names)
}

/// The node at the guest's device, and what size the guest knows. None: the machine has no such disk.
async fn shown(monitor: &Client, disk: &DiskPlan) -> Result<Option<(String, u64)>> {
    let blocks = monitor.execute("query-block", Value::Null).await?;
    let device = slots::volume(&disk.id);
    let ours = |block: &&Value| block["qdev"].as_str().is_some_and(|path| path.contains(&device));
    let Some(block) = blocks.as_array().into_iter().flatten().find(ours) else { return Ok(None) };
    let root = block["inserted"]["node-name"].as_str().unwrap_or_default().to_owned();
    Ok(Some((root, block["inserted"]["image"]["virtual-size"].as_u64().unwrap_or(0))))
}

impl Machine {
    /// Several layers may be new at once, when nothing could be told to the machine for a while.
    pub(super) async fn switch_disk(&self, disk: &DiskPlan, access: Access) -> Result<()> {
        if disk.rbd.is_some() {
            // It goes on in the image that it has open: see `volumes::rbd`.
            return Ok(());
        }
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let chain = chain(&monitor, &disk.id).await?;
        if chain.is_empty() {
            return Ok(());
        }
        let layers = disk.layers.iter().map(|layer| layer_node(&disk.id, layer)).collect::<Vec<_>>();
        let there = nodes_of(&monitor, &disk.id).await?;
        let at = layers.iter().rposition(|layer| chain.contains(layer)).ok_or_else(|| {
            Error::Monitor(format!("the machine writes none of the layers that volume {} has", disk.id))
        })?;
        if disk.key.is_none() && disk.layers.iter().any(|layer| layer.encrypted) {
            return Err(Error::Refused(format!("volume {} is encrypted, and its key is not known", disk.id)));
        }
        show_key(&monitor, disk).await?;
        let switched = self.add_layers(&monitor, disk, access, at, &there).await;
        hide_key(&monitor, &disk.id).await;
        switched
    }

    /// Those above the one at `at`, which is there.
    async fn add_layers(
        &self,
        monitor: &Client,
        disk: &DiskPlan,
        access: Access,
        at: usize,
        there: &[String],
    ) -> Result<()> {
        let layers = disk.layers.iter().map(|layer| layer_node(&disk.id, layer)).collect::<Vec<_>>();
        for (below, at) in (at..).zip(at + 1..layers.len()) {
            // Made and not yet used, by a call that was cut off.
            for node in [layers[at].clone(), format!("{}-f", layers[at])] {
                if there.contains(&node) {
                    monitor.execute("blockdev-del", json!({"node-name": node})).await?;
                }
            }
            let layer = &disk.layers[at];
            let (file, access) = open_layer(layer, Access { writable: true, direct: true, ..access })?;
            let file = self.hand_over(monitor, file.into(), &slots::volume(&disk.id)).await?;
            for node in layer_nodes(&disk.id, layer, &file, access, None) {
                monitor.execute("blockdev-add", node).await?;
            }
            let onto = json!({"node": layers[below], "overlay": layers[at]});
            let switch = {
                let monitor = monitor.clone();
                async move { Ok(monitor.execute("blockdev-snapshot", onto).await?) }
            };
            self.while_quiet(monitor, switch).await?;
        }
        Ok(())
    }

    pub(super) async fn grow_disk(&self, disk: &DiskPlan, bytes: u64) -> Result<bool> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let Some((root, shown)) = shown(&monitor, disk).await? else { return Ok(false) };
        if shown < bytes {
            monitor.execute("block_resize", json!({"node-name": root, "size": bytes})).await?;
        }
        Ok(true)
    }
}
