//! What the cloud is told: flags, environment, and where things lie.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use host::AcceleratorChoice;
use ipnet::Ipv4Net;

/// Flags that every command about the cloud understands.
#[derive(Debug, Clone, Args)]
pub struct CloudArgs {
    /// Where the cloud keeps everything [default: /var/lib/cumulet, or ~/.local/share/cumulet/cloud without root]
    #[arg(long, env = "CUMULET_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub cloud: CloudArgs,
    /// Stay in the foreground and log to the terminal
    #[arg(long)]
    pub foreground: bool,
    /// Address and port of the APIs on this machine
    #[arg(long, env = "CUMULET_LISTEN", default_value = "127.0.0.1:5000", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// The external network; its first address is this machine's end, where guests reach the APIs
    #[arg(long, env = "CUMULET_EXTERNAL_CIDR", default_value = "172.24.4.0/24", value_name = "CIDR")]
    pub external_cidr: Ipv4Net,
    /// The same APIs over a fake host: no root, no virtual machines, no networks
    #[arg(long, env = "CUMULET_SIMULATE")]
    pub simulate: bool,
    /// How virtual machines run: `auto` takes KVM where a test guest really runs on it, else emulates
    #[arg(long, env = "CUMULET_ACCEL", default_value = "auto", value_name = "kvm|tcg|auto")]
    pub accel: AcceleratorChoice,
    /// Ignore guests' flushes: faster test clouds, whose disks a crash of this machine may damage
    #[arg(long, env = "CUMULET_UNSAFE_DISK_CACHE")]
    pub unsafe_disk_cache: bool,
}

/// Everything resolved: nothing below asks the environment again.
#[derive(Debug, Clone)]
pub struct Config {
    pub data: DataDir,
    pub listen: SocketAddr,
    pub external: Ipv4Net,
    pub simulate: bool,
    pub region: String,
    pub host: String,
    pub accelerator: AcceleratorChoice,
    pub unsafe_disk_cache: bool,
}

impl UpArgs {
    pub fn resolve(&self) -> anyhow::Result<Config> {
        anyhow::ensure!(
            self.external_cidr.prefix_len() <= 29 && self.external_cidr.trunc() == self.external_cidr,
            "--external-cidr {} is not the address of a network with at least 8 addresses",
            self.external_cidr
        );
        Ok(Config {
            data: self.cloud.resolve()?,
            listen: self.listen,
            external: self.external_cidr,
            simulate: self.simulate,
            region: "RegionOne".into(),
            host: host::daemon::hostname(),
            accelerator: self.accel,
            unsafe_disk_cache: self.unsafe_disk_cache,
        })
    }
}

impl CloudArgs {
    pub fn resolve(&self) -> anyhow::Result<DataDir> {
        let dir = match &self.data_dir {
            Some(dir) => dir.clone(),
            None if host::daemon::is_root() => "/var/lib/cumulet".into(),
            None => home()?.join(".local/share/cumulet/cloud"),
        };
        let dir =
            if dir.is_absolute() { dir } else { Utf8PathBuf::try_from(std::env::current_dir()?)?.join(dir) };
        Ok(DataDir(dir))
    }
}

impl Config {
    /// This machine's address on the external network.
    pub fn gateway(&self) -> Ipv4Addr {
        self.external.hosts().next().unwrap_or(Ipv4Addr::LOCALHOST)
    }

    /// Where clients and guests alike reach the APIs. A simulated cloud has no guests that could ask.
    pub fn public_address(&self) -> SocketAddr {
        if self.simulate || !(self.listen.ip().is_loopback() || self.listen.ip().is_unspecified()) {
            self.listen
        } else {
            SocketAddr::new(self.gateway().into(), self.listen.port())
        }
    }

    pub fn public_url(&self) -> String {
        format!("http://{}", self.public_address())
    }
}

pub fn home() -> anyhow::Result<Utf8PathBuf> {
    let home = std::env::var("HOME").context("HOME is not set: set it, or pass --data-dir")?;
    Ok(home.into())
}

/// The one directory of a cloud.
#[derive(Debug, Clone)]
pub struct DataDir(pub Utf8PathBuf);

impl DataDir {
    pub fn path(&self) -> &Utf8Path {
        &self.0
    }

    pub fn database(&self) -> Utf8PathBuf {
        self.0.join("cumulet.db")
    }

    pub fn images(&self) -> Utf8PathBuf {
        self.0.join("images")
    }

    pub fn keys(&self) -> Utf8PathBuf {
        self.0.join("keys")
    }

    pub fn log(&self) -> Utf8PathBuf {
        self.0.join("cumulet.log")
    }

    pub fn lock(&self) -> Utf8PathBuf {
        self.0.join("cumulet.pid")
    }

    /// What the running daemon says of itself; removed when it ends in good order.
    pub fn state(&self) -> Utf8PathBuf {
        self.0.join("state.json")
    }

    pub fn control_socket(&self) -> Utf8PathBuf {
        self.0.join("control.sock")
    }

    /// 0600; made at the first start.
    pub fn password(&self) -> Utf8PathBuf {
        self.0.join("admin-password")
    }

    pub fn read_password(&self) -> anyhow::Result<String> {
        let path = self.password();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}: run `cumulet up` first, or pass its --data-dir"))?;
        Ok(text.trim().to_owned())
    }
}
