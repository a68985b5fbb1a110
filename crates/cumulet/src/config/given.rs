//! Flags, made from the table of keys.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::keys::{KEYS, Key, Kind};

/// What the command line says, by key.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub values: BTreeMap<&'static str, String>,
    pub file: Option<Utf8PathBuf>,
}

/// Flags of every command about a cloud: which one.
#[derive(Debug, Clone, Default)]
pub struct CloudArgs(pub Given);

/// Flags of the commands that start a cloud: everything.
#[derive(Debug, Clone, Default)]
pub struct AllArgs(pub Given);

fn of(everything: bool) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| everything || key.finds)
}

fn augment(mut command: Command, everything: bool) -> Command {
    for key in of(everything) {
        let kind = key.kind;
        let mut arg = Arg::new(key.name)
            .long(key.name)
            .value_parser(move |text: &str| kind.check(text).map(|()| text.to_owned()))
            .help(help(key));
        arg = match key.kind {
            Kind::Switch => {
                arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
            }
            _ => arg.value_name(key.value_name),
        };
        command = command.arg(arg);
    }
    command.arg(
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("The file of settings [env: CUMULET_CONFIG] [default: ~/.config/cumulet/config.toml, else /etc/cumulet/config.toml]"),
    )
}

fn help(key: &Key) -> String {
    let default = match (key.kind, key.default_words()) {
        (Kind::Switch, "false") | (_, "") => String::new(),
        (_, words) => format!(" [default: {words}]"),
    };
    format!("{} [env: {}]{default}", key.help, key.env())
}

fn take(matches: &ArgMatches, everything: bool) -> Given {
    let told = |key: &'static Key| Some((key.name, matches.get_one::<String>(key.name)?.clone()));
    Given {
        values: of(everything).filter_map(told).collect(),
        file: matches.get_one::<String>("config").map(Utf8PathBuf::from),
    }
}

macro_rules! args {
    ($kind:ident, $everything:literal) => {
        impl clap::Args for $kind {
            fn augment_args(command: Command) -> Command {
                augment(command, $everything)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $everything)
            }
        }

        impl FromArgMatches for $kind {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok($kind(take(matches, $everything)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = $kind(take(matches, $everything));
                Ok(())
            }
        }
    };
}

args!(CloudArgs, false);
args!(AllArgs, true);
