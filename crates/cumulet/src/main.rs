//! Reads the command line and runs one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cumulet::commands;
use cumulet::config::{CloudArgs, UpArgs};

/// An OpenStack cloud on this machine, and Kubernetes clusters on any OpenStack.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the cloud
    Up(UpArgs),
    /// Tell how the cloud is
    Status(commands::status::StatusArgs),
    /// Print OS_* variables for `eval "$(cumulet env)"`
    Env(CloudArgs),
    /// Stop the cloud; its data stays
    Down(CloudArgs),
    /// Return a simulated cloud to its first state
    Reset(commands::reset::ResetArgs),
    /// Remove the cloud and all its data
    Destroy(commands::destroy::DestroyArgs),
    /// Build images of virtual machines
    #[command(subcommand)]
    Image(commands::image::ImageCommand),
    /// Kubernetes clusters on this cloud or any other
    #[command(subcommand)]
    Cluster(commands::cluster::ClusterCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(matches!(&cli.command, Command::Up(args) if args.foreground));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&e.into()),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Up(args) => commands::up::run(args).await?,
        Command::Status(args) => return commands::status::run(args).await,
        Command::Env(args) => commands::env::run(&args)?,
        Command::Down(args) => commands::down::run(&args).await?,
        Command::Reset(args) => commands::reset::run(args).await?,
        Command::Destroy(args) => commands::destroy::run(args).await?,
        Command::Image(command) => commands::image::run(command).await?,
        Command::Cluster(command) => command.run().await?,
    }
    Ok(0)
}

/// One line on standard error, the whole chain of causes.
fn failed(error: &anyhow::Error) -> ExitCode {
    cumulet::steps::say(&format!("error: {error:#}"));
    ExitCode::FAILURE
}

/// The daemon logs what it does; other commands only what goes wrong. `CUMULET_LOG` decides otherwise.
fn log_to_stderr(daemon: bool) {
    let default = if daemon { "info" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CUMULET_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal).init();
}
