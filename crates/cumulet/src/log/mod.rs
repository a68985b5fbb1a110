//! The daemon's log: lines of JSON in files of bounded size, each with the id of the request that caused it.
//!
//! ```text
//!   web: span "request" {request_id} ─► handler ─► wake(key) keeps the span ─► reconciler runs in it
//!                                          │                                      │
//!                                          └───────────── events ─────────────────┴─► layer.rs ─► file.rs
//!   `cumulet logs` ◄── read.rs
//! ```

mod file;
mod layer;
pub mod read;

use anyhow::Context;
use camino::Utf8Path;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// How many files a log is divided into.
const FILES: u64 = 4;

/// For commands: what goes wrong, to standard error. `CUMULET_LOG` decides otherwise.
pub fn to_terminal() {
    let filter = EnvFilter::try_from_env("CUMULET_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Only a second call fails, and then the first one holds.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(std::io::stderr).with_ansi(terminal))
        .try_init();
}

/// For the daemon: to its file, and to standard error as well unless nobody looks there.
pub fn to_file(path: &Utf8Path, limit: u64, filter: &str, also_terminal: bool) -> anyhow::Result<()> {
    let file = file::Rotating::open(path, (limit / FILES).max(4096), FILES as u32 - 1)
        .with_context(|| format!("cannot open the log {path}"))?;
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let shown = also_terminal.then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(terminal));
    // `up` shows the steps of the start, whatever else is logged.
    let steps = "cumulet::start=info".parse().context("the filter of the start's steps")?;
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("`{filter}` is no filter of log lines"))?;
    tracing_subscriber::registry()
        .with(filter.add_directive(steps))
        .with(layer::JsonLines::new(file))
        .with(shown)
        .try_init()
        .context("the log is open already")
}
