//! The body of `POST /v2.1/servers`, checked and turned into a [`Request`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Ctx, Error, Result};
use serde_json::{Map, Value};

use crate::block_devices::{self, asked};
use crate::schema::{self, Field, Kind, MAX_INT, PRINTABLE, TAG, flag, integer};

const METADATA: Kind = Kind::Metadata { null: false, numbers: false };
const ID: Kind = Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "._-".contains(c), "^[a-zA-Z0-9._-]*$");
pub(crate) const FQDN: Kind =
    Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "-._".contains(c), "^[a-zA-Z0-9-._]*$");

const NETWORK: &[Field] = &[
    Field::new("fixed_ip", Kind::Ip),
    Field::new("port", Kind::UuidOrNull),
    Field::new("uuid", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")).until(36),
    Field::new("uuid", Kind::Uuid).from(37),
    Field::new("tag", TAG).from(32).until(36),
    Field::new("tag", TAG).from(42),
];

const VIRTUAL_NAME: Field = Field::new("virtual_name", Kind::Text(0, 255, schema::ANY_CHAR, ""));
const VOLUME: Field = Field::new("volume_id", Kind::Uuid);
const SNAPSHOT: Field = Field::new("snapshot_id", Kind::Uuid);
const VOLUME_SIZE: Field = Field::new("volume_size", Kind::Integer(1, MAX_INT));
const DEVICE_NAME: Field = Field::new(
    "device_name",
    Kind::Text(1, 255, |c| c.is_ascii_alphanumeric() || "._/-".contains(c), "^[a-zA-Z0-9._/-]*$"),
);
const DELETED_AS_WELL: Field = Field::new("delete_on_termination", Kind::Bool);
const NO_DEVICE: Field = Field::new("no_device", Kind::Any);
const CONNECTION: Field = Field::new("connection_info", Kind::Text(0, 16_777_215, schema::ANY_CHAR, ""));

const OLD_BLOCK_DEVICE: &[Field] =
    &[VIRTUAL_NAME, VOLUME, SNAPSHOT, VOLUME_SIZE, DEVICE_NAME, DELETED_AS_WELL, NO_DEVICE, CONNECTION];

const BLOCK_DEVICE: &[Field] = &[
    VIRTUAL_NAME,
    VOLUME,
    SNAPSHOT,
    VOLUME_SIZE,
    DEVICE_NAME,
    DELETED_AS_WELL,
    NO_DEVICE,
    CONNECTION,
    Field::new("source_type", Kind::Enum(&["volume", "image", "snapshot", "blank"])),
    Field::new("uuid", ID),
    Field::new("image_id", Kind::Uuid),
    Field::new("destination_type", Kind::Enum(&["local", "volume"])),
    Field::new("guest_format", Kind::Text(0, 255, schema::ANY_CHAR, "")),
    Field::new("device_type", Kind::Text(0, 255, schema::ANY_CHAR, "")),
    Field::new("disk_bus", Kind::Text(0, 255, schema::ANY_CHAR, "")),
    Field::new("boot_index", Kind::IntegerOrNull(i64::MIN, i64::MAX)),
    Field::new("tag", TAG).from(32).until(32),
    Field::new("tag", TAG).from(42),
    Field::new("volume_type", Kind::TextOrNull(0, 255, schema::ANY_CHAR, "")).from(67),
];

pub(crate) const FILE: &[Field] = &[
    Field::new("path", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")).required(),
    Field::new("contents", Kind::Base64(usize::MAX)).required(),
];

const SERVER: &[Field] = &[
    Field::new("name", Kind::Name).required(),
    Field::new("imageRef", Kind::UuidOrEmpty),
    Field::new("flavorRef", Kind::TextOrInteger).required(),
    Field::new("adminPass", Kind::Text(0, usize::MAX, schema::ANY_CHAR, "")),
    Field::new("metadata", METADATA),
    Field::new("networks", Kind::List(&Kind::Object(NETWORK), 0, usize::MAX)).until(36),
    Field::new(
        "networks",
        Kind::OneOf(&[Kind::List(&Kind::Object(NETWORK), 0, usize::MAX), Kind::Enum(&["none", "auto"])]),
    )
    .from(37)
    .required(),
    Field::new("OS-DCF:diskConfig", Kind::Enum(&["AUTO", "MANUAL"])),
    Field::new("accessIPv4", Kind::Ipv4),
    Field::new("accessIPv6", Kind::Ipv6),
    Field::new("personality", Kind::List(&Kind::Object(FILE), 0, usize::MAX)).until(56),
    Field::new("availability_zone", Kind::Name),
    Field::new("block_device_mapping", Kind::List(&Kind::Object(OLD_BLOCK_DEVICE), 0, usize::MAX)),
    Field::new("block_device_mapping_v2", Kind::List(&Kind::Object(BLOCK_DEVICE), 0, usize::MAX)),
    Field::new("config_drive", Kind::Bool),
    Field::new("key_name", Kind::Name),
    Field::new("min_count", Kind::Integer(1, i64::MAX)),
    Field::new("max_count", Kind::Integer(1, i64::MAX)),
    Field::new("return_reservation_id", Kind::Bool),
    Field::new(
        "security_groups",
        Kind::List(&Kind::Object(&[Field::new("name", Kind::Name)]), 0, usize::MAX),
    ),
    Field::new("user_data", Kind::Base64(65535)),
    Field::new("description", Kind::TextOrNull(0, 255, PRINTABLE, "")).from(19),
    Field::new("tags", Kind::List(&TAG, 0, 50)).from(52),
    Field::new("trusted_image_certificates", CERTIFICATES).from(63),
    Field::new("host", FQDN).from(74),
    Field::new("hypervisor_hostname", FQDN).from(74),
    Field::new("hostname", Kind::Label).from(90).until(93),
    Field::new("hostname", FQDN).from(94),
];

pub(crate) const CERTIFICATES: Kind =
    Kind::SetOrNull(&Kind::Text(1, usize::MAX, schema::ANY_CHAR, ""), 1, 50);

const TEXT: Kind = Kind::Text(0, usize::MAX, schema::ANY_CHAR, "");
const UUIDS: Kind = Kind::OneOf(&[Kind::Uuid, Kind::List(&Kind::Uuid, 0, usize::MAX)]);
const HINTS: Kind = Kind::Open(&[
    Field::new("group", UUIDS),
    Field::new("different_host", UUIDS),
    Field::new("same_host", Kind::TextOr(&Kind::List(&Kind::Uuid, 0, usize::MAX))),
    Field::new("query", Kind::TextOr(&Kind::Open(&[]))),
    Field::new("target_cell", Kind::Name),
    Field::new("different_cell", Kind::TextOr(&Kind::List(&TEXT, 0, usize::MAX))),
    Field::new("build_near_host_ip", Kind::Ip),
    Field::new("cidr", Kind::Prefix),
]);

/// What `networks` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Networks {
    /// Nothing was said: the only network, if there is one.
    Default,
    None,
    Auto,
    These(Vec<Requested>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requested {
    pub network: Option<String>,
    pub port: Option<String>,
    pub fixed_ip: Option<IpAddr>,
    pub tag: Option<String>,
}

#[derive(Debug)]
pub(super) struct Request {
    pub name: String,
    pub description: Option<String>,
    pub hostname: Option<String>,
    /// None: it boots from a volume.
    pub image: Option<String>,
    pub devices: asked::Devices,
    pub flavor: String,
    pub networks: Networks,
    /// None: the project's default group.
    pub security_groups: Option<Vec<String>>,
    /// As they were given: the answer shows them again.
    pub security_groups_shown: Value,
    pub key_name: Option<String>,
    pub user_data: Option<String>,
    pub files: Vec<(String, String)>,
    pub trusted_certificates: Option<Vec<String>>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub config_drive: bool,
    pub zone: Option<String>,
    pub host: Option<String>,
    pub group: Option<String>,
    /// All of them, as given; only the group is heeded.
    pub hints: Value,
    pub admin_pass: Option<String>,
    pub access_ipv4: Option<String>,
    pub access_ipv6: Option<String>,
    pub disk_config: Option<String>,
    pub min_count: i64,
    pub max_count: i64,
    pub return_reservation: bool,
}

pub(super) fn parse(ctx: &Ctx, body: &Value) -> Result<Request> {
    let minor = ctx.microversion.minor;
    let (server, hints) = checked(body, minor)?;
    let empty = Map::new();
    let server = server.as_object().unwrap_or(&empty);
    let text = |key: &str| server.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").unwrap_or_default();
    let image = text("imageRef").unwrap_or_default();
    let devices = asked::of_request(server, !image.is_empty())?;
    if !devices.list.is_empty() {
        ctx.authorize(&block_devices::policy::CREATE_SERVER, None)?;
    }
    if image.is_empty() && devices.list.is_empty() {
        return Err(Error::bad_request("Missing imageRef attribute"));
    }
    let min_count = server.get("min_count").and_then(integer).unwrap_or(1);
    let max_count = server.get("max_count").and_then(integer).unwrap_or(min_count);
    if min_count > max_count {
        return Err(Error::bad_request("min_count must be <= max_count"));
    }
    let (zone, host) = zone(text("availability_zone"))?;
    let asked_host = text("host").or_else(|| text("hypervisor_hostname"));
    if host.is_some() && asked_host.is_some() {
        return Err(Error::bad_request(
            "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are \
             mutually exclusive.",
        ));
    }
    let mut tags: Vec<String> = server.get("tags").map(strings).unwrap_or_default();
    tags.sort();
    tags.dedup();
    let group = hints.and_then(|h| h.get("group")).and_then(|g| match g {
        Value::Array(list) => list.first()?.as_str(),
        other => other.as_str(),
    });
    Ok(Request {
        // Before 2.19 a server's description was its name.
        description: if minor >= 19 { text("description") } else { Some(name.clone()) },
        name,
        hostname: text("hostname"),
        image: Some(image).filter(|id| !id.is_empty()),
        devices,
        flavor: flavor_id(&server["flavorRef"]),
        networks: networks(server.get("networks"))?,
        security_groups: server.get("security_groups").map(group_names),
        security_groups_shown: server
            .get("security_groups")
            .cloned()
            .unwrap_or_else(|| serde_json::json!([{"name": "default"}])),
        key_name: text("key_name"),
        user_data: text("user_data"),
        files: files(server.get("personality")),
        trusted_certificates: certificates(server.get("trusted_image_certificates")),
        metadata: metadata(server.get("metadata")),
        tags,
        config_drive: server.get("config_drive").and_then(flag).unwrap_or(false),
        zone,
        host: host.or(asked_host),
        group: group.map(str::to_owned),
        hints: hints.cloned().unwrap_or_else(|| serde_json::json!({})),
        admin_pass: text("adminPass"),
        access_ipv4: text("accessIPv4").and_then(|t| canonical(&t)),
        access_ipv6: text("accessIPv6").and_then(|t| canonical(&t)),
        disk_config: text("OS-DCF:diskConfig"),
        min_count,
        max_count,
        return_reservation: server.get("return_reservation_id").and_then(flag).unwrap_or(false),
    })
}

pub(crate) fn certificates(given: Option<&Value>) -> Option<Vec<String>> {
    given.filter(|list| !list.is_null()).map(strings)
}

const HINT_NAMES: [&str; 2] = ["os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"];

/// The server and the hints of a body that is right: its parts are looked at first, then what is missing, then what should
/// not be there.
pub(super) fn checked(body: &Value, minor: u16) -> Result<(&Value, Option<&Value>)> {
    let part = |name: &str| body.as_object().and_then(|map| map.get(name));
    if let Some(server) = part("server") {
        schema::check(&Kind::Object(SERVER), server, "server", minor)?;
    }
    for name in HINT_NAMES {
        if let Some(hints) = part(name) {
            schema::check(&HINTS, hints, name, minor)?;
        }
    }
    if let Some(map) = body.as_object() {
        schema::required(map, "server")?;
    }
    let root = schema::root(body, &["server", HINT_NAMES[0], HINT_NAMES[1]])?;
    let hints = HINT_NAMES.iter().find_map(|name| root.get(*name));
    Ok((schema::required(root, "server")?, hints))
}

/// An address in its shortest form; None for an empty one.
pub(crate) fn canonical(text: &str) -> Option<String> {
    text.parse::<IpAddr>().ok().map(|address| address.to_string())
}

/// An id, or the last part of a link to the flavor.
fn flavor_id(value: &Value) -> String {
    let text = schema::text_or_number(value).unwrap_or_default();
    let path = text.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn group_names(value: &Value) -> Vec<String> {
    let names = value.as_array().into_iter().flatten().filter_map(|g| g.get("name")?.as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

pub(crate) fn files(value: Option<&Value>) -> Vec<(String, String)> {
    let file =
        |f: &Value| Some((f.get("path")?.as_str()?.to_owned(), f.get("contents")?.as_str()?.to_owned()));
    value.and_then(Value::as_array).into_iter().flatten().filter_map(file).collect()
}

pub(crate) fn metadata(value: Option<&Value>) -> BTreeMap<String, String> {
    let pairs = value.and_then(Value::as_object).into_iter().flatten();
    pairs.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}

/// `zone`, and for admins `zone:host` and `zone:host:node` (a host is its own only node here).
fn zone(text: Option<String>) -> Result<(Option<String>, Option<String>)> {
    let Some(text) = text else { return Ok((None, None)) };
    let parts: Vec<&str> = text.split(':').collect();
    let some = |part: &str| Some(part.to_owned()).filter(|p| !p.is_empty());
    match parts[..] {
        [zone] => Ok((some(zone), None)),
        [zone, host] => Ok((some(zone), some(host))),
        [zone, host, node] => Ok((some(zone), some(host).or_else(|| some(node)))),
        _ => Err(Error::bad_request("Invalid input received: Unable to parse availability_zone")),
    }
}

fn networks(value: Option<&Value>) -> Result<Networks> {
    let list = match value {
        None => return Ok(Networks::Default),
        Some(Value::String(word)) if word == "none" => return Ok(Networks::None),
        Some(Value::String(_)) => return Ok(Networks::Auto),
        Some(list) => list.as_array().map(Vec::as_slice).unwrap_or_default(),
    };
    // An empty list has always meant the same as none at all.
    if list.is_empty() {
        return Ok(Networks::Default);
    }
    let mut found: Vec<Requested> = Vec::new();
    for entry in list {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let (port, address) = (text("port"), text("fixed_ip"));
        if let Some(port) = &port {
            if found.iter().any(|r| r.port.as_ref() == Some(port)) {
                return Err(Error::bad_request(format!(
                    "Port ID '{port}' was specified twice: you cannot attach a port multiple times."
                )));
            }
            if let Some(address) = address {
                return Err(Error::bad_request(format!(
                    "Specified Fixed IP '{address}' cannot be used with port '{port}': the two cannot be \
                     specified together."
                )));
            }
        }
        let network = text("uuid");
        if port.is_none() {
            let network =
                network.as_deref().ok_or_else(|| Error::bad_request("Bad network format: missing 'uuid'"))?;
            if !base::id::is_uuid(network) {
                return Err(Error::bad_request(format!(
                    "Bad networks format: network uuid is not in proper format ({network})"
                )));
            }
        }
        found.push(Requested {
            network: if port.is_some() { None } else { network },
            port,
            fixed_ip: address.and_then(|a| a.parse().ok()),
            tag: text("tag"),
        });
    }
    Ok(Networks::These(found))
}
