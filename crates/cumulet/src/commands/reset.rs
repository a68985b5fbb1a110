//! `cumulet reset`: a simulated cloud becomes what it was at its first start, for the next test of a suite.

use clap::Args;

use crate::config::CloudArgs;
use crate::control::{self, Request};
use crate::steps::say;

#[derive(Debug, Args)]
pub struct ResetArgs {
    #[command(flatten)]
    cloud: CloudArgs,
    /// Do not reset: from now on a reset returns to the present state
    #[arg(long)]
    mark: bool,
}

pub async fn run(args: ResetArgs) -> anyhow::Result<()> {
    let data = args.cloud.resolve()?;
    let answer = control::ask(&data, &Request::Reset { mark: args.mark }).await?;
    say(&match answer["milliseconds"].as_u64() {
        Some(took) => format!("✓ The cloud is as it was ({took} ms)"),
        None => "✓ From now on a reset returns to this state".to_owned(),
    });
    Ok(())
}
