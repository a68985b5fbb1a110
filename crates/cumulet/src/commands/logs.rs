//! `cumulet logs`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

use crate::config::CloudArgs;
use crate::log::read::{self, Follower, Wanted};

#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Only what this request caused, also later in reconcilers (the header `x-openstack-request-id` of its answer)
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only lines that speak of this server (or of anything else with this id)
    #[arg(long, value_name = "ID", visible_alias = "about")]
    server: Option<String>,
    /// Only lines at least this bad: error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    level: Option<tracing::Level>,
    /// Go on with lines as they come
    #[arg(long, short)]
    follow: bool,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "COUNT")]
    lines: Option<usize>,
    /// As they are in the file: JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: LogsArgs) -> anyhow::Result<()> {
    let data = args.cloud.resolve()?;
    let path = data.log();
    ensure!(path.exists(), "there is no log under {}: start the cloud with `cumulet up`", data.path());
    let wanted = Wanted { request: args.request, about: args.server, level: args.level };
    let show = |line: &str| if args.json { line.to_owned() } else { read::human(line) };

    let files = read::files(&path);
    let mut lines = Vec::new();
    for older in &files[..files.len() - 1] {
        let text = std::fs::read(older).with_context(|| format!("cannot read {older}"))?;
        lines.extend(String::from_utf8_lossy(&text).lines().filter(|line| wanted.fits(line)).map(show));
    }
    let mut follower = Follower::new(&path);
    let failed = || format!("cannot read {path}");
    lines.extend(
        follower.more().with_context(failed)?.iter().filter(|line| wanted.fits(line)).map(|line| show(line)),
    );
    let skip = args.lines.map_or(0, |count| lines.len().saturating_sub(count));
    if !print(&lines[skip..])? || !args.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let more = follower.more().with_context(failed)?;
        let more: Vec<String> = more.iter().filter(|line| wanted.fits(line)).map(|line| show(line)).collect();
        if !print(&more)? {
            return Ok(());
        }
    }
}

/// False: nobody reads any more, as after `| head`.
fn print(lines: &[String]) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    let mut write = || {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        out.flush()
    };
    match write() {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        done => done.map(|()| true).context("cannot write"),
    }
}
