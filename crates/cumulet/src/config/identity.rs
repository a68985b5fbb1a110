//! What a cloud is from its first start on, kept in its data directory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, ensure};
use camino::Utf8PathBuf;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::keys::{self, DEFAULT_NAME, KEYS};
use super::{DataDir, Settings};

/// Machines of one cloud run as users of a block of its own.
const FIRST_BLOCK: u32 = 0x63_0000;
const BLOCK: u32 = 0x8000;
const BLOCKS: u32 = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Settings that later starts have again, by key.
    pub settings: BTreeMap<String, String>,
    /// Machines run as users from this number on.
    pub first_user: u32,
    /// The rows of a first start beside `admin` were made: whoever removes them does not get them back.
    #[serde(default)]
    pub demo_made: bool,
    /// Files that have an entry of this cloud.
    #[serde(default)]
    pub clouds_yaml: BTreeSet<Utf8PathBuf>,
    /// Directories that were made for those; they go when nothing else is in them.
    #[serde(default)]
    pub directories: BTreeSet<Utf8PathBuf>,
    /// Checksums of the images that `up` registered by itself.
    #[serde(default)]
    pub images: BTreeSet<String>,
}

impl Identity {
    pub fn read(data: &DataDir) -> anyhow::Result<Option<Identity>> {
        let path = data.identity();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| format!("{path} is damaged"))?)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {path}")),
        }
    }

    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        let path = data.identity();
        let part = path.with_extension("part");
        std::fs::write(&part, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&part, &path))
            .with_context(|| format!("cannot write {path}"))
    }

    /// Reads, changes and writes: commands and the daemon both do.
    pub fn change(data: &DataDir, change: impl FnOnce(&mut Identity)) -> anyhow::Result<Identity> {
        let _turn = host::daemon::turn(data.path())?;
        let before = Identity::read(data)?.unwrap_or_default();
        let mut now = before.clone();
        change(&mut now);
        if now != before {
            now.write(data)?;
        }
        Ok(now)
    }

    pub fn name(&self) -> &str {
        self.settings.get("name").map_or(DEFAULT_NAME, String::as_str)
    }

    /// As it was told or chosen, else the default.
    pub fn text(&self, key: &str) -> &str {
        let default = || keys::find(key).map_or("", |key| key.default);
        self.settings.get(key).map_or_else(default, String::as_str)
    }

    /// What a later start has again without being told.
    pub fn recall(&self, settings: &mut Settings) {
        // `--tls=false` also means: no certificate that was told earlier.
        let off = !settings.is_default("tls") && !settings.on("tls");
        for key in KEYS.iter().filter(|key| key.kept && !(off && key.name.starts_with("tls"))) {
            if let Some(text) = self.settings.get(key.name) {
                settings.remember(key.name, text.clone());
            }
        }
    }

    /// As the settings say now.
    pub fn remember(&mut self, settings: &Settings) {
        self.settings = KEYS
            .iter()
            .filter(|key| key.kept && !settings.is_default(key.name))
            .filter_map(|key| Some((key, settings.get(key.name)?.text.clone())))
            // A default that was written out is no more than a default.
            .filter(|(key, text)| key.default != text)
            .map(|(key, text)| (key.name.to_owned(), text))
            .collect();
    }
}

/// What is taken on this machine already.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// By what, and which addresses.
    pub networks: Vec<(String, IpNet)>,
    pub ports: BTreeSet<u16>,
    /// First users of blocks.
    pub users: BTreeSet<u32>,
}

impl Taken {
    /// By other clouds beside this data directory, and by the machine itself.
    pub fn look(data: &DataDir) -> Taken {
        let mut taken = Taken::default();
        let entries = data.path().parent().and_then(|dir| dir.read_dir_utf8().ok()).into_iter().flatten();
        for path in entries.flatten().map(|entry| entry.path().to_owned()).filter(|path| path != data.path())
        {
            let Ok(Some(other)) = Identity::read(&DataDir(path.clone())) else { continue };
            let text = |key: &str| other.text(key);
            if let Ok(listen) = text("listen").parse::<SocketAddr>() {
                taken.ports.insert(listen.port());
            }
            if text("simulate") == "true" {
                continue;
            }
            taken.users.insert(other.first_user);
            if let Ok(network) = text("external-cidr").parse::<Ipv4Net>() {
                taken.networks.push((format!("the cloud `{}` ({path})", other.name()), network.into()));
            }
        }
        taken.networks.extend(
            host::survey::networks().into_iter().map(|(link, net)| (format!("the link {link}"), net)),
        );
        let block = |user: u32| FIRST_BLOCK + (user - FIRST_BLOCK) / BLOCK * BLOCK;
        let ours = FIRST_BLOCK..FIRST_BLOCK + BLOCKS * BLOCK;
        taken.users.extend(host::survey::users().into_iter().filter(|user| ours.contains(user)).map(block));
        taken
    }

    fn by(&self, network: Ipv4Net) -> Option<&(String, IpNet)> {
        self.networks.iter().find(|(_, other)| match other {
            IpNet::V4(other) => {
                other.prefix_len() > 0 && (network.contains(&other.addr()) || other.contains(&network.addr()))
            }
            IpNet::V6(_) => false,
        })
    }

    fn external(&self) -> Option<Ipv4Net> {
        let nth = |n: u8| Ipv4Net::new(Ipv4Addr::new(172, 24, n, 0), 24).ok();
        (4..=255).filter_map(nth).find(|network| self.by(*network).is_none())
    }

    fn user(&self) -> Option<u32> {
        (0..BLOCKS).map(|n| FIRST_BLOCK + n * BLOCK).find(|first| !self.users.contains(first))
    }
}

/// The first start: whatever was not told is chosen so that nothing on this machine is in its way.
pub fn choose(
    settings: &mut Settings,
    taken: &Taken,
    free: impl Fn(SocketAddr) -> bool,
) -> anyhow::Result<Identity> {
    let mut identity = Identity { first_user: FIRST_BLOCK, ..Identity::default() };
    if !settings.on("simulate") {
        identity.first_user = taken.user().context("there are 64 clouds on this machine already")?;
        if settings.is_default("external-cidr") {
            let network = taken.external().context(
                "every 172.24.N.0/24 is used on this machine: pass --external-cidr with a network that is not",
            )?;
            settings.remember("external-cidr", network.to_string());
        }
        let network: Ipv4Net = settings.parse("external-cidr")?;
        if let Some((by, other)) = taken.by(network) {
            ensure!(
                false,
                "the external network {network} overlaps with {other} of {by}: pass another --external-cidr"
            );
        }
    }
    if settings.is_default("listen") && settings.text("name") != DEFAULT_NAME {
        let port = (5000..5200)
            .filter(|port| !taken.ports.contains(port))
            .find(|port| free(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))))
            .context("no port from 5000 to 5199 is free: pass --listen ADDR:PORT")?;
        settings.remember("listen", format!("127.0.0.1:{port}"));
    }
    identity.remember(settings);
    Ok(identity)
}

/// Nobody listens there.
pub fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Given;

    fn settings(values: &[(&'static str, &str)]) -> Settings {
        let values = values.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        Settings::join(&Given { values, file: None }, |_| None, None).unwrap()
    }

    fn taken(networks: &[&str]) -> Taken {
        let networks = networks.iter().map(|n| ("the link x".to_owned(), n.parse().unwrap())).collect();
        Taken { networks, ..Taken::default() }
    }

    #[test]
    fn the_first_cloud_gets_the_usual_values() {
        let mut s = settings(&[]);
        let identity = choose(&mut s, &taken(&["10.0.0.5/8", "0.0.0.0/0"]), |_| true).unwrap();
        assert_eq!((s.text("external-cidr"), s.text("listen")), ("172.24.4.0/24", "127.0.0.1:5000"));
        assert_eq!(identity.first_user, FIRST_BLOCK);
        assert_eq!(identity.name(), "cumulet");
    }

    #[test]
    fn a_second_one_steps_aside() {
        let mut s = settings(&[("name", "ci")]);
        let mut around = taken(&["172.24.4.1/24", "172.24.6.0/23"]);
        around.ports.insert(5000);
        around.users.insert(FIRST_BLOCK);
        let identity = choose(&mut s, &around, |address| address.port() != 5001).unwrap();
        assert_eq!((s.text("external-cidr"), s.text("listen")), ("172.24.5.0/24", "127.0.0.1:5002"));
        assert_eq!(identity.first_user, FIRST_BLOCK + BLOCK);
        assert_eq!(identity.text("external-cidr"), "172.24.5.0/24");
        assert_eq!(identity.text("region"), "RegionOne");
    }

    #[test]
    fn a_told_network_that_is_in_use_is_refused() {
        let mut s = settings(&[("external-cidr", "10.0.0.0/24")]);
        let error = choose(&mut s, &taken(&["10.0.0.5/8"]), |_| true).unwrap_err().to_string();
        assert!(error.contains("overlaps with 10.0.0.5/8 of the link x"), "{error}");
        // A simulated cloud has no network that could be in the way.
        choose(
            &mut settings(&[("external-cidr", "10.0.0.0/24"), ("simulate", "true")]),
            &taken(&["10.0.0.5/8"]),
            |_| true,
        )
        .unwrap();
    }

    #[test]
    fn later_starts_remember_and_tls_can_be_left() {
        let mut first = settings(&[("name", "ci"), ("tls-cert", "/c"), ("tls", "true"), ("log", "debug")]);
        let identity = choose(&mut first, &taken(&[]), |_| true).unwrap();
        let mut later = settings(&[]);
        identity.recall(&mut later);
        assert_eq!((later.text("name"), later.text("tls-cert"), later.text("log")), ("ci", "/c", "info"));
        assert!(later.on("tls"));
        let mut plain = settings(&[("tls", "false")]);
        identity.recall(&mut plain);
        assert!(!plain.on("tls") && plain.get("tls-cert").is_none());
    }
}
