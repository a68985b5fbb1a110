//! The daemon itself: what `cumulet up` starts in the background, and systemd in the foreground.

use std::time::Instant;

use anyhow::{Context, bail};
use host::daemon::{self, NameGuard, PidLock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::assemble;
use crate::commands::up::{self, State};
use crate::commands::{backup, status};
use crate::config::{Config, Told};
use crate::control::{self, Answer, Request};
use crate::notify::Notifier;
use crate::simulate::Served;
use crate::steps::{human, say};
use crate::{daily, drivers, events, first_start, serve, tls};

pub async fn foreground(mut told: Told, detached: bool) -> anyhow::Result<()> {
    let notifier = Notifier::from_environment();
    // The database has hashes of passwords in it, and others may pass through its directory.
    daemon::keep_files_private();
    let data = told.data.clone();
    PidLock::lasting_holder(&data.lock(), up::ENDS_WITHIN).await?;
    let Some(_lock) = PidLock::acquire(&data.lock())? else {
        bail!("a cloud is running with {} already", data.path());
    };
    let config = up::claim(&mut told)?;
    let _name = guard_name(&config)?;
    let started = Instant::now();
    let certificates = match &config.tls {
        Some(tls) => Some(tls::Certificates::open(&config, tls)?),
        None => None,
    };
    let drivers = drivers::make(&config).await?;
    let cloud = assemble::assemble(&config, drivers, &data.read_password()?).await?;
    milestone("Database and services", started);
    // The first address is taken before anything is made, so that a taken port leaves nothing behind.
    let mut listeners = serve::bind(&[config.listen]).await?;
    let networks = Instant::now();
    backup::clear_left(&data, &told.settings)?;
    cloud.start(&config).await?;
    backup::disks::let_go(&cloud, &data).await?;
    milestone("Networks and machines", networks);
    if config.demo {
        let demo = Instant::now();
        if first_start::demo(&cloud, &config).await? {
            milestone("Demo project", demo);
        }
    }
    let public = config.public_address();
    if public != config.listen && !config.listen.ip().is_unspecified() {
        listeners.extend(serve::bind(&[public]).await?);
    }
    let (end, ended) = watch::channel(false);
    let requests = control::listen(&data)?;
    let tls = match &certificates {
        Some(certificates) => {
            tokio::spawn(tls::keep(certificates.clone()));
            Some(certificates.server_config()?)
        }
        None => None,
    };
    let served = Served::new(cloud, &config).await?;
    let server = serve::serve(served.router(), listeners, tls, ended);
    let state = write_state(&config)?;
    let mut entered = false;
    if !detached {
        // Nobody else does it. A service has no home, and then nobody's clients are told.
        match up::enter(&config, &state) {
            Ok(()) => {
                say(&format!("The cloud answers at {}", state.url));
                entered = true;
            }
            Err(error) => tracing::info!(error = format!("{error:#}"), "no clouds.yaml was written"),
        }
    }
    tracing::info!(url = state.url, took = human(started.elapsed()), "ready");
    notifier.say(&format!("READY=1\nSTATUS=The cloud answers at {}", state.url));
    let watched = served.clone();
    let watchdog = tokio::spawn(notifier.clone().keep_alive(move || healthy(watched.clone())));

    // A simulated cloud is thrown away.
    if config.daily_backups > 0 && !config.simulate {
        tokio::spawn(daily::keep(served.clone(), config.daily_backups));
    }
    tokio::spawn(events::keep(served.clone(), config.events));
    let signals = tokio::spawn(on_signal(end.clone(), notifier.clone()));
    let control = answer(&served, &config, requests, end, &notifier);
    let first_image = async {
        // As a client, so the cloud has to be served at the same time.
        if entered && config.demo {
            up::first_image(&data, &state.label).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = server => done?,
        () = first_image => {}
        // Only a `down` ends it, and then the server drains as well.
        () = control => {}
    }
    signals.abort();
    watchdog.abort();
    backup::disks::let_go(&*served.cloud().await, &data).await?;
    let _ = std::fs::remove_file(data.state());
    let _ = std::fs::remove_file(data.control_socket());
    served.cloud().await.db.close().await;
    Ok(())
}

/// Shown by `up` while it waits.
fn milestone(step: &str, begin: Instant) {
    tracing::info!(target: "cumulet::start", step, micros = begin.elapsed().as_micros() as u64, "started");
}

/// Only one cloud of a name may have links and namespaces here.
fn guard_name(config: &Config) -> anyhow::Result<Option<NameGuard>> {
    if config.simulate {
        return Ok(None);
    }
    match NameGuard::take(&config.label())? {
        Some(guard) => Ok(Some(guard)),
        None => bail!("another cloud named `{}` runs on this machine: pass another --name", config.name),
    }
}

/// What the watchdog asks: does the runtime turn, and does the database answer?
async fn healthy(served: Served) -> bool {
    served.cloud().await.db.read().await.is_ok()
}

fn write_state(config: &Config) -> anyhow::Result<State> {
    let state = State {
        pid: std::process::id(),
        url: config.public_url(),
        region: config.region.clone(),
        simulate: config.simulate,
        label: config.label(),
        cacert: config.cacert(),
        started_at: base::time::now() / 1_000_000,
    };
    let path = config.data.state();
    let part = path.with_extension("part");
    std::fs::write(&part, serde_json::to_vec_pretty(&state)?)
        .and_then(|()| std::fs::rename(&part, &path))
        .with_context(|| format!("cannot write {path}"))?;
    Ok(state)
}

/// SIGTERM and SIGINT end the daemon and nothing else: virtual machines and networks go on without it.
async fn on_signal(end: watch::Sender<bool>, notifier: Notifier) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    tracing::info!("ending; virtual machines keep running");
    notifier.say("STOPPING=1\nSTATUS=Ending; virtual machines keep running");
    end.send_replace(true);
}

async fn answer(
    served: &Served,
    config: &Config,
    mut requests: mpsc::Receiver<control::Asked>,
    end: watch::Sender<bool>,
    notifier: &Notifier,
) {
    while let Some((request, back)) = requests.recv().await {
        let cloud = served.cloud().await;
        let result = match request {
            Request::Status => status::report(&cloud, config).await,
            Request::Down => {
                notifier.say("STOPPING=1\nSTATUS=Stopping the virtual machines");
                cloud.shut_down().await.map(|()| serde_json::json!({}))
            }
            Request::HoldDisks { ref to } => backup::disks::hold(&cloud, &config.data, to).await,
            Request::Reset { mark } => served.reset_or_mark(mark).await,
        };
        let went_down = request == Request::Down && result.is_ok();
        let answer = match result {
            Ok(value) => Answer::Ok(value),
            Err(e) => Answer::Error { error: format!("{e:#}") },
        };
        let (carried, written) = oneshot::channel();
        let _ = back.send((answer, carried));
        if went_down {
            // Nothing is ever sent: it is dropped when the socket has the answer, or the asker is gone.
            let _ = written.await;
            end.send_replace(true);
            return;
        }
    }
}
