//! Every setting of the cloud, once: flags, environment variables, the file and the documentation are made of this table.

use std::net::SocketAddr;

use camino::Utf8PathBuf;
use host::AcceleratorChoice;
use ipnet::{IpNet, Ipv4Net};
use keystone::Security;

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lower-case letters, digits and hyphens.
    Name,
    Path,
    /// `ADDR:PORT`
    Address,
    /// `ADDR/PREFIX`
    Network,
    /// A flag: present or `=true`, `=false`.
    Switch,
    Accelerator,
    /// A whole number of MiB.
    Mebibytes,
    /// A whole number, 0 or more.
    Count,
    /// A whole number of seconds, 1 or more.
    Seconds,
    /// A regular expression; it may look ahead.
    Pattern,
    /// Levels, as the crate tracing-subscriber reads them.
    Filter,
    /// `ID=DIR,...`: ids as of names, absolute directories.
    Stores,
    /// `CIDR,...`
    Networks,
    /// `RESOURCE=N,...`
    Quotas,
    Text,
}

#[derive(Debug)]
pub struct Key {
    /// The flag without its hyphens; the file has underscores instead of hyphens.
    pub name: &'static str,
    pub kind: Kind,
    pub value_name: &'static str,
    /// As a value; empty where [`Key::default_text`] says more.
    pub default: &'static str,
    /// For people, where the default is no plain value.
    pub default_text: &'static str,
    pub help: &'static str,
    /// Also needed to find a cloud that exists, so every command has it.
    pub finds: bool,
    /// The data directory remembers it: a later start without a word about it has it again.
    pub kept: bool,
}

const fn key(name: &'static str, kind: Kind, value_name: &'static str, help: &'static str) -> Key {
    Key { name, kind, value_name, default: "", default_text: "", help, finds: false, kept: false }
}

impl Key {
    const fn or(mut self, default: &'static str) -> Key {
        self.default = default;
        self
    }

    const fn or_says(mut self, text: &'static str) -> Key {
        self.default_text = text;
        self
    }

    const fn finds(mut self) -> Key {
        self.finds = true;
        self
    }

    const fn kept(mut self) -> Key {
        self.kept = true;
        self
    }

    /// `CUMULET_DATA_DIR`
    pub fn env(&self) -> String {
        format!("CUMULET_{}", self.file_name().to_uppercase())
    }

    /// `data_dir`
    pub fn file_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The default as people read it.
    pub fn default_words(&self) -> &'static str {
        if self.default_text.is_empty() { self.default } else { self.default_text }
    }
}

pub const DEFAULT_NAME: &str = "cumulet";
pub const DEFAULT_EXTERNAL: &str = "172.24.4.0/24";
pub const DEFAULT_LISTEN: &str = "127.0.0.1:5000";

pub const KEYS: &[Key] = &[
    key("name", Kind::Name, "NAME", "Which cloud: several with different names run side by side on one machine")
        .or(DEFAULT_NAME)
        .finds()
        .kept(),
    key("data-dir", Kind::Path, "DIR", "Where the cloud keeps everything")
        .or_says("/var/lib/cumulet (of a named cloud /var/lib/cumulet-NAME), or ~/.local/share/cumulet/cloud without root")
        .finds(),
    key("listen", Kind::Address, "ADDR:PORT", "Address and port of the APIs on this machine")
        .or(DEFAULT_LISTEN)
        .or_says("127.0.0.1:5000; of a named cloud the next free port")
        .kept(),
    key(
        "external-cidr",
        Kind::Network,
        "CIDR",
        "The external network; its first address is this machine's end, where guests reach the APIs",
    )
    .or(DEFAULT_EXTERNAL)
    .or_says("172.24.4.0/24, or the next 172.24.N.0/24 that nothing on this machine uses")
    .kept(),
    key("region", Kind::Text, "NAME", "The region's name in the catalog").or("RegionOne").kept(),
    key("simulate", Kind::Switch, "", "The same APIs over a fake host: no root, no virtual machines, no networks")
        .or("false")
        .kept(),
    key("demo", Kind::Switch, "", "The first start makes project and user `demo` with a network, a router and a group")
        .or("true"),
    key(
        "accel",
        Kind::Accelerator,
        "kvm|tcg|auto",
        "How virtual machines run: `auto` takes KVM where a test guest really runs on it, else emulates",
    )
    .or("auto"),
    key(
        "unsafe-disk-cache",
        Kind::Switch,
        "",
        "Ignore guests' flushes: faster test clouds, whose disks a crash of this machine may damage",
    )
    .or("false"),
    key("volume-driver", Kind::Text, "files|rbd", "Where volumes are: in files of the data directory, or in Ceph")
        .or("files")
        .kept(),
    key("rbd-pool", Kind::Text, "POOL", "Ceph's pool for volumes, which is this cloud's alone").or("volumes").kept(),
    key("rbd-user", Kind::Text, "USER", "Ceph's user for volumes; the key is in ceph.client.USER.keyring beside the file below")
        .or("cumulet")
        .kept(),
    key("rbd-conf", Kind::Path, "FILE", "Where Ceph is").or("/etc/ceph/ceph.conf").kept(),
    key("image-stores", Kind::Stores, "ID=DIR,...", "Stores of images besides `file`, which is in the data directory")
        .or_says("none")
        .kept(),
    key(
        "image-import-allow",
        Kind::Networks,
        "CIDR,...",
        "Networks on this machine and near it that images may be imported from; the web may be in any case",
    )
    .or_says("none"),
    key("network-quotas", Kind::Quotas, "RESOURCE=N,...", "How many routers, ports and so on a project may have that was given no quota of its own; -1: no limit")
        .or_says("Neutron's: router=10, floatingip=50, network=100, port=500 and so on")
        .kept(),
    key("tls", Kind::Switch, "", "Serve the APIs over TLS, by a certificate of an authority made for this cloud")
        .or("false")
        .kept(),
    key("tls-cert", Kind::Path, "FILE", "Serve TLS with this certificate (PEM, its chain after it); read again when it changes")
        .or_says("made by the cloud's own authority")
        .kept(),
    key("tls-key", Kind::Path, "FILE", "The key of --tls-cert (PEM)").or_says("made with the certificate").kept(),
    key("tls-ca", Kind::Path, "FILE", "Whom clients have to trust for --tls-cert; goes into clouds.yaml as `cacert`")
        .or_says("the system's authorities")
        .kept(),
    key(
        "reclaim-instance-interval",
        Kind::Count,
        "SECONDS",
        "For so long a deleted server can be restored; 0: it is deleted at once",
    )
    .or("0")
    .kept(),
    key("daily-backups", Kind::Count, "N", "How many daily copies of the database are kept beside it, in `backups`; 0: none are made")
        .or("7"),
    key("event-days", Kind::Count, "DAYS", "How long it is kept who changed what, and when; 0: for ever").or("30"),
    key("event-count", Kind::Count, "N", "How many such events are kept at most, the newest; 0: any number")
        .or("1000000"),
    key("lockout-failure-attempts", Kind::Count, "N", "So many wrong passwords in a row lock a user out; 0: never")
        .or("0")
        .kept(),
    key("lockout-duration", Kind::Seconds, "SECONDS", "For how long a user is locked out").or("1800").kept(),
    key("password-expires-days", Kind::Count, "DAYS", "How long a password is good that is set from now on; 0: for ever")
        .or("0")
        .kept(),
    key("unique-last-password-count", Kind::Count, "N", "A new password must differ from so many before it").or("0").kept(),
    key(
        "minimum-password-age",
        Kind::Count,
        "DAYS",
        "How long users keep a password before they may change it; admins may set one at any time",
    )
    .or("0")
    .kept(),
    key("password-regex", Kind::Pattern, "REGEX", "What a new password must look like, as in `^(?=.*\\d)(?=.*[a-zA-Z]).{7,}$`")
        .or_says("anything")
        .kept(),
    key("password-regex-description", Kind::Text, "TEXT", "The same in words, for whoever is refused").or_says("none").kept(),
    key(
        "change-password-upon-first-use",
        Kind::Switch,
        "",
        "A password that an admin has set is good for choosing another, and for nothing else",
    )
    .or("false")
    .kept(),
    key("log", Kind::Filter, "FILTER", "What is logged: error, warn, info, debug, or `neutron=debug,info`").or("info"),
    key("log-size", Kind::Mebibytes, "MIB", "How large the log may grow in all").or("64"),
];

pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Kind {
    /// Why `text` is no such value.
    pub fn check(self, text: &str) -> Result<(), String> {
        match self {
            Kind::Name => name(text),
            Kind::Path if text.is_empty() => Err("the path is empty".into()),
            Kind::Text if text.trim().is_empty() => Err("the text is empty".into()),
            Kind::Path | Kind::Text => Ok(()),
            Kind::Address => text
                .parse::<SocketAddr>()
                .map(drop)
                .map_err(|_| "write an address and a port, as in 127.0.0.1:5000".into()),
            Kind::Network => {
                text.parse::<Ipv4Net>().map(drop).map_err(|_| "write a network, as in 172.24.4.0/24".into())
            }
            Kind::Switch => switch(text).map(drop).ok_or_else(|| "write true or false".into()),
            Kind::Accelerator => text.parse::<AcceleratorChoice>().map(drop),
            Kind::Mebibytes => match text.parse::<u64>() {
                Ok(1..) => Ok(()),
                _ => Err("write a whole number of MiB, 1 or more".into()),
            },
            Kind::Count => {
                text.parse::<u32>().map(drop).map_err(|_| "write a whole number, 0 or more".into())
            }
            Kind::Seconds => match text.parse::<u32>() {
                Ok(1..) => Ok(()),
                _ => Err("write a whole number of seconds, 1 or more".into()),
            },
            Kind::Pattern => {
                let rule = Security { password_regex: Some(text.to_owned()), ..Security::default() };
                rule.check().map_err(|e| format!("this is no regular expression: {}", cause(&e)))
            }
            Kind::Stores => stores(text).map(drop),
            Kind::Networks => networks(text).map(drop),
            Kind::Quotas => neutron::quotas::parse(text).map(drop),
            Kind::Filter => tracing_subscriber::EnvFilter::try_new(text)
                .map(drop)
                .map_err(|e| format!("{e}; write a level, as in `info`, or `neutron=debug,info`")),
        }
    }
}

fn cause(error: &base::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

pub fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

pub fn stores(text: &str) -> Result<Vec<(String, Utf8PathBuf)>, String> {
    let mut found: Vec<(String, Utf8PathBuf)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (id, dir) =
            part.split_once('=').ok_or("write an id and a directory, as in archive=/srv/images")?;
        name(id)?;
        if !dir.starts_with('/') {
            return Err(format!("the directory of {id} must begin with a slash"));
        }
        if id == "file" || found.iter().any(|(other, path)| other == id || path == dir) {
            return Err(format!("the store {id} or its directory is there twice"));
        }
        found.push((id.to_owned(), dir.into()));
    }
    Ok(found)
}

pub fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse().map_err(|_| format!("{part} is no network; write them as in 10.0.0.0/8,fd00::/8"))
        })
        .collect()
}

/// It becomes part of namespaces', tables' and directories' names.
fn name(text: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-');
    if text.is_empty() || text.len() > 20 || !text.bytes().all(plain) || !ends {
        return Err("use at most 20 lower-case letters, digits and hyphens, a letter first".into());
    }
    // `cumulet-demo` in clouds.yaml is the demo project of the cloud `cumulet`.
    if text == "demo" || text.ends_with("-demo") {
        return Err("a name may not end in `demo`: clouds.yaml calls each cloud's demo project so".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_values() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            assert_eq!(key.kind.check(key.default), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn stores_have_ids_and_directories_of_their_own() {
        let two = stores("fast=/srv/fast, archive=/mnt/archive").unwrap();
        assert_eq!(two, [("fast".into(), "/srv/fast".into()), ("archive".into(), "/mnt/archive".into())]);
        for bad in ["fast", "fast=srv", "Fast=/srv", "file=/srv", "a=/x,a=/y", "a=/x,b=/x"] {
            assert!(stores(bad).is_err(), "{bad}");
        }
        assert_eq!(networks("127.0.0.0/8,fd00::/8").unwrap().len(), 2);
        assert!(networks("10.0.0.0/33").is_err() && networks("here").is_err());
    }

    #[test]
    fn rules_for_passwords_are_checked_where_they_are_told() {
        for good in ["0", "5"] {
            assert_eq!(Kind::Count.check(good), Ok(()));
        }
        assert!(Kind::Count.check("-1").is_err() && Kind::Count.check("many").is_err());
        assert!(Kind::Seconds.check("0").is_err() && Kind::Seconds.check("60").is_ok());
        assert_eq!(Kind::Pattern.check(r"^(?=.*\d).{7,}$"), Ok(()));
        let why = Kind::Pattern.check("(").unwrap_err();
        assert!(why.starts_with("this is no regular expression: ") && why.len() > 40, "{why}");
    }

    #[test]
    fn names_fit_where_they_go() {
        for good in ["cumulet", "ci-2", "a"] {
            assert_eq!(Kind::Name.check(good), Ok(()));
        }
        for bad in ["", "Dev", "2nd", "a-", "a b", "demo", "x-demo", "abcdefghijklmnopqrstu", "a/b", "ü"] {
            assert!(Kind::Name.check(bad).is_err(), "{bad}");
        }
    }
}
