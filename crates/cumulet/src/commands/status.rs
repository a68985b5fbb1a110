//! `cumulet status`.

use clap::Args;
use host::daemon::{self, PidLock};
use serde_json::{Value, json};

use crate::assemble::Cloud;
use crate::commands::up::{ENDS_WITHIN, State};
use crate::config::{CloudArgs, Config};
use crate::control::{self, Request};
use crate::steps::{human, print};

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Exit code 0: it runs; 3: it does not (as `systemctl status`).
pub async fn run(args: StatusArgs) -> anyhow::Result<u8> {
    let data = args.cloud.resolve()?;
    if PidLock::lasting_holder(&data.lock(), ENDS_WITHIN).await?.is_none() {
        if args.json {
            print(&json!({"running": false, "data_dir": data.path()}).to_string());
        } else {
            print(&format!("No cloud is running with {}: start it with `cumulet up`", data.path()));
        }
        return Ok(3);
    }
    let report = control::ask(&data, &Request::Status).await?;
    if args.json {
        print(&serde_json::to_string_pretty(&report)?);
        return Ok(0);
    }
    let text = |key: &str| match &report[key] {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let up = std::time::Duration::from_secs(report["uptime_seconds"].as_u64().unwrap_or(0));
    print(&format!(
        "cloud      {} (pid {}, up {}, {} MiB resident)",
        text("url"),
        text("pid"),
        human(up),
        text("resident_mib")
    ));
    print(&format!("host       {} ({}, {})", text("host"), text("hypervisor"), text("accelerator")));
    print(&format!(
        "on it      {} servers, {} networks, {} routers",
        text("servers"),
        text("networks"),
        text("routers")
    ));
    print(&format!("data       {}", text("data_dir")));
    print(&format!("clients    --os-cloud {}", text("os_cloud")));
    Ok(0)
}

/// What the daemon says of itself.
pub async fn report(cloud: &Cloud, config: &Config) -> anyhow::Result<Value> {
    let state = State::read(&config.data)?;
    let pid = std::process::id();
    let capacity = cloud.drivers.hypervisor.capacity().await?;
    let servers = cloud.drivers.hypervisor.list().await?;
    let present = cloud.drivers.network.list().await?;
    let started = state.map_or(0, |s| s.started_at);
    Ok(json!({
        "running": true,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": pid,
        "name": config.name,
        "url": config.public_url(),
        "cacert": config.cacert(),
        "simulate": config.simulate,
        "host": capacity.hostname,
        "hypervisor": capacity.hypervisor_type,
        "accelerator": capacity.accelerator,
        "uptime_seconds": (base::time::now() / 1_000_000 - started).max(0),
        "resident_mib": daemon::resident_kib(pid).unwrap_or(0) / 1024,
        "servers": servers.len(),
        "networks": present.networks.len(),
        "routers": present.routers.len(),
        "data_dir": config.data.path(),
        "os_cloud": config.label(),
    }))
}
