//! What the cloud is told: flags, environment, a file, and what it remembers; and where things lie.
//!
//! ```text
//!   keys.rs (the table) ─► given.rs (flags) ─┐
//!                          environment ──────┤
//!                          file.rs (TOML) ───┼─► settings.rs ─► Config, typed; nothing below asks anybody again
//!       identity.rs (chosen at first start) ─┘
//! ```

mod data_dir;
mod file;
mod given;
mod identity;
pub mod keys;
pub mod reference;
mod settings;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use camino::Utf8PathBuf;
use clap::Args;
use host::AcceleratorChoice;
use ipnet::{IpNet, Ipv4Net};
use keystone::Security;

pub use data_dir::DataDir;
pub use given::{AllArgs, CloudArgs, Given};
pub use identity::{Identity, Taken, choose, is_free};
pub use settings::{Settings, Source, Value};

#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub all: AllArgs,
    /// Stay in the foreground and log to the terminal
    #[arg(long)]
    pub foreground: bool,
    /// The foreground is a background: `cumulet up` starts it
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// Everything resolved: nothing below asks the environment again.
#[derive(Debug, Clone)]
pub struct Config {
    /// `cumulet` or what --name says.
    pub name: String,
    pub data: DataDir,
    pub listen: SocketAddr,
    pub external: Ipv4Net,
    pub simulate: bool,
    pub region: String,
    pub host: String,
    pub accelerator: AcceleratorChoice,
    pub unsafe_disk_cache: bool,
    pub demo: bool,
    pub volumes: VolumeDriver,
    /// Stores of images besides the one in the data directory: ids and directories.
    pub image_stores: Vec<(String, Utf8PathBuf)>,
    /// Networks that images may be imported from, besides the web.
    pub image_import_allow: Vec<IpNet>,
    /// Default quotas of Neutron's resources.
    pub network_quotas: Vec<(String, i64)>,
    pub tls: Option<Tls>,
    /// Machines run as users from this number on.
    pub first_user: u32,
    /// How many daily copies of the database are kept.
    pub daily_backups: usize,
    /// For how long a deleted server can be restored.
    pub reclaim: Option<Duration>,
    /// Which rows of who changed what stay.
    pub events: db::Retention,
    /// Rules for passwords.
    pub security: Security,
    pub log: String,
    /// Bytes of all log files together.
    pub log_limit: u64,
}

/// Where volumes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeDriver {
    Files,
    Rbd { pool: String, user: String, conf: Utf8PathBuf },
}

/// TLS, and by whose certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate and key; None: made here.
    pub given: Option<(Utf8PathBuf, Utf8PathBuf)>,
    /// Whom clients have to trust.
    pub ca: Option<Utf8PathBuf>,
}

/// What was told, and what of the cloud is there already.
#[derive(Debug, Clone)]
pub struct Told {
    pub settings: Settings,
    pub data: DataDir,
    pub identity: Option<Identity>,
}

impl Given {
    /// Joins everything that has a say. Nothing is made or chosen yet.
    pub fn resolve(&self) -> anyhow::Result<Told> {
        let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let named = self.file.clone().or_else(|| environment("CUMULET_CONFIG").map(Utf8PathBuf::from));
        let file = file::open(named)?;
        let mut settings = Settings::join(self, environment, file.as_ref())?;
        settings.fill("data-dir", default_data_dir(settings.text("name"))?.into_string());
        let dir = Utf8PathBuf::from(settings.text("data-dir"));
        let dir =
            if dir.is_absolute() { dir } else { Utf8PathBuf::try_from(std::env::current_dir()?)?.join(dir) };
        let data = DataDir(dir);
        let identity = Identity::read(&data)?;
        if let Some(identity) = &identity {
            identity.recall(&mut settings);
            ensure!(
                settings.text("name") == identity.name(),
                "{} is the data directory of the cloud `{}`, not of `{}`",
                data.path(),
                identity.name(),
                settings.text("name")
            );
            let (now, then) = (settings.text("external-cidr"), identity.text("external-cidr"));
            ensure!(
                then == now,
                "this cloud was made with the external network {then}, which stays: `cumulet destroy` it to begin anew with {now}"
            );
        }
        Ok(Told { settings, data, identity })
    }
}

impl Told {
    pub fn config(&self) -> anyhow::Result<Config> {
        let settings = &self.settings;
        let external: Ipv4Net = settings.parse("external-cidr")?;
        ensure!(
            external.prefix_len() <= 29 && external.trunc() == external,
            "--external-cidr {external} is not the address of a network with at least 8 addresses"
        );
        let log_limit: u64 = settings.parse("log-size")?;
        Ok(Config {
            name: settings.text("name").to_owned(),
            data: self.data.clone(),
            listen: settings.parse("listen")?,
            external,
            simulate: settings.on("simulate"),
            region: settings.text("region").to_owned(),
            host: host::daemon::hostname(),
            accelerator: settings.parse("accel")?,
            unsafe_disk_cache: settings.on("unsafe-disk-cache"),
            demo: settings.on("demo"),
            volumes: volume_driver(settings)?,
            image_stores: keys::stores(settings.text("image-stores")).map_err(|why| anyhow!(why))?,
            image_import_allow: keys::networks(settings.text("image-import-allow"))
                .map_err(|why| anyhow!(why))?,
            network_quotas: neutron::quotas::parse(settings.text("network-quotas"))
                .map_err(|why| anyhow!(why))?,
            tls: tls(settings)?,
            first_user: self.identity.clone().unwrap_or_default().first_user,
            daily_backups: settings.parse("daily-backups")?,
            reclaim: Some(settings.parse("reclaim-instance-interval")?)
                .filter(|s| *s > 0)
                .map(Duration::from_secs),
            events: events(settings)?,
            security: security(settings)?,
            log: settings.text("log").to_owned(),
            log_limit: log_limit.saturating_mul(1 << 20),
        })
    }
}

fn volume_driver(settings: &Settings) -> anyhow::Result<VolumeDriver> {
    match settings.text("volume-driver") {
        "files" => Ok(VolumeDriver::Files),
        "rbd" => Ok(VolumeDriver::Rbd {
            pool: settings.text("rbd-pool").to_owned(),
            user: settings.text("rbd-user").to_owned(),
            conf: settings.text("rbd-conf").into(),
        }),
        other => Err(anyhow!("--volume-driver {other}: write files or rbd")),
    }
}

/// A certificate of one's own means TLS, unless it was refused.
fn tls(settings: &Settings) -> anyhow::Result<Option<Tls>> {
    let path = |name: &str| settings.get(name).map(|value| Utf8PathBuf::from(&value.text));
    let refused = !settings.is_default("tls") && !settings.on("tls");
    let given = match (path("tls-cert"), path("tls-key")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => anyhow::bail!("--tls-cert needs its key: pass --tls-key as well"),
        (None, Some(_)) => anyhow::bail!("--tls-key needs its certificate: pass --tls-cert as well"),
    };
    if refused || !(settings.on("tls") || given.is_some()) {
        return Ok(None);
    }
    Ok(Some(Tls { given, ca: path("tls-ca") }))
}

fn events(settings: &Settings) -> anyhow::Result<db::Retention> {
    let some = |name: &str| Ok::<_, anyhow::Error>(Some(settings.parse::<u32>(name)?).filter(|n| *n > 0));
    let day = Duration::from_secs(24 * 3600);
    Ok(db::Retention { age: some("event-days")?.map(|days| day * days), count: some("event-count")? })
}

/// Keystone's `[security_compliance]`, by the same names.
fn security(settings: &Settings) -> anyhow::Result<Security> {
    let count = |name: &str| settings.parse::<u32>(name);
    let some = |name: &str| Ok::<_, anyhow::Error>(Some(count(name)?).filter(|n| *n > 0));
    let text =
        |name: &str| settings.get(name).map(|value| value.text.clone()).filter(|text| !text.is_empty());
    let security = Security {
        lockout_failure_attempts: some("lockout-failure-attempts")?,
        lockout_duration: Duration::from_secs(count("lockout-duration")?.into()),
        password_expires_days: some("password-expires-days")?,
        unique_last_password_count: count("unique-last-password-count")?,
        minimum_password_age_days: count("minimum-password-age")?,
        password_regex: text("password-regex"),
        password_regex_description: text("password-regex-description"),
        change_password_upon_first_use: settings.on("change-password-upon-first-use"),
    };
    ensure!(
        security.password_expires_days.is_none_or(|days| security.minimum_password_age_days < days),
        "--minimum-password-age has to be less than --password-expires-days: a password could not be changed before it ends"
    );
    Ok(security)
}

impl CloudArgs {
    pub fn resolve(&self) -> anyhow::Result<DataDir> {
        Ok(self.0.resolve()?.data)
    }
}

impl Config {
    /// A simulated cloud with usual values: for tests, which give each its own directory and port.
    pub fn simulated(data: DataDir, listen: SocketAddr) -> anyhow::Result<Config> {
        let values =
            [("simulate", "true".to_owned()), ("demo", "false".into()), ("listen", listen.to_string())];
        let given = Given { values: values.into_iter().collect(), file: None };
        let mut settings = Settings::join(&given, |_| None, None)?;
        settings.fill("data-dir", data.path().to_string());
        let config = Told { settings, data, identity: None }.config()?;
        Ok(Config { host: "test-host".into(), ..config })
    }

    /// What everything of this cloud outside its data directory is called by: `cumulet` or `cumulet-NAME`.
    pub fn label(&self) -> String {
        label(&self.name)
    }

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
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.public_address())
    }

    /// The file that clients of this cloud need to trust it, if they need one.
    pub fn cacert(&self) -> Option<Utf8PathBuf> {
        let tls = self.tls.as_ref()?;
        match tls.given {
            Some(_) => tls.ca.clone(),
            None => Some(self.data.tls().join("ca.pem")),
        }
    }
}

pub fn label(name: &str) -> String {
    if name == keys::DEFAULT_NAME { name.to_owned() } else { format!("cumulet-{name}") }
}

fn default_data_dir(name: &str) -> anyhow::Result<Utf8PathBuf> {
    if host::daemon::is_root() {
        return Ok(Utf8PathBuf::from("/var/lib").join(label(name)));
    }
    let own = if name == keys::DEFAULT_NAME { "cloud".to_owned() } else { label(name) };
    Ok(home()?.join(".local/share/cumulet").join(own))
}

pub fn home() -> anyhow::Result<Utf8PathBuf> {
    let home = std::env::var("HOME").context("HOME is not set: set it, or pass --data-dir")?;
    Ok(home.into())
}
