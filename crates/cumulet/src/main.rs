//! Reads the command line and runs one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cumulet::commands;
use cumulet::config::UpArgs;

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
    Env(commands::env::EnvArgs),
    /// Look whether this machine is fit for a cloud
    Doctor(commands::doctor::DoctorArgs),
    /// Show what the cloud logged
    Logs(commands::logs::LogsArgs),
    /// Stop the cloud; its data stays
    Down(commands::down::DownArgs),
    /// Write the whole cloud to one file, whether it runs or not
    Backup(commands::backup::BackupArgs),
    /// Bring a cloud back from its archive, or a database from its backup
    Restore(commands::restore::RestoreArgs),
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
    /// The keys that tokens are made with
    #[command(subcommand)]
    TokenKeys(commands::token_keys::TokenKeysCommand),
    /// Settings: what was told, and where
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// The cloud as a service that starts with the machine
    #[command(subcommand)]
    Systemd(commands::systemd::SystemdCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The daemon logs to its file, which it finds later.
    if !matches!(&cli.command, Command::Up(_)) {
        cumulet::log::to_terminal();
    }
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
        Command::Doctor(args) => return commands::doctor::run(args).await,
        Command::Logs(args) => commands::logs::run(args).await?,
        Command::Down(args) => commands::down::run(&args).await?,
        Command::Backup(args) => commands::backup::run(args).await?,
        Command::Restore(args) => commands::restore::run(args).await?,
        Command::Reset(args) => commands::reset::run(args).await?,
        Command::Destroy(args) => commands::destroy::run(args).await?,
        Command::Image(command) => commands::image::run(command).await?,
        Command::Cluster(command) => command.run().await?,
        Command::TokenKeys(command) => commands::token_keys::run(command)?,
        Command::Config(command) => commands::config::run(command)?,
        Command::Systemd(command) => commands::systemd::run(command)?,
    }
    Ok(0)
}

/// One line on standard error, the whole chain of causes.
fn failed(error: &anyhow::Error) -> ExitCode {
    cumulet::steps::say(&format!("error: {error:#}"));
    ExitCode::FAILURE
}
