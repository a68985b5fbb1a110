//! Layers that were merged go from under a running machine.
//!
//! ```text
//!   top ──► c ──► b ──► a          b was merged into a
//!   top ──► c ──► a_               opened anew: of a file that has changed QEMU knows old tables
//! ```

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::machine::Machine;
use super::slots;
use super::switch::{chain, nodes_of};
use super::volume::{Access, layer_node, named_layer_nodes, open_layer, throttle_node};
use crate::plan::{DiskLayer, DiskPlan};
use crate::qmp::Client;
use crate::{Error, LayerFormat, Result};

/// What the name of a layer's node ends with when the plain name is taken.
const OTHER: char = '_';

fn is_of(node: &str, name: &str) -> bool {
    node.trim_end_matches(OTHER) == name
}

/// A node as QEMU has it.
struct Node {
    file: String,
    writable: bool,
    direct: bool,
    no_flush: bool,
}

async fn nodes(monitor: &Client) -> Result<HashMap<String, Node>> {
    let all = monitor.execute("query-named-block-nodes", json!({"flat": true})).await?;
    let node = |told: &Value| {
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let flag = |value: &Value| value.as_bool() == Some(true);
        let node = Node {
            file: text("file"),
            writable: !flag(&told["ro"]),
            direct: flag(&told["cache"]["direct"]),
            no_flush: flag(&told["cache"]["no-flush"]),
        };
        (text("node-name"), node)
    };
    Ok(all.as_array().into_iter().flatten().map(node).collect())
}

impl Machine {
    pub(super) async fn rebase_disk(&self, disk: &DiskPlan, access: Access) -> Result<()> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        if disk.layers.iter().any(|layer| layer.encrypted) {
            return Err(Error::Refused(format!("layers of volume {} are encrypted and stay", disk.id)));
        }
        let has = chain(&monitor, &disk.id).await?;
        // Left by a call that was cut off.
        forget_unused(&monitor, &disk.id).await?;
        let wanted: Vec<(&DiskLayer, String)> =
            disk.layers.iter().rev().map(|layer| (layer, layer_node(&disk.id, layer))).collect();
        // Above there may be a layer of which only one of the two knows yet.
        let first = has.iter().enumerate().find_map(|(at, node)| {
            wanted.iter().position(|(_, name)| is_of(node, name)).map(|there| (at, there))
        });
        let Some((at, there)) = first else {
            if has.is_empty() {
                return Ok(());
            }
            return Err(Error::Monitor(format!("the machine has none of the layers of volume {}", disk.id)));
        };
        let pairs = has[at..].iter().zip(&wanted[there..]);
        let same = pairs.take_while(|(node, (_, name))| is_of(node, name)).count();
        if at + same < has.len() || there + same < wanted.len() {
            let (above, layer) = (&has[at + same - 1], wanted[there + same - 1].0);
            self.put_under(&monitor, disk, (above, layer), &wanted[there + same..], access).await?;
        }
        forget_unused(&monitor, &disk.id).await
    }

    /// The lower ones, opened anew, are what `above` stands on.
    async fn put_under(
        &self,
        monitor: &Client,
        disk: &DiskPlan,
        (above, layer): (&String, &DiskLayer),
        lower: &[(&DiskLayer, String)],
        access: Access,
    ) -> Result<()> {
        let there = nodes(monitor).await?;
        let mut below: Option<String> = None;
        for (layer, name) in lower.iter().rev() {
            let other = format!("{name}{OTHER}");
            let name = if there.contains_key(name) { other } else { name.clone() };
            let (file, access) = open_layer(layer, Access { writable: false, direct: false, ..access })?;
            let file = self.hand_over(monitor, file.into(), &slots::volume(&disk.id)).await?;
            for node in named_layer_nodes(&name, layer.format, &file, access, below.as_deref()) {
                monitor.execute("blockdev-add", node).await?;
            }
            below = Some(name);
        }
        let now = there.get(above).ok_or_else(|| Error::Monitor(format!("node {above} is not there")))?;
        let access = Access {
            writable: now.writable,
            direct: now.direct,
            no_flush: now.no_flush,
            ..Access::default()
        };
        let [_, node] = named_layer_nodes(above, layer.format, "", access, below.as_deref());
        if layer.format != LayerFormat::Qcow2 {
            return Err(Error::Monitor(format!("node {above} is raw and stands on nothing")));
        }
        monitor.execute("blockdev-reopen", json!({"options": [node]})).await?;
        Ok(())
    }
}

/// Nodes that are not below the guest's device go, and their files.
async fn forget_unused(monitor: &Client, volume: &str) -> Result<()> {
    let used: HashSet<String> = chain(monitor, volume).await?.into_iter().collect();
    let files: HashMap<String, Node> = nodes(monitor).await?;
    let is_used =
        |node: &str| used.contains(node.strip_suffix("-f").unwrap_or(node)) || node == throttle_node(volume);
    let mut unused: Vec<String> =
        nodes_of(monitor, volume).await?.into_iter().filter(|node| !is_used(node)).collect();
    // Who stands on others goes first.
    while !unused.is_empty() {
        let before = unused.len();
        let mut left = Vec::new();
        for node in unused {
            match monitor.execute("blockdev-del", json!({"node-name": node})).await {
                Err(_) => left.push(node),
                Ok(_) if node.ends_with("-f") => give_back(monitor, files.get(&node)).await,
                Ok(_) => {}
            }
        }
        if left.len() == before {
            return Err(Error::Monitor(format!("nodes {left:?} cannot be removed")));
        }
        unused = left;
    }
    Ok(())
}

/// QEMU closes it, when no node has it open.
async fn give_back(monitor: &Client, node: Option<&Node>) {
    let set =
        node.and_then(|node| node.file.strip_prefix("/dev/fdset/")).and_then(|set| set.parse::<u64>().ok());
    if let Some(set) = set {
        drop(monitor.execute("remove-fd", json!({"fdset-id": set})).await);
    }
}
