//! `cumulet up`: start the cloud, in the background unless told otherwise.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use host::daemon::{self, PidLock};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::assemble;
use crate::config::{Config, DataDir, UpArgs};
use crate::control::{self, Answer, Request};
use crate::drivers;
use crate::serve;
use crate::simulate::Served;
use crate::steps::{human, print, say, step};
use crate::{clouds_yaml, commands};

/// What a running daemon writes down for other commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub pid: u32,
    pub url: String,
    pub region: String,
    pub simulate: bool,
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
}

/// The name of our entry in clouds.yaml.
pub const CLOUD_NAME: &str = "cumulet";
const READY_WITHIN: Duration = Duration::from_secs(30);

pub async fn run(args: UpArgs) -> anyhow::Result<()> {
    let config = args.resolve()?;
    if args.foreground { foreground(&config).await } else { background(&args, &config).await }
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

async fn background(args: &UpArgs, config: &Config) -> anyhow::Result<()> {
    preflight(config)?;
    make_data_dir(&config.data)?;
    if let Some(pid) = PidLock::holder(&config.data.lock())? {
        say(&format!("The cloud is running already (pid {pid}, {})", config.data.path()));
        return match State::read(&config.data)? {
            Some(state) => finish(config, &state),
            None => bail!("it is not ready yet: see {}", config.data.log()),
        };
    }
    let state = step("Starting the cloud", start(args, config)).await?;
    finish(config, &state)
}

async fn start(args: &UpArgs, config: &Config) -> anyhow::Result<State> {
    let mut flags = vec!["up".to_owned(), "--foreground".into()];
    let mut flag = |name: &str, value: String| flags.extend([format!("--{name}"), value]);
    flag("data-dir", config.data.path().to_string());
    flag("listen", args.listen.to_string());
    flag("external-cidr", args.external_cidr.to_string());
    flag("accel", args.accel.to_string());
    for (wanted, name) in [(args.simulate, "--simulate"), (args.unsafe_disk_cache, "--unsafe-disk-cache")] {
        if wanted {
            flags.push(name.into());
        }
    }
    let log = config.data.log();
    let logged = std::fs::metadata(&log).map_or(0, |m| m.len());
    let mut child = daemon::start(&flags, &log)?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(state) = State::read(&config.data)?.filter(|s| s.pid == child.id()) {
            return Ok(state);
        }
        if child.try_wait()?.is_some() {
            bail!("{}", last_words(&log, logged));
        }
        if Instant::now() > deadline {
            bail!(
                "the cloud is not ready after {}: see {log}, stop it with `cumulet down`",
                human(READY_WITHIN)
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Why the daemon ended: its last line, which is its error.
fn last_words(log: &camino::Utf8Path, from: u64) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let new = String::from_utf8_lossy(text.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default())
        .into_owned();
    let line = new.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("the cloud ended without a word");
    line.trim_start_matches("error: ").to_owned()
}

/// The user's way in: clouds.yaml, and three commands to copy.
fn finish(config: &Config, state: &State) -> anyhow::Result<()> {
    let path = clouds_yaml::default_path()?;
    let entry = clouds_yaml::entry(
        CLOUD_NAME,
        &format!("{}/identity/v3", state.url),
        &config.data.read_password()?,
        &state.region,
    );
    clouds_yaml::put(&path, CLOUD_NAME, &entry)?;
    print(&format!(
        "\nThe cloud answers at {}; {path} has it as `{CLOUD_NAME}`.\n\n  \
         openstack --os-cloud {CLOUD_NAME} catalog list\n  \
         cumulet image build tiny --upload\n  \
         cumulet cluster create demo",
        state.url
    ));
    Ok(())
}

fn make_data_dir(data: &DataDir) -> anyhow::Result<()> {
    // Others may pass through (each virtual machine runs as a user of its own) but not look around.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(data.path())
        .with_context(|| format!("cannot make the data directory {}", data.path()))?;
    let path = data.password();
    if !path.exists() {
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {path}"))?;
        writeln!(file, "{password}")?;
    }
    Ok(())
}

async fn foreground(config: &Config) -> anyhow::Result<()> {
    preflight(config)?;
    make_data_dir(&config.data)?;
    let Some(_lock) = PidLock::acquire(&config.data.lock())? else {
        bail!("a cloud is running with {} already", config.data.path());
    };
    let started = Instant::now();
    let drivers = drivers::make(config).await?;
    let cloud = assemble::assemble(config, drivers, &config.data.read_password()?).await?;
    // The first address is taken before anything is made, so that a taken port leaves nothing behind.
    let mut listeners = serve::bind(&[config.listen]).await?;
    cloud.start(config).await?;
    let public = config.public_address();
    if public != config.listen && !config.listen.ip().is_unspecified() {
        listeners.extend(serve::bind(&[public]).await?);
    }
    let (end, ended) = watch::channel(false);
    let requests = control::listen(&config.data)?;
    write_state(config)?;
    tracing::info!(url = config.public_url(), took = human(started.elapsed()), "ready");

    let served = Served::new(cloud, config).await?;
    let server = serve::serve(served.router(), listeners, ended);
    let signals = tokio::spawn(on_signal(end.clone()));
    let control = answer(&served, config, requests, end);
    tokio::select! {
        done = server => done?,
        // Only a `down` ends it, and then the server drains as well.
        () = control => {}
    }
    signals.abort();
    let _ = std::fs::remove_file(config.data.state());
    let _ = std::fs::remove_file(config.data.control_socket());
    served.cloud().await.db.close().await;
    Ok(())
}

fn write_state(config: &Config) -> anyhow::Result<()> {
    let state = State {
        pid: std::process::id(),
        url: config.public_url(),
        region: config.region.clone(),
        simulate: config.simulate,
        started_at: base::time::now() / 1_000_000,
    };
    let path = config.data.state();
    let part = path.with_extension("part");
    std::fs::write(&part, serde_json::to_vec_pretty(&state)?)
        .and_then(|()| std::fs::rename(&part, &path))
        .with_context(|| format!("cannot write {path}"))
}

/// SIGTERM and SIGINT end the daemon and nothing else: virtual machines and networks go on without it.
async fn on_signal(end: watch::Sender<bool>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    tracing::info!("ending; virtual machines keep running");
    end.send_replace(true);
}

async fn answer(
    served: &Served,
    config: &Config,
    mut requests: tokio::sync::mpsc::Receiver<control::Asked>,
    end: watch::Sender<bool>,
) {
    while let Some((request, back)) = requests.recv().await {
        let cloud = served.cloud().await;
        let result = match request {
            Request::Status => commands::status::report(&cloud, config).await,
            Request::Down => cloud.shut_down().await.map(|()| serde_json::json!({})),
            Request::Reset { mark } => served.reset_or_mark(mark).await,
        };
        let went_down = request == Request::Down && result.is_ok();
        let _ = back.send(match result {
            Ok(value) => Answer::Ok(value),
            Err(e) => Answer::Error { error: format!("{e:#}") },
        });
        if went_down {
            // Leaves the socket a moment to carry the answer; the asker waits for the lock anyway.
            tokio::time::sleep(Duration::from_millis(20)).await;
            end.send_replace(true);
            return;
        }
    }
}
