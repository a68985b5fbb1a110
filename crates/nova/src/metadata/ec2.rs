//! EC2's metadata tree, which many guests still read.

use std::collections::BTreeMap;

use host::MetadataAnswer;
use serde_json::{Map, Value, json};

use super::{Guest, text};
use crate::block_devices::names;
use crate::servers::view::security_groups;

const VERSIONS: &[&str] = &[
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
];

/// A directory lists its names: those of directories end in `/`, one with a title shows the title instead.
enum Node {
    Directory(Vec<(&'static str, Node)>),
    Titled(String, Vec<(&'static str, Node)>),
    Leaf(Vec<u8>),
}

fn leaf(text: impl Into<String>) -> Node {
    Node::Leaf(text.into().into_bytes())
}

pub(super) fn answer(guest: &Guest<'_>, path: &[&str]) -> Option<MetadataAnswer> {
    let Some((version, rest)) = path.split_first() else {
        return Some(text(format!("{}\nlatest", VERSIONS.join("\n"))));
    };
    if *version != "latest" && !VERSIONS.contains(version) {
        return None;
    }
    let mut node = &tree(guest, version);
    for part in rest {
        let (Node::Directory(children) | Node::Titled(_, children)) = node else { return None };
        node = &children.iter().find(|(name, _)| name == part)?.1;
    }
    Some(text(match node {
        Node::Leaf(content) => content.clone(),
        Node::Directory(children) | Node::Titled(_, children) => listing(children).into_bytes(),
    }))
}

fn listing(children: &[(&'static str, Node)]) -> String {
    let line = |(name, node): &(&'static str, Node)| match node {
        Node::Leaf(_) => (*name).to_owned(),
        Node::Directory(_) => format!("{name}/"),
        Node::Titled(title, _) => title.clone(),
    };
    let mut lines: Vec<String> = children.iter().map(line).collect();
    lines.sort();
    lines.join("\n")
}

fn short(prefix: &str, id: &str) -> String {
    format!("{prefix}-{}", id.get(..8).unwrap_or(id))
}

fn tree(guest: &Guest<'_>, version: &str) -> Node {
    // `latest` is behind every date.
    let since = |first: &str| version >= first;
    let server = guest.server;
    let fixed = guest.ports.iter().flat_map(|p| &p.fixed_ips).find(|ip| ip.address.is_ipv4());
    let floating = guest.ports.iter().flat_map(|p| &p.fixed_ips).find_map(|ip| ip.floating);
    let groups: Vec<&str> = security_groups(guest.ports).into_iter().map(|(_, name)| name).collect();
    let image = server.image_id.as_deref().unwrap_or_default();
    let mut data = vec![
        ("ami-id", leaf(short("ami", image))),
        ("ami-launch-index", leaf(server.launch_index.to_string())),
        // The very word that Nova answers: there is no manifest.
        ("ami-manifest-path", leaf("FIXME")),
        ("instance-id", leaf(short("i", &server.id))),
        ("hostname", leaf(guest.hostname())),
        ("local-ipv4", leaf(fixed.map(|ip| ip.address.to_string()).unwrap_or_default())),
        ("reservation-id", leaf(&*server.reservation_id)),
        ("security-groups", leaf(groups.join("\n"))),
    ];
    if let (Some(name), Some(key)) = (&server.key_name, &guest.spec.public_key) {
        let key = Node::Titled(format!("0={name}"), vec![("openssh-key", leaf(&**key))]);
        data.push(("public-keys", Node::Directory(vec![("0", key)])));
    }
    if since("2007-01-19") {
        data.push(("local-hostname", leaf(guest.hostname())));
        data.push(("public-hostname", leaf(guest.hostname())));
        data.push(("public-ipv4", leaf(floating.map(|ip| ip.to_string()).unwrap_or_default())));
    }
    if since("2007-08-29") {
        data.push(("instance-type", leaf(&*server.flavor.name)));
    }
    if since("2007-12-15") {
        data.push(("block-device-mapping", Node::Directory(block_devices(guest))));
    }
    if since("2008-02-01") {
        data.push(("placement", Node::Directory(vec![("availability-zone", leaf(guest.zone))])));
    }
    if since("2008-09-01") {
        data.push(("instance-action", leaf("none")));
    }
    let mut root = vec![("meta-data", Node::Directory(data))];
    if let Some(content) = guest.user_data() {
        root.push(("user-data", Node::Leaf(content)));
    }
    Node::Directory(root)
}

/// As many as a server can have.
const VOLUMES: [&str; names::MOST] = [
    "ebs0", "ebs1", "ebs2", "ebs3", "ebs4", "ebs5", "ebs6", "ebs7", "ebs8", "ebs9", "ebs10", "ebs11",
    "ebs12", "ebs13", "ebs14", "ebs15", "ebs16", "ebs17", "ebs18", "ebs19", "ebs20", "ebs21", "ebs22",
    "ebs23", "ebs24", "ebs25",
];

/// EC2 has a name for each of a machine's disks; volumes are numbered in the order of theirs.
fn block_devices(guest: &Guest<'_>) -> Vec<(&'static str, Node)> {
    let flavor = &guest.server.flavor;
    let mut devices = vec![("ami", leaf("vda")), ("root", leaf(crate::BOOT_DRIVE))];
    let own = [("ephemeral0", flavor.ephemeral_gib > 0), ("swap", flavor.swap_mib > 0)];
    for (n, (name, _)) in (1..).zip(own.iter().filter(|(_, there)| *there)) {
        devices.push((*name, leaf(names::at(n))));
    }
    let mut volumes: Vec<&String> = guest.devices.iter().filter_map(|d| d.device_name.as_ref()).collect();
    volumes.sort();
    devices.extend(VOLUMES.into_iter().zip(volumes).map(|(n, name)| (n, leaf(&**name))));
    devices
}

fn as_json(node: &Node) -> Value {
    match node {
        Node::Leaf(content) => json!(String::from_utf8_lossy(content)),
        Node::Directory(children) | Node::Titled(_, children) => {
            let map: Map<String, Value> =
                children.iter().map(|(name, node)| ((*name).to_owned(), as_json(node))).collect();
            Value::Object(map)
        }
    }
}

pub(super) fn drive(guest: &Guest<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut drive = BTreeMap::new();
    for version in ["2009-04-04", "latest"] {
        let Node::Directory(children) = tree(guest, version) else { continue };
        for (name, node) in &children {
            match node {
                Node::Leaf(content) => drop(drive.insert(format!("ec2/{version}/{name}"), content.clone())),
                tree => {
                    drop(drive.insert(
                        format!("ec2/{version}/{name}.json"),
                        as_json(tree).to_string().into_bytes(),
                    ));
                }
            }
        }
    }
    drive
}
