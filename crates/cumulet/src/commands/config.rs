//! `cumulet config`: what was told, and where.

use clap::Subcommand;
use serde_json::json;

use crate::config::{AllArgs, Source, reference};
use crate::steps::print;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// What was told, and where it was told
    Show {
        #[command(flatten)]
        all: AllArgs,
        /// Defaults as well
        #[arg(long)]
        effective: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// The documentation of every setting, as Markdown
    Reference,
}

pub fn run(command: ConfigCommand) -> anyhow::Result<()> {
    let ConfigCommand::Show { all, effective, json } = command else {
        print(reference::page().trim_end());
        return Ok(());
    };
    let told = all.0.resolve()?;
    // Also says what does not go together.
    told.config()?;
    let shown: Vec<_> =
        told.settings.iter().filter(|(_, value)| effective || value.source != Source::Default).collect();
    if json {
        let entries = shown.iter().map(|(name, value)| {
            ((*name).to_owned(), json!({"value": value.text, "source": value.source.to_string()}))
        });
        print(&serde_json::to_string_pretty(&entries.collect::<serde_json::Map<_, _>>())?);
        return Ok(());
    }
    if shown.is_empty() {
        print("Everything has its default: `cumulet config show --effective` lists it");
    }
    let width = |of: fn(&str, &str) -> usize| shown.iter().map(|(k, v)| of(k, &v.text)).max().unwrap_or(0);
    let (names, values) = (width(|name, _| name.len()), width(|_, text| text.len()));
    for (name, value) in &shown {
        print(&format!("{name:names$}  {:values$}  {}", value.text, value.source));
    }
    Ok(())
}
