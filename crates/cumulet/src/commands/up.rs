//! `cumulet up`: start the cloud, in the background unless told otherwise.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use host::daemon::{self, PidLock};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};

use crate::commands::{image, run as daemon_run};
use crate::config::{self, Config, DataDir, Identity, Taken, Told, UpArgs};
use crate::control::{self, Request};
use crate::log::read::Follower;
use crate::steps::{human, print, say, step};
use crate::{clouds_yaml, log, stores};

/// What a running daemon writes down for other commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub pid: u32,
    pub url: String,
    pub region: String,
    pub simulate: bool,
    /// The cloud's entry in clouds.yaml is called so; its demo project's has `-demo` after it.
    pub label: String,
    /// Whom clients have to trust.
    pub cacert: Option<Utf8PathBuf>,
    /// Seconds since the epoch.
    pub started_at: i64,
}

impl State {
    /// None: no daemon of this data directory is ready.
    pub fn read(data: &DataDir) -> anyhow::Result<Option<State>> {
        if PidLock::holder(&data.lock())?.is_none() {
            return Ok(None);
        }
        match std::fs::read_to_string(data.state()) {
            Ok(text) => Ok(serde_json::from_str(&text).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", data.state())),
        }
    }

    pub fn auth_url(&self) -> String {
        format!("{}/identity/v3", self.url)
    }
}

/// The entry in clouds.yaml of a cloud without a name of its own.
pub const CLOUD_NAME: &str = "cumulet";
const READY_WITHIN: Duration = Duration::from_secs(30);
/// For a daemon that was killed: the kernel ends its threads one by one, also those that wait for the disk.
pub const ENDS_WITHIN: Duration = Duration::from_secs(5);

pub async fn run(args: UpArgs) -> anyhow::Result<()> {
    let told = args.all.0.resolve()?;
    // What does not go together is said before anything is made.
    let config = told.config()?;
    preflight(&config)?;
    if args.foreground {
        log::to_file(&make_data_dir(&config)?.log(), config.log_limit, &config.log, !args.detached)?;
        return daemon_run::foreground(told, args.detached).await;
    }
    log::to_terminal();
    background(told, &config).await
}

/// What can be known before anything is changed.
fn preflight(config: &Config) -> anyhow::Result<()> {
    if !config.simulate {
        ensure!(
            daemon::is_root(),
            "virtual machines and networks need root: run `sudo cumulet up`, or `cumulet up --simulate` for the APIs alone"
        );
        if let Some((program, package)) = daemon::missing_program() {
            bail!("the program {program} is missing: run `apt-get install {package}`");
        }
    }
    Ok(())
}

async fn background(mut told: Told, config: &Config) -> anyhow::Result<()> {
    let data = make_data_dir(config)?.clone();
    if let Some(pid) = PidLock::lasting_holder(&data.lock(), ENDS_WITHIN).await? {
        ensure!(
            !daemon::is_ending(pid),
            "the cloud that ran with {} is still ending (pid {pid}): try again, or see what its disk is waiting for",
            data.path()
        );
        say(&format!("The cloud is running already (pid {pid}, {})", data.path()));
        return match State::read(&data)? {
            Some(state) => {
                let registered = told.identity.as_ref().is_some_and(|identity| !identity.images.is_empty());
                finish(config, &state, registered.then_some("tiny"))
            }
            None => bail!("it is not ready yet: see {}", data.log()),
        };
    }
    let begin = Instant::now();
    let config = claim(&mut told)?;
    let state = step("Starting the cloud", start(&told, &data)).await?;
    enter(&config, &state)?;
    let tiny = match config.demo {
        true => first_image(&data, &state.label).await,
        false => None,
    };
    say(&format!("✓ All in {}", human(begin.elapsed())));
    finish(&config, &state, tiny.as_deref())
}

/// From now on the data directory says which cloud this is. The first start chooses what was not told.
pub fn claim(told: &mut Told) -> anyhow::Result<Config> {
    let data = &told.data;
    let parent = data.path().parent().unwrap_or(data.path());
    // Two clouds that start for the first time at the same moment must not choose the same.
    let _turn = daemon::turn(parent)?;
    let identity = match &told.identity {
        Some(_) => Identity::change(data, |identity| identity.remember(&told.settings))?,
        None => {
            let identity = config::choose(&mut told.settings, &Taken::look(data), config::is_free)?;
            identity.write(data)?;
            identity
        }
    };
    told.identity = Some(identity);
    let config = told.config()?;
    let made: Vec<_> = config.image_stores.iter().flat_map(|(_, dir)| stores::missing(dir)).collect();
    if !made.is_empty() {
        told.identity = Some(Identity::change(data, |identity| identity.directories.extend(made))?);
    }
    Ok(config)
}

async fn start(told: &Told, data: &DataDir) -> anyhow::Result<State> {
    let mut flags = vec!["up".to_owned(), "--foreground".into(), "--detached".into()];
    flags.extend(told.settings.as_flags());
    let words = data.last_words();
    match std::fs::remove_file(&words) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(e).context(format!("cannot remove {words}"));
        }
        _ => {}
    }
    let mut log = Follower::new(&data.log());
    // Lines of earlier starts are none of ours.
    let _ = log.more();
    let mut child = daemon::start(&flags, &words)?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let ready = State::read(data)?.filter(|s| s.pid == child.id());
        for line in log.more().unwrap_or_default() {
            tell(&line);
        }
        if let Some(state) = ready {
            return Ok(state);
        }
        if child.try_wait()?.is_some() {
            bail!("{}", last_words(&words));
        }
        if Instant::now() > deadline {
            bail!(
                "the cloud is not ready after {}: see {}, stop it with `cumulet down`",
                human(READY_WITHIN),
                data.log()
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The daemon's own steps, as its log has them.
fn tell(line: &str) {
    let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { return };
    if let (Some(name), Some(micros)) = (line["step"].as_str(), line["micros"].as_u64()) {
        say(&format!("  ✓ {name} ({})", human(Duration::from_micros(micros))));
    }
}

/// Why the daemon ended: its last line, which is its error.
fn last_words(path: &Utf8Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("the cloud ended without a word");
    line.trim_start_matches("error: ").to_owned()
}

/// The tiny guest, if it was built on this machine, is there from the start; once, so that who deletes it is rid of it.
pub(super) async fn first_image(data: &DataDir, label: &str) -> Option<String> {
    let built =
        tokio::task::spawn_blocking(|| ::image::tiny::built(&::image::Cache::open()?)).await.ok()?.ok()??;
    let known = Identity::read(data).ok()??.images.contains(&built.sha256);
    if !known {
        if let Err(error) = image::put(&built, Some(label.to_owned())).await {
            say(&format!("The image {} could not be registered: {error:#}", built.name));
            return None;
        }
        let sha256 = built.sha256.clone();
        let identity = Identity::change(data, |identity| identity.images.extend([sha256])).ok()?;
        if identity.text("simulate") == "true" {
            // Part of the first state, which a reset returns to.
            control::ask(data, &Request::Reset { mark: true }).await.ok()?;
        }
    }
    Some(built.name)
}

/// The user's way in: the entries of clouds.yaml.
pub fn enter(config: &Config, state: &State) -> anyhow::Result<()> {
    let path = clouds_yaml::default_path()?;
    let auth_url = state.auth_url();
    let entry = |name: String, user: &'static str, password: String| clouds_yaml::Entry {
        name,
        user,
        password,
        auth_url: auth_url.clone(),
        region: state.region.clone(),
        cacert: state.cacert.clone(),
    };
    let mut made =
        clouds_yaml::put(&path, &entry(state.label.clone(), "admin", config.data.read_password()?))?;
    if let Some(password) = config.data.read_demo_password() {
        made.extend(clouds_yaml::put(&path, &entry(format!("{}-demo", state.label), "demo", password))?);
    }
    Identity::change(&config.data, |identity| {
        identity.clouds_yaml.insert(path);
        identity.directories.extend(made);
    })?;
    Ok(())
}

/// Three commands to copy.
fn finish(config: &Config, state: &State, tiny: Option<&str>) -> anyhow::Result<()> {
    let (path, label) = (clouds_yaml::default_path()?, &state.label);
    let demo = config.data.demo_password().exists();
    let with_demo = if demo { format!(" and `{label}-demo`") } else { String::new() };
    let os_cloud = if label == CLOUD_NAME { String::new() } else { format!(" --os-cloud {label}") };
    let second = match tiny {
        Some(image) if demo => {
            format!(
                "openstack --os-cloud {label}-demo server create vm --image {image} --flavor m1.tiny --network demo --wait"
            )
        }
        _ => format!("cumulet image build tiny --upload{os_cloud}"),
    };
    print(&format!(
        "\nThe cloud answers at {}; {path} has it as `{label}`{with_demo}.\n\n  \
         openstack --os-cloud {label} catalog list\n  \
         {second}\n  \
         cumulet cluster create demo{os_cloud}",
        state.url
    ));
    Ok(())
}

fn make_data_dir(config: &Config) -> anyhow::Result<&DataDir> {
    let data = &config.data;
    // Others may pass through (each virtual machine runs as a user of its own) but not look around.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(data.path())
        .with_context(|| format!("cannot make the data directory {}", data.path()))?;
    make_password(&data.password())?;
    // A cloud that was made without its demo project does not get one later.
    if config.demo && !data.identity().exists() {
        make_password(&data.demo_password())?;
    }
    Ok(data)
}

fn make_password(path: &Utf8Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {path}"))?;
    writeln!(file, "{password}").with_context(|| format!("cannot write {path}"))
}
