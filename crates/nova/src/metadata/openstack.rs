//! `/openstack`: versions, files, and the config drive's copy of them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use host::MetadataAnswer;
use rand::Rng as _;
use serde_json::{Map, Value, json};

use super::{Guest, network_data, text};

const GRIZZLY: &str = "2013-04-04";
const HAVANA: &str = "2013-10-17";
const LIBERTY: &str = "2015-10-15";
const NEWTON_ONE: &str = "2016-06-30";
const NEWTON_TWO: &str = "2016-10-06";
const VICTORIA: &str = "2020-10-14";

/// In order; `latest` is the last one.
const VERSIONS: &[&str] =
    &["2012-08-10", GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO, "2017-02-22", "2018-08-27", VICTORIA];

/// The dates compare as text.
fn resolve(version: &str) -> Option<&'static str> {
    let version = if version == "latest" { VICTORIA } else { version };
    VERSIONS.iter().copied().find(|v| *v == version)
}

pub(super) fn answer(guest: &Guest<'_>, path: &[&str]) -> Option<MetadataAnswer> {
    match path {
        [] => Some(text(format!("{}\nlatest", VERSIONS.join("\n")))),
        ["content", index] => Some(text(guest.file(index.parse().ok()?)?)),
        [version] => Some(text(files(guest, resolve(version)?).join("\n"))),
        [version, file] => content(guest, resolve(version)?, file),
        _ => None,
    }
}

/// Is this where a guest may post the password that it made?
pub(super) fn takes_password(path: &[&str]) -> bool {
    matches!(path, ["openstack", version, "password"] if resolve(version).is_some_and(|v| v >= GRIZZLY))
}

fn files(guest: &Guest<'_>, version: &str) -> Vec<&'static str> {
    let mut files = vec!["meta_data.json"];
    if guest.spec.user_data.is_some() {
        files.push("user_data");
    }
    let since = [
        (GRIZZLY, "password"),
        (HAVANA, "vendor_data.json"),
        (LIBERTY, "network_data.json"),
        (NEWTON_TWO, "vendor_data2.json"),
    ];
    files.extend(since.iter().filter(|(first, _)| version >= *first).map(|(_, file)| file));
    files
}

fn content(guest: &Guest<'_>, version: &str, file: &str) -> Option<MetadataAnswer> {
    if !files(guest, version).contains(&file) {
        return None;
    }
    match file {
        "meta_data.json" => Some(super::json(&meta_data(guest, version))),
        "network_data.json" => Some(super::json(&network_data::network_data(guest.ports))),
        "vendor_data.json" => Some(super::json(&vendor_data(guest))),
        "vendor_data2.json" => Some(super::json(&json!({"static": {}}))),
        "user_data" => guest.user_data().map(text),
        "password" => Some(text(guest.spec.guest_password.clone().unwrap_or_default())),
        _ => None,
    }
}

/// In cloud-init's words. They are the operator's; the user's own data comes after them and may say otherwise.
fn vendor_data(guest: &Guest<'_>) -> Value {
    let trusted = &guest.config.guests_trust;
    if trusted.is_empty() {
        return json!({});
    }
    // JSON is YAML.
    let words = json!({"ca_certs": {"trusted": [trusted]}});
    json!({"cloud-init": format!("#cloud-config\n{words}\n")})
}

fn meta_data(guest: &Guest<'_>, version: &str) -> Value {
    let (server, spec) = (guest.server, guest.spec);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    put("uuid", json!(server.id));
    if !server.metadata.is_empty() {
        put("meta", json!(server.metadata));
    }
    if !spec.files.is_empty() {
        let files = spec.files.iter().enumerate();
        let files: Vec<Value> = files
            .map(|(i, (path, _))| json!({"path": path, "content_path": format!("/content/{i:04}")}))
            .collect();
        put("files", json!(files));
    }
    if let Some(password) = &spec.admin_pass {
        put("admin_pass", json!(password));
    }
    if let (Some(name), Some(key)) = (&server.key_name, &spec.public_key) {
        let kind = spec.key_type.as_deref().unwrap_or("ssh");
        put("public_keys", json!({&**name: key}));
        put("keys", json!([{"name": name, "type": kind, "data": key}]));
    }
    put("hostname", json!(guest.hostname()));
    put("name", json!(server.name));
    put("launch_index", json!(server.launch_index));
    put("availability_zone", json!(guest.zone));
    if version >= GRIZZLY {
        let mut seed = [0u8; 512];
        rand::rng().fill_bytes(&mut seed);
        put("random_seed", json!(STANDARD.encode(seed)));
    }
    if version >= LIBERTY {
        put("project_id", json!(server.project_id));
    }
    if version >= NEWTON_ONE {
        put("devices", json!(devices(guest)));
    }
    if version >= VICTORIA {
        put("dedicated_cpus", json!([]));
    }
    Value::Object(out)
}

/// NICs and volumes that were given a tag.
fn devices(guest: &Guest<'_>) -> Vec<Value> {
    let tagged = guest.spec.nics.iter().filter_map(|nic| {
        let (tag, id) = (nic.tag.as_ref()?, nic.port_id.as_ref()?);
        let port = guest.ports.iter().find(|p| p.id == *id)?;
        Some(json!({
            "type": "nic", "mac": port.mac, "tags": [tag], "bus": "none", "address": "none", "vf_trusted": false,
        }))
    });
    let disks = guest.devices.iter().filter_map(|device| {
        let tag = device.tag.as_ref()?;
        Some(json!({
            "type": "disk", "serial": device.volume_id, "bus": "none", "address": "none", "tags": [tag],
        }))
    });
    tagged.chain(disks).collect()
}

pub(super) fn drive(guest: &Guest<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut drive = BTreeMap::new();
    for version in VERSIONS.iter().copied().chain(["latest"]) {
        let Some(known) = resolve(version) else { continue };
        for file in files(guest, known).into_iter().filter(|f| *f != "password") {
            if let Some(answer) = content(guest, known, file) {
                drive.insert(format!("openstack/{version}/{file}"), answer.body);
            }
        }
    }
    for index in 0..guest.spec.files.len() {
        if let Some(content) = guest.file(index) {
            drive.insert(format!("openstack/content/{index:04}"), content);
        }
    }
    drive
}
