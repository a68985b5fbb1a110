//! `cumulet systemd`: the cloud as a service that starts with the machine.

use anyhow::{Context, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use host::daemon;

use crate::config::{AllArgs, CloudArgs, DataDir, label};
use crate::steps::{print, say};

const DIRECTORY: &str = "/etc/systemd/system";

#[derive(Debug, Subcommand)]
pub enum SystemdCommand {
    /// Print the unit; flags given here become the service's
    Print(AllArgs),
    /// Write the unit, and have the machine start the cloud from now on
    Install(AllArgs),
    /// Remove the unit; the cloud, its machines and its data stay
    Uninstall(CloudArgs),
}

pub fn run(command: SystemdCommand) -> anyhow::Result<()> {
    match command {
        SystemdCommand::Print(args) => {
            print(unit_of(&args)?.1.trim_end());
            Ok(())
        }
        SystemdCommand::Install(args) => install(&args),
        SystemdCommand::Uninstall(args) => {
            let told = args.0.resolve()?;
            let path = path(&label(told.settings.text("name")));
            ensure!(path.exists(), "there is no unit {path}");
            ensure!(
                is_ours(&path, &told.data)?,
                "{path} was not made by `cumulet systemd install` for this cloud: it stays"
            );
            remove(&path)?;
            say(&format!("{path} is removed"));
            Ok(())
        }
    }
}

fn install(args: &AllArgs) -> anyhow::Result<()> {
    ensure!(daemon::is_root(), "units of the machine are root's: run `sudo cumulet systemd install`");
    let (label, text) = unit_of(args)?;
    let path = path(&label);
    let told = args.0.resolve()?;
    ensure!(
        !path.exists() || is_ours(&path, &told.data)?,
        "{path} is there already and was not made by `cumulet systemd install`: it stays"
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write {path}"))?;
    say(&format!("✓ {path}"));
    if daemon::has_systemd() {
        daemon::systemctl(&["daemon-reload"])?;
        daemon::systemctl(&["enable", &format!("{label}.service")])?;
        say(&format!("✓ It starts with the machine; now: systemctl start {label}"));
    } else {
        say("systemd does not run here: the unit takes effect where it does");
    }
    Ok(())
}

/// For `destroy`: a unit of this very cloud would start it again.
pub fn remove_unit_of(label: &str, data: &DataDir) -> anyhow::Result<()> {
    let path = path(label);
    if path.exists() && is_ours(&path, data)? {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Utf8Path) -> anyhow::Result<()> {
    let unit = path.file_name().unwrap_or_default();
    if daemon::has_systemd() {
        daemon::systemctl(&["disable", unit])?;
    }
    std::fs::remove_file(path).with_context(|| format!("cannot remove {path}"))?;
    if daemon::has_systemd() {
        daemon::systemctl(&["daemon-reload"])?;
    }
    Ok(())
}

fn path(label: &str) -> Utf8PathBuf {
    Utf8Path::new(DIRECTORY).join(format!("{label}.service"))
}

fn mark(data: &Utf8Path) -> String {
    format!("# Made by `cumulet systemd install` for {data}; `cumulet systemd uninstall` removes it.")
}

fn is_ours(path: &Utf8Path, data: &DataDir) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.lines().any(|line| line == mark(data.path())))
}

fn unit_of(args: &AllArgs) -> anyhow::Result<(String, String)> {
    let told = args.0.resolve()?;
    let config = told.config()?;
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let program = Utf8PathBuf::try_from(program).context("this program's path is not UTF-8")?;
    let mut flags: Vec<String> =
        args.0.values.iter().map(|(name, text)| format!("--{name}={text}")).collect();
    if let Some(file) = &args.0.file {
        flags.push(format!("--config={file}"));
    }
    let find: Vec<String> = flags
        .iter()
        .filter(|flag| ["--name=", "--data-dir=", "--config="].iter().any(|p| flag.starts_with(p)))
        .cloned()
        .collect();
    Ok((config.label(), unit(&program, config.data.path(), &flags, &find)))
}

/// systemd reads `%` and quotes in its own way.
fn quoted(words: &[String]) -> String {
    let quote = |word: &String| {
        let word = word.replace('%', "%%").replace('$', "$$");
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=/.:,%$@+".contains(&b));
        if plain { word } else { format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")) }
    };
    words.iter().map(|word| format!(" {}", quote(word))).collect()
}

fn unit(program: &Utf8Path, data: &Utf8Path, flags: &[String], find: &[String]) -> String {
    let program = quoted(&[program.to_string()]);
    let (mark, up, down, program) = (mark(data), quoted(flags), quoted(find), program.trim_start());
    format!(
        "{mark}
[Unit]
Description=Cumulet, an OpenStack cloud on this machine
Wants=network-online.target
After=network-online.target local-fs.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} up --foreground{up}
# Only when the machine goes down are the virtual machines stopped; they start again with it.
ExecStop=-{program} down --if-machine-stops{down}
# A restart of the cloud never touches a virtual machine: they live in this unit's group and are left alone.
KillMode=process
Delegate=yes
Restart=on-failure
RestartSec=2
WatchdogSec=60
TimeoutStartSec=120
TimeoutStopSec=300
LimitNOFILE=1048576
TasksMax=infinity
Environment=HOME=/root

[Install]
WantedBy=multi-user.target
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_leaves_virtual_machines_alone() {
        let text = unit("/usr/bin/cumulet".into(), "/var/lib/cumulet".into(), &[], &[]);
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "Type=notify",
            "KillMode=process",
            "ExecStart=/usr/bin/cumulet up --foreground",
            "Restart=on-failure",
        ] {
            assert!(lines.contains(&line), "{line}");
        }
        assert!(lines.contains(&"ExecStop=-/usr/bin/cumulet down --if-machine-stops"));
    }

    #[test]
    fn flags_survive_systemds_reading() {
        let flags = ["--name=ci".to_owned(), "--data-dir=/srv/my 100% \"cloud\"".into()];
        let text = unit("/opt/a b/cumulet".into(), "/srv".into(), &flags, &flags[..1]);
        assert!(text.contains("ExecStart=\"/opt/a b/cumulet\" up --foreground --name=ci \"--data-dir=/srv/my 100%% \\\"cloud\\\"\"\n"), "{text}");
        assert!(text.contains("--if-machine-stops --name=ci\n"), "{text}");
    }
}
