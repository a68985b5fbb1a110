//! docs/configuration.md, made of the table of keys.

use std::fmt::Write;

use super::keys::{KEYS, Kind};

const HEAD: &str = "# Configuration

Every setting can be given in four ways. The first of these that names it counts:

1. a flag of `cumulet up`: `--data-dir DIR`
2. an environment variable: `CUMULET_DATA_DIR=DIR`
3. a line of the settings' file: `data_dir = \"DIR\"`
4. what the cloud remembers of its first start (marked below), else the default

The file is TOML. It is the one that `--config FILE` or `CUMULET_CONFIG` names, else `~/.config/cumulet/config.toml` if it
exists (`$XDG_CONFIG_HOME/cumulet/config.toml` where that is set), else `/etc/cumulet/config.toml`. Only one file is read. A
line that is no setting is refused, with the nearest one that is.

`cumulet config show` tells what was set and where; `--effective` adds the defaults, `--json` is for programs.

| flag | variable | file | default | |
|---|---|---|---|---|
";

const TAIL: &str = "
Settings marked \"remembered\" are kept in the data directory at the first start: later starts have them without being told.
The external network stays for the life of the cloud; the others change when they are told anew.

## Several clouds on one machine

`--name` sets clouds apart: `cumulet up --name ci` has a data directory, namespaces, rules, users and an entry of
clouds.yaml (`cumulet-ci`) of its own, and takes the next free external network and port. Every command takes `--name`; a
`--data-dir` alone is enough for a cloud that exists.

## TLS

`cumulet up --tls` makes an authority and a certificate under `tls/` of the data directory; all URLs of the catalog become
https, and clouds.yaml names the authority (`cacert`). The certificate is renewed before it expires. With `--tls-cert` and
`--tls-key` the cloud serves yours, and reads them again when they change. Metadata for guests stays plain HTTP on
169.254.169.254, as guests expect. `--tls=false` goes back to plain HTTP.

## Other variables

| variable | |
|---|---|
| `CUMULET_CACHE` | where images and their parts are built (`~/.cache/cumulet`) |
| `OS_CLOUD` | which entry of clouds.yaml `cumulet image` and `cumulet cluster` talk to |
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for key in KEYS {
        let flag = match key.kind {
            Kind::Switch => format!("--{}", key.name),
            _ => format!("--{} {}", key.name, key.value_name),
        };
        let remembered = if key.kept { "; remembered" } else { "" };
        let default = match key.default_words() {
            text if text.contains(' ') => text.to_owned(),
            text => format!("`{text}`"),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "| `{}` | `{}` | `{}` | {default} | {}{remembered} |",
            flag.replace('|', "\\|"),
            key.env(),
            key.file_name(),
            key.help
        );
    }
    page + TAIL
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_docs_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let there = std::fs::read_to_string(path).unwrap_or_default();
        let now = super::page();
        assert!(there == now, "docs/configuration.md is old: write it with `cumulet config reference`");
    }
}
