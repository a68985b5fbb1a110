//! The block nodes of a volume, and the device that the guest sees.
//!
//! ```text
//!   device ──► [throttle] ──► top layer ──► ... ──► lowest layer      each with a node of its own for its file
//!               v<volume>-t   v<volume>-<layer>      ...              v<volume>-<layer>-f
//! ```
//! A volume in Ceph is one node of QEMU's own driver, `v<volume>-r-f`, below `v<volume>-r`. Every node is made by name,
//! over a file that comes open, so that QEMU follows no header. A machine that goes on across a restart of the daemon is
//! asked for them by these names.

use std::fs::{File, OpenOptions};

use camino::Utf8Path;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::{Map, Value, json};

use super::slots;
use crate::files::check_own_disk;
use crate::plan::{Bus, DiskLayer, DiskLimits, DiskPlan};
use crate::process::file_error;
use crate::volumes::lock::{inherited, unlock};
use crate::{Error, LayerFormat, Result};

/// How QEMU reads and writes a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// Past the host's cache: what the guest caches is not cached twice.
    pub direct: bool,
    pub io_uring: bool,
    pub no_flush: bool,
    pub writable: bool,
}

pub(super) type Opened = (File, Access);

/// Opens a volume's layers, the lowest first.
pub(super) fn open(disk: &DiskPlan, access: Access) -> Result<Vec<Opened>> {
    if disk.rbd.is_some() {
        return Ok(Vec::new());
    }
    let Some(top) = disk.layers.len().checked_sub(1) else {
        return Err(Error::Refused(format!("volume {} has no layer", disk.id)));
    };
    if disk.shared && !disk.read_only && (top > 0 || disk.layers[0].format != LayerFormat::Raw) {
        return Err(Error::Refused(format!(
            "volume {} is for several machines and made of layers, which only one can write",
            disk.id
        )));
    }
    if disk.key.is_none() && disk.layers.iter().any(|layer| layer.encrypted) {
        return Err(Error::Refused(format!("volume {} is encrypted, and its key is not known", disk.id)));
    }
    let opened = disk.layers.iter().enumerate().map(|(at, layer)| {
        if at > 0 && layer.format == LayerFormat::Raw {
            return Err(Error::Refused(format!("{} stands on another layer and is raw", layer.file)));
        }
        let writable = at == top && !disk.read_only;
        open_layer(layer, Access { writable, direct: at == top, ..access })
    });
    opened.collect()
}

/// What is asked for and not to be had is done without: not every file system can be read past the cache.
pub(super) fn open_layer(layer: &DiskLayer, access: Access) -> Result<Opened> {
    let path: &Utf8Path = &layer.file;
    let file = OpenOptions::new().read(true).write(access.writable).open(path);
    let file = file.map_err(|error| file_error("opening", path, error))?;
    if layer.format == LayerFormat::Qcow2 {
        check_own_disk(path, &file, layer.encrypted)?;
    }
    let direct =
        access.direct && fcntl_getfl(&file).and_then(|f| fcntl_setfl(&file, f | OFlags::DIRECT)).is_ok();
    Ok((file, Access { direct, ..access }))
}

/// Of all nodes of a volume. Nodes' names have room for 31 characters, which is less than a UUID.
pub(super) fn prefix(volume: &str) -> String {
    format!("v{}-", short(volume))
}

/// The node of what a layer and all below it show.
pub(super) fn layer_node(volume: &str, layer: &DiskLayer) -> String {
    format!("{}{}", prefix(volume), short(layer.file.file_stem().unwrap_or_default()))
}

fn short(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}

pub(super) fn throttle_node(volume: &str) -> String {
    format!("{}t", prefix(volume))
}

/// What the volume's secret is called in QEMU's tree of objects.
pub(super) fn key_id(volume: &str) -> String {
    format!("key-{}", short(volume))
}

/// The object that nodes of encrypted layers are opened by, for a QEMU that inherits the secret as a file.
pub(super) fn inherited_key(disk: &DiskPlan, file: i32) -> Value {
    as_written(disk, inherited(&key_id(&disk.id), file))
}

/// Ceph's keys are written in base64, and mean what that says.
fn as_written(disk: &DiskPlan, mut object: Value) -> Value {
    if disk.rbd.is_some() {
        object["format"] = json!("base64");
    }
    object
}

/// The node of what is in a volume in Ceph.
fn rbd_node(volume: &str) -> String {
    format!("{}r", prefix(volume))
}

/// The same for one that hears it by its monitor.
pub(super) fn told_key(disk: &DiskPlan) -> Option<Value> {
    let key = disk.secret()?;
    Some(as_written(disk, json!({"qom-type": "secret", "id": key_id(&disk.id), "data": key.expose()})))
}

/// Also what it is called in QEMU's tree of objects.
pub(super) fn throttle_id(volume: &str) -> String {
    format!("throttle-{}", short(volume))
}

/// None: the guest may do as much as it can.
pub(super) fn throttle_group(disk: &DiskPlan) -> Option<Value> {
    if disk.limits.is_none() {
        return None;
    }
    let DiskLimits { total_bytes, read_bytes, write_bytes, total_iops, read_iops, write_iops } = disk.limits;
    let all = [
        ("bps-total", total_bytes),
        ("bps-read", read_bytes),
        ("bps-write", write_bytes),
        ("iops-total", total_iops),
        ("iops-read", read_iops),
        ("iops-write", write_iops),
    ];
    let limits: Map<String, Value> =
        all.into_iter().filter_map(|(key, limit)| Some((key.to_owned(), json!(limit?)))).collect();
    Some(json!({"qom-type": "throttle-group", "id": throttle_id(&disk.id), "limits": limits}))
}

/// In the order in which they are made. `files`: the names by which QEMU opens the layers' files.
pub(super) fn nodes(disk: &DiskPlan, files: &[(String, Access)]) -> Vec<Value> {
    let mut nodes = Vec::with_capacity(2 * files.len() + 1);
    let mut below = None;
    for (layer, (file, access)) in disk.layers.iter().zip(files) {
        nodes.extend(layer_nodes(&disk.id, layer, file, *access, below.as_deref()));
        below = Some(layer_node(&disk.id, layer));
    }
    if let Some(image) = &disk.rbd {
        let name = rbd_node(&disk.id);
        let file = format!("{name}-f");
        nodes.push(image.node(&file, &key_id(&disk.id), !disk.read_only));
        nodes.push(json!({
            "driver": "raw", "node-name": name, "file": file, "read-only": disk.read_only, "discard": "unmap",
        }));
        below = Some(name);
    }
    if !disk.limits.is_none() {
        nodes.push(json!({
            "driver": "throttle", "node-name": throttle_node(&disk.id), "file": below,
            "throttle-group": throttle_id(&disk.id),
        }));
    }
    nodes
}

/// The node of the layer's file and the node of what is in it.
pub(super) fn layer_nodes(
    volume: &str,
    layer: &DiskLayer,
    file: &str,
    access: Access,
    below: Option<&str>,
) -> [Value; 2] {
    let [protocol, mut format] =
        named_layer_nodes(&layer_node(volume, layer), layer.format, file, access, below);
    if layer.encrypted {
        unlock(&mut format, layer.format, &key_id(volume));
    }
    [protocol, format]
}

pub(super) fn named_layer_nodes(
    name: &str,
    driver: LayerFormat,
    file: &str,
    access: Access,
    below: Option<&str>,
) -> [Value; 2] {
    let file_name = format!("{name}-f");
    let cache = json!({"direct": access.direct, "no-flush": access.no_flush});
    let mut protocol = json!({
        "driver": "file", "node-name": file_name, "filename": file, "read-only": !access.writable,
        "discard": "unmap", "cache": cache,
    });
    if access.io_uring {
        protocol["aio"] = json!("io_uring");
    }
    let mut format = json!({
        "driver": driver.as_str(), "node-name": name, "file": file_name, "read-only": !access.writable,
        "discard": "unmap", "cache": cache,
    });
    if access.writable {
        // What a guest fills with zeros takes no space, as what it discards.
        format["detect-zeroes"] = json!("unmap");
    }
    if driver == LayerFormat::Qcow2 {
        // Said also when there is none: else the header would be asked.
        format["backing"] = json!(below);
    }
    [protocol, format]
}

/// The devices by which the guest sees it: the one in the port is called as the slot, the last one is the disk. `sata`:
/// how many disks sit on the machine's own controller already.
pub(super) fn devices(disk: &DiskPlan, port: usize, sata: usize, boots: bool) -> Vec<Value> {
    let (name, port) = (slots::volume(&disk.id), format!("port{port}"));
    let serial = if disk.bus == Bus::Virtio { super::argv::serial(&disk.id) } else { &disk.id };
    let drive = match (disk.limits.is_none(), disk.layers.last()) {
        (true, _) if disk.rbd.is_some() => rbd_node(&disk.id),
        (true, Some(top)) => layer_node(&disk.id, top),
        _ => throttle_node(&disk.id),
    };
    let mut drive = json!({"drive": drive, "serial": serial});
    if disk.shared {
        drive["share-rw"] = json!(true);
    }
    if boots {
        drive["bootindex"] = json!(1);
    }
    let on = |driver: &str, id: String, bus: String| {
        let mut device = drive.clone();
        device["driver"] = json!(driver);
        device["id"] = json!(id);
        device["bus"] = json!(bus);
        if driver == "scsi-hd" {
            // Else the serial number would be it, and could not be as long.
            device["device_id"] = json!(disk.id);
        }
        device
    };
    match disk.bus {
        Bus::Virtio => vec![on("virtio-blk-pci", name, port)],
        Bus::Scsi => vec![
            json!({"driver": "virtio-scsi-pci", "id": name, "bus": port}),
            on("scsi-hd", format!("disk-{name}"), format!("{name}.0")),
        ],
        Bus::Usb => vec![
            json!({"driver": "qemu-xhci", "id": name, "bus": port}),
            json!({"driver": "usb-bot", "id": format!("usb-{name}"), "bus": format!("{name}.0")}),
            on("scsi-hd", format!("disk-{name}"), format!("usb-{name}.0")),
        ],
        // The first one is left for a rescue disk.
        Bus::Sata => vec![on("ide-hd", name, format!("ide.{}", sata + 1))],
    }
}

/// A device as the command line takes it from all versions of QEMU.
pub(super) fn shown(device: &Value) -> String {
    let mut text = device["driver"].as_str().unwrap_or_default().to_owned();
    for key in ["bus", "id", "drive", "serial", "device_id", "share-rw", "bootindex"] {
        match &device[key] {
            Value::Null => {}
            Value::String(value) => text += &format!(",{key}={value}"),
            Value::Bool(value) => text += &format!(",{key}={}", if *value { "on" } else { "off" }),
            value => text += &format!(",{key}={value}"),
        }
    }
    text
}
