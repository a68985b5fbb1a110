//! `cumulet down`: stop the virtual machines, take the networks down, end. Data stays.

use std::time::Duration;

use clap::Args;
use host::daemon::{self, Holder, PidLock};

use crate::commands::up::ENDS_WITHIN;
use crate::config::{CloudArgs, DataDir};
use crate::control::{self, Request};
use crate::steps::{say, step};

#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Only if the machine is on its way down: for the service's unit
    #[arg(long, hide = true)]
    if_machine_stops: bool,
}

pub async fn run(args: &DownArgs) -> anyhow::Result<()> {
    if args.if_machine_stops && !daemon::machine_stops() {
        return Ok(());
    }
    let data = args.cloud.resolve()?;
    if PidLock::lasting_holder(&data.lock(), ENDS_WITHIN).await?.is_none() {
        say(&format!("No cloud is running with {}", data.path()));
        return Ok(());
    }
    step("Stopping the cloud", end(&data)).await
}

/// Asks the daemon to shut down and waits until its process is gone, with all its files: the disk that they lie on can be
/// unmounted then.
pub async fn end(data: &DataDir) -> anyhow::Result<()> {
    let holder = Holder::of(&data.lock())?;
    control::ask(data, &Request::Down).await?;
    if let Some(holder) = holder {
        holder.gone().await;
    }
    // One that is in another PID namespace cannot be watched.
    while PidLock::holder(&data.lock())?.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
