//! A cluster as a file: short YAML with the words of the command line, everything optional.
//!
//! One table says of each key what it takes, in JSON Schema's words, and how it is read: the schema that is published
//! is the one that is kept.

use std::net::Ipv4Addr;

use camino::Utf8PathBuf;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use crate::{Addon, AddonChoice, Cni, Error, Result};

/// What a file says; the command line says the rest, and wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterFile {
    pub name: Option<String>,
    pub workers: Option<u32>,
    pub kubernetes: Option<String>,
    pub image: Option<String>,
    pub flavor: Option<String>,
    pub control_plane_flavor: Option<String>,
    pub external_network: Option<String>,
    pub network: Option<String>,
    pub floating_ip: Option<Ipv4Addr>,
    /// Path of a public key.
    pub ssh_key: Option<Utf8PathBuf>,
    pub availability_zone: Option<String>,
    pub node_cidr: Option<Ipv4Net>,
    pub pod_cidr: Option<Ipv4Net>,
    pub service_cidr: Option<Ipv4Net>,
    pub dns_nameservers: Option<Vec<Ipv4Addr>>,
    /// `Some(None)`: from nowhere.
    pub node_ports_from: Option<Option<Ipv4Net>>,
    pub cni: Option<Cni>,
    pub addons: AddonChoice,
}

type Read = fn(&mut ClusterFile, &Value) -> std::result::Result<(), String>;

struct Key {
    name: &'static str,
    tells: &'static str,
    takes: fn() -> Value,
    read: Read,
}

const fn key(name: &'static str, tells: &'static str, takes: fn() -> Value, read: Read) -> Key {
    Key { name, tells, takes, read }
}

/// In the order in which the documentation shows them.
const KEYS: &[Key] = &[
    key("name", "The cluster's name, and the name of its kubectl context.", string, |file, value| {
        text(value).map(|it| file.name = Some(it))
    }),
    key("workers", "How many worker nodes; 1 by default.", count, |file, value| {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        file.workers = Some(number.ok_or("it takes a number")?);
        Ok(())
    }),
    key(
        "kubernetes",
        "Kubernetes version; the newest that an image has by default.",
        string,
        |file, value| text(value).map(|it| file.kubernetes = Some(it)),
    ),
    key(
        "image",
        "Node image, by name or id; the newest with Kubernetes in it by default.",
        string,
        |file, value| text(value).map(|it| file.image = Some(it)),
    ),
    key("flavor", "Flavor of the workers; the smallest that fits by default.", string, |file, value| {
        text(value).map(|it| file.flavor = Some(it))
    }),
    key(
        "control-plane-flavor",
        "Flavor of the control plane; the smallest that fits by default.",
        string,
        |file, value| text(value).map(|it| file.control_plane_flavor = Some(it)),
    ),
    key(
        "external-network",
        "External network for addresses; the only one by default.",
        string,
        |file, value| text(value).map(|it| file.external_network = Some(it)),
    ),
    key(
        "network",
        "Use this network, which a router joins to the external one; it is never deleted.",
        string,
        |file, value| text(value).map(|it| file.network = Some(it)),
    ),
    key(
        "floating-ip",
        "Use this floating IP of the project for the API; it is never released.",
        address,
        |file, value| parsed(value, "an IPv4 address").map(|it| file.floating_ip = Some(it)),
    ),
    key("ssh-key", "Path of the public key of whoever may log in to nodes.", string, |file, value| {
        text(value).map(|it| file.ssh_key = Some(it.into()))
    }),
    key("availability-zone", "Where nodes are made; anywhere by default.", string, |file, value| {
        text(value).map(|it| file.availability_zone = Some(it))
    }),
    key("node-cidr", "Addresses of the nodes; 10.6.0.0/24 by default.", range, |file, value| {
        parsed(value, RANGE).map(|it| file.node_cidr = Some(it))
    }),
    key("pod-cidr", "Addresses of the pods; 10.244.0.0/16 by default.", range, |file, value| {
        parsed(value, RANGE).map(|it| file.pod_cidr = Some(it))
    }),
    key("service-cidr", "Addresses of the services; 10.96.0.0/12 by default.", range, |file, value| {
        parsed(value, RANGE).map(|it| file.service_cidr = Some(it))
    }),
    key("dns-nameservers", "DNS servers of the nodes; the cloud's by default.", addresses, |file, value| {
        let list = value.as_array().ok_or("it takes a list")?;
        let servers = list.iter().map(|item| parsed(item, "IPv4 addresses"));
        file.dns_nameservers = Some(servers.collect::<std::result::Result<_, _>>()?);
        Ok(())
    }),
    key(
        "node-ports-from",
        "From where NodePorts may be reached; anywhere by default, `none` keeps them inside.",
        string,
        |file, value| {
            file.node_ports_from = Some(match text(value)?.as_str() {
                "none" => None,
                _ => Some(parsed(value, "a range like 10.0.0.0/8, or none")?),
            });
            Ok(())
        },
    ),
    key("cni", "How pods of different nodes reach each other.", networks, |file, value| {
        file.cni = Some(text(value)?.parse().map_err(|error: Error| error.to_string())?);
        Ok(())
    }),
    key("addons", "What the cluster gets beside Kubernetes.", addons, |file, value| {
        let map = value.as_object().ok_or("it takes add-ons with true or false")?;
        for (name, value) in map {
            let addon: Addon = name.parse().map_err(|error: Error| error.to_string())?;
            let wanted = value.as_bool().ok_or_else(|| format!("{name} takes true or false"))?;
            file.addons.insert(addon, wanted);
        }
        Ok(())
    }),
];

const RANGE: &str = "a range like 10.0.0.0/24";

fn string() -> Value {
    json!({ "type": "string" })
}
fn count() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": crate::spec::MAX_WORKERS, "default": 1 })
}
fn address() -> Value {
    json!({ "type": "string", "format": "ipv4" })
}
fn addresses() -> Value {
    json!({ "type": "array", "items": address() })
}
fn range() -> Value {
    json!({ "type": "string", "pattern": r"^[0-9.]+/[0-9]+$" })
}
fn networks() -> Value {
    json!({ "enum": [Cni::Flannel.as_str(), Cni::Router.as_str()], "default": Cni::default().as_str() })
}
fn addons() -> Value {
    let of = |addon: Addon| {
        (addon.as_str().to_owned(), json!({ "type": "boolean", "default": addon.by_default() }))
    };
    let properties: Map<String, Value> = Addon::ALL.into_iter().map(of).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn text(value: &Value) -> std::result::Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        // YAML reads `1.36` and `2` as numbers where a person wrote a name.
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("it takes a text".to_owned()),
    }
}

fn parsed<T: std::str::FromStr>(value: &Value, what: &str) -> std::result::Result<T, String> {
    text(value)?.parse().map_err(|_| format!("it takes {what}"))
}

impl ClusterFile {
    /// # Errors
    /// It is no YAML with keys, a key is unknown (the nearest known one is named), or a value is of another kind.
    pub fn parse(yaml: &str) -> Result<Self> {
        let value: Value = serde_norway::from_str(yaml).map_err(|error| {
            Error::spec(format!("the cluster's file is not YAML with keys and values: {error}"))
        })?;
        let Value::Object(map) = value else {
            return Err(Error::spec(
                "the cluster's file holds no keys; `cumulet cluster schema` tells which there are",
            ));
        };
        let mut file = Self::default();
        for (name, value) in &map {
            let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
                let nearest = nearest(name);
                Error::spec(format!(
                    "the cluster's file has a key `{name}`, which there is not; did you mean `{nearest}`?"
                ))
            })?;
            // `flavor:` with nothing after it is as good as no line.
            if !value.is_null() {
                (key.read)(&mut file, value)
                    .map_err(|why| Error::spec(format!("`{name}` in the cluster's file: {why}")))?;
            }
        }
        Ok(file)
    }

    /// The JSON Schema of such a file.
    #[must_use]
    pub fn schema() -> Value {
        let property = |key: &Key| {
            let mut schema = (key.takes)();
            schema["description"] = json!(key.tells);
            (key.name.to_owned(), schema)
        };
        let properties: Map<String, Value> = KEYS.iter().map(property).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "A Kubernetes cluster, for `cumulet cluster create -f`",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

fn nearest(name: &str) -> &'static str {
    let known = |key: &&Key| distance(name, key.name);
    KEYS.iter().min_by_key(known).map_or("name", |key| key.name)
}

/// How many letters have to be put in, taken out or replaced; case and the kind of hyphen are small things.
fn distance(one: &str, other: &str) -> usize {
    let plain = |text: &str| -> Vec<char> {
        text.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let (one, other) = (plain(one), plain(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file() {
        let file = ClusterFile::parse(
            "name: demo\nworkers: 3\nkubernetes: v1.36.3\nflavor: m1.medium\nnode-cidr: 10.9.0.0/24\n\
             dns-nameservers: [9.9.9.9]\nnode-ports-from: none\ncni: router\nimage:\n\
             addons:\n  octavia-ingress: true\n  cinder-csi: false\n",
        )
        .unwrap();
        assert_eq!((file.name.as_deref(), file.workers), (Some("demo"), Some(3)));
        assert_eq!(file.node_cidr, Some("10.9.0.0/24".parse().unwrap()));
        assert_eq!(file.node_ports_from, Some(None));
        assert_eq!(file.cni, Some(Cni::Router));
        assert_eq!(file.image, None);
        assert_eq!(
            file.addons,
            AddonChoice::from([(Addon::OctaviaIngress, true), (Addon::CinderCsi, false)])
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (yaml, says) in [
            ("wrokers: 2\n", "did you mean `workers`?"),
            ("controlPlaneFlavor: x\n", "did you mean `control-plane-flavor`?"),
            ("pod_cidr: 10.0.0.0/8\n", "did you mean `pod-cidr`?"),
            ("workers: many\n", "`workers` in the cluster's file: it takes a number"),
            ("workers: -1\n", "it takes a number"),
            ("node-cidr: 10.0.0.0\n", "it takes a range"),
            ("addons: [cinder-csi]\n", "it takes add-ons with true or false"),
            ("addons: {csi: true}\n", "there is no add-on `csi`"),
            ("addons: {cinder-csi: yes please}\n", "cinder-csi takes true or false"),
            ("cni: calico\n", "there is no pod network `calico`"),
            ("- name\n", "holds no keys"),
            ("name: [\n", "not YAML"),
        ] {
            let error = ClusterFile::parse(yaml).unwrap_err().to_string();
            assert!(error.contains(says), "{yaml}: {error}");
        }
    }

    #[test]
    fn the_schema_is_published_as_it_is() {
        let shown = serde_json::to_string_pretty(&ClusterFile::schema()).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cluster-schema.json");
        if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
            std::fs::write(path, &shown).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            shown,
            "run the tests with INSTA_UPDATE=always"
        );
    }
}
