//! `block_device_mapping_v2` and its older form, of requests and of images: read, joined, checked in Nova's words. No SQL,
//! no HTTP.

use std::collections::BTreeMap;

use base::{Error, Result};
use serde_json::{Map, Value};

use crate::flavors::Flavor;
use crate::schema::{flag, integer};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Source {
    #[default]
    Blank,
    Image,
    Snapshot,
    Volume,
}

impl Source {
    const ALL: [Self; 4] = [Self::Blank, Self::Image, Self::Snapshot, Self::Volume];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::Blank => "blank",
            Source::Image => "image",
            Source::Snapshot => "snapshot",
            Source::Volume => "volume",
        }
    }
}

/// One device as somebody asks for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    pub source: Source,
    /// Of everything but a blank one.
    pub id: Option<String>,
    pub to_volume: bool,
    /// None and negative: the server does not boot from it.
    pub boot_index: Option<i64>,
    pub size_gib: Option<i64>,
    pub volume_type: Option<String>,
    pub device_name: Option<String>,
    pub disk_bus: Option<String>,
    pub device_type: Option<String>,
    pub guest_format: Option<String>,
    pub tag: Option<String>,
    pub delete_on_termination: bool,
    /// What an image defines under this name is left out.
    pub no_device: bool,
}

impl Asked {
    pub fn is_root(&self) -> bool {
        self.boot_index == Some(0)
    }

    fn is_swap(&self) -> bool {
        self.source == Source::Blank && !self.to_volume && self.guest_format.as_deref() == Some("swap")
    }

    fn is_ephemeral(&self) -> bool {
        self.source == Source::Blank && !self.to_volume && !self.is_swap()
    }

    fn bare_name(&self) -> Option<&str> {
        self.device_name.as_deref().map(|name| name.strip_prefix("/dev/").unwrap_or(name))
    }
}

/// What a request says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Devices {
    pub list: Vec<Asked>,
    /// In the first API's form, or nothing was said.
    pub is_old: bool,
}

pub(super) fn invalid(details: &str) -> Error {
    Error::bad_request(format!("Block Device Mapping is Invalid: {details}"))
}

/// `image`: the request names one.
pub(crate) fn of_request(server: &Map<String, Value>, image: bool) -> Result<Devices> {
    let list = |key: &str| server.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (old, new) = (list("block_device_mapping"), list("block_device_mapping_v2"));
    if !old.is_empty() && !new.is_empty() {
        return Err(Error::bad_request(
            "Using different block_device_mapping syntaxes is not allowed in the same request.",
        ));
    }
    if new.is_empty() {
        let list = old.iter().map(old_device).collect::<Result<_>>()?;
        return Ok(Devices { list, is_old: true });
    }
    let list = new.iter().map(|device| new_device(device, image)).collect::<Result<_>>()?;
    Ok(Devices { list, is_old: false })
}

fn text(device: &Value, key: &str) -> Option<String> {
    device.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn truth(device: &Value, key: &str) -> bool {
    match device.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) if text.is_empty() => false,
        Some(value) => flag(value).unwrap_or(true),
    }
}

/// What both forms have.
fn common(device: &Value) -> Asked {
    Asked {
        size_gib: device.get("volume_size").and_then(integer).filter(|size| *size > 0),
        device_name: text(device, "device_name").map(|name| match name.starts_with("/dev/") {
            true => name,
            false => format!("/dev/{name}"),
        }),
        delete_on_termination: truth(device, "delete_on_termination"),
        no_device: truth(device, "no_device"),
        ..Asked::default()
    }
}

fn new_device(device: &Value, image: bool) -> Result<Asked> {
    let mut asked = known(device);
    if asked.no_device {
        return Ok(asked);
    }
    let source = text(device, "source_type").and_then(|word| source(&word));
    let id = text(device, "uuid");
    match (source, &id) {
        (Some(Source::Blank), Some(_)) => return Err(invalid("Invalid device UUID.")),
        (Some(Source::Blank), None) => {}
        (_, None) => return Err(invalid("Missing device UUID.")),
        (None, Some(_)) => return Err(invalid("Some required fields are missing")),
        (Some(_), Some(_)) => {}
    }
    asked.source = source.unwrap_or_default();
    asked.id = id;
    asked.to_volume = to_volume(device, asked.source);
    if asked.source == Source::Image && !asked.to_volume && !(image && asked.is_root()) {
        return Err(invalid("Mapping image to local is not supported."));
    }
    if !asked.to_volume && asked.volume_type.is_some() {
        return Err(invalid("Specifying a volume_type with destination_type=local is not supported."));
    }
    if asked.source == Source::Volume && asked.volume_type.is_some() {
        return Err(invalid("Specifying volume type to existing volume is not supported."));
    }
    Ok(asked)
}

fn source(word: &str) -> Option<Source> {
    Source::ALL.into_iter().find(|source| source.as_str() == word)
}

fn to_volume(device: &Value, source: Source) -> bool {
    match text(device, "destination_type").as_deref() {
        Some(word) => word == "volume",
        None => matches!(source, Source::Snapshot | Source::Volume),
    }
}

/// What the newer form has besides its source.
fn known(device: &Value) -> Asked {
    Asked {
        boot_index: device.get("boot_index").and_then(integer),
        volume_type: text(device, "volume_type"),
        disk_bus: text(device, "disk_bus"),
        device_type: text(device, "device_type"),
        guest_format: text(device, "guest_format"),
        tag: text(device, "tag"),
        ..common(device)
    }
}

fn old_device(device: &Value) -> Result<Asked> {
    let mut asked = common(device);
    let name = text(device, "virtual_name").unwrap_or_default();
    let ephemeral = name.strip_prefix("ephemeral");
    let numbered = ephemeral.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if name == "swap" || numbered {
        asked.delete_on_termination = true;
        asked.guest_format = (name == "swap").then_some(name);
    } else if let Some(id) = text(device, "snapshot_id") {
        (asked.source, asked.id, asked.to_volume) = (Source::Snapshot, Some(id), true);
    } else if let Some(id) = text(device, "volume_id") {
        (asked.source, asked.id, asked.to_volume) = (Source::Volume, Some(id), true);
    } else if !asked.no_device {
        return Err(invalid("Unrecognized legacy format."));
    }
    Ok(asked)
}

const ROOT: &str = "vda";

/// The older form does not say what to boot from: it is the device with the first disk's name, or the image.
fn with_boot_indexes(mut list: Vec<Asked>, image: Option<&str>, no_root: bool) -> Vec<Asked> {
    for asked in &mut list {
        let bootable = asked.source != Source::Blank && asked.bare_name() == Some(ROOT);
        asked.boot_index = match () {
            () if no_root => Some(-1),
            () if bootable => Some(0),
            () if asked.no_device => None,
            () => Some(-1),
        };
    }
    if let (Some(id), false, false) = (image, no_root, list.iter().any(Asked::is_root)) {
        list.insert(0, of_its_image(id));
    }
    list
}

/// The copy of its image.
fn of_its_image(id: &str) -> Asked {
    Asked {
        source: Source::Image,
        id: Some(id.to_owned()),
        boot_index: Some(0),
        device_type: Some("disk".into()),
        delete_on_termination: true,
        ..Asked::default()
    }
}

/// What an image's properties define.
fn of_image(properties: &BTreeMap<String, String>) -> Result<Vec<Asked>> {
    let Some(text_of) = properties.get("block_device_mapping") else { return Ok(Vec::new()) };
    let parsed: Vec<Value> =
        serde_json::from_str(text_of).map_err(|_| invalid("The image's own mapping cannot be read."))?;
    let newer = properties.get("bdm_v2").is_some_and(|word| {
        let word = Value::String(word.to_lowercase());
        flag(&word).unwrap_or(false)
    });
    if !newer {
        let list = parsed.iter().map(old_device).collect::<Result<Vec<_>>>()?;
        return Ok(with_boot_indexes(list, None, false));
    }
    Ok(parsed
        .iter()
        .map(|device| {
            let source = text(device, "source_type").and_then(|word| source(&word)).unwrap_or_default();
            Asked {
                source,
                id: text(device, &format!("{}_id", source.as_str())),
                to_volume: to_volume(device, source),
                ..known(device)
            }
        })
        .collect())
}

/// Request and image joined: what the request says of a device's name counts. `image`: the request names it.
pub(crate) fn joined(
    devices: &Devices,
    image: Option<(&str, &BTreeMap<String, String>)>,
) -> Result<Vec<Asked>> {
    if let Some((id, _)) = image
        && !id.is_empty()
        && !devices.is_old
        && devices.list.iter().any(|asked| asked.to_volume && asked.bare_name() == Some(ROOT))
    {
        return Err(Error::bad_request(format!(
            "The volume cannot be assigned the same device name as the root device {ROOT}"
        )));
    }
    let from_image = match image {
        Some((_, properties)) => of_image(properties)?,
        None => Vec::new(),
    };
    let root_in_image = from_image.iter().any(Asked::is_root);
    let mut list = devices.list.clone();
    if devices.is_old {
        list = with_boot_indexes(list, image.map(|(id, _)| id), root_in_image);
    } else if root_in_image {
        list.retain(|asked| !(asked.is_root() && asked.source == Source::Image));
    }
    let names: Vec<String> = list.iter().filter_map(|asked| asked.device_name.clone()).collect();
    list.extend(
        from_image.into_iter().filter(|asked| asked.device_name.as_ref().is_none_or(|n| !names.contains(n))),
    );
    list.retain(|asked| !asked.no_device);
    Ok(list)
}

/// Every bus that Nova knows.
const BUSES: &[&str] = &["fdc", "ide", "lxc", "sata", "scsi", "uml", "usb", "virtio", "xen"];

/// All that can be said without asking anybody.
pub(crate) fn check(list: &[Asked], flavor: &Flavor, count: i64) -> Result<()> {
    if count > 1 && list.iter().any(|asked| asked.source == Source::Volume) {
        return Err(Error::bad_request("Cannot attach one or more volumes to multiple instances"));
    }
    let mut order: Vec<i64> = list.iter().filter_map(|a| a.boot_index).filter(|n| *n >= 0).collect();
    order.sort_unstable();
    if order.is_empty() || order.iter().zip(0..).any(|(index, n)| *index != n) {
        return Err(invalid(
            "Boot sequence for the instance and image/block device mapping combination is not valid.",
        ));
    }
    for asked in list {
        if asked.to_volume && asked.size_gib.is_none() {
            match asked.source {
                Source::Image => {
                    return Err(Error::bad_request(
                        "Images with destination_type 'volume' need to have a non-zero size specified",
                    ));
                }
                Source::Blank => {
                    return Err(Error::bad_request(
                        "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
                    ));
                }
                Source::Snapshot | Source::Volume => {}
            }
        }
        if asked.disk_bus.as_deref().is_some_and(|bus| !BUSES.contains(&bus)) {
            return Err(Error::bad_request("Block Device Mapping is Invalid."));
        }
        check_served(asked)?;
    }
    let ephemerals: Vec<&Asked> = list.iter().filter(|asked| asked.is_ephemeral()).collect();
    let sizes: i64 = ephemerals.iter().map(|asked| asked.size_gib.unwrap_or(flavor.ephemeral_gib)).sum();
    if sizes > flavor.ephemeral_gib {
        return Err(Error::bad_request(
            "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block \
             device mapping, flavor ephemeral size will be used.",
        ));
    }
    let swaps: Vec<&Asked> = list.iter().filter(|asked| asked.is_swap()).collect();
    if swaps.len() > 1 {
        return Err(invalid("More than one swap drive requested."));
    }
    if swaps.iter().any(|asked| asked.size_gib.unwrap_or(0) > flavor.swap_mib) {
        return Err(Error::bad_request("Swap drive requested is larger than instance type allows."));
    }
    if ephemerals.len() > 1 {
        return Err(invalid("You specified more local devices than the limit allows"));
    }
    Ok(())
}

/// What Nova leaves to a host's driver to refuse.
fn check_served(asked: &Asked) -> Result<()> {
    if !asked.to_volume {
        return Ok(());
    }
    if let Some(bus) = asked.disk_bus.as_deref().filter(|bus| !crate::servers::BUSES.contains(bus)) {
        return Err(invalid(&format!("machines of this cloud have no {bus} bus.")));
    }
    if let Some(kind) = asked.device_type.as_deref().filter(|kind| *kind != "disk") {
        return Err(invalid(&format!("a volume is a disk here and no {kind}.")));
    }
    Ok(())
}

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
