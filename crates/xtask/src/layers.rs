//! Who may import whom. Cargo cannot forbid an edge that somebody adds, nor one inside a crate: this does.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, bail};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

/// Each crate with the crates of ours that it may depend on. The tree of ARCHITECTURE.md, as data.
const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("db", &["base"]),
    ("reconcile", &["base"]),
    ("web", &["base"]),
    ("host", &["base"]),
    ("image", &[]),
    ("openstack", &["base"]),
    ("engine", &["base", "openstack"]),
    ("keystone", &["base", "db", "host", "reconcile", "web"]),
    ("barbican", &["base", "db", "web"]),
    ("placement", &["base", "db", "host", "reconcile", "web"]),
    ("glance", &["base", "db", "host", "reconcile", "web"]),
    ("neutron", &["base", "db", "host", "reconcile", "web"]),
    ("cinder", &["base", "db", "host", "reconcile", "web", "barbican", "glance"]),
    ("nova", &["base", "db", "host", "reconcile", "web", "placement", "glance", "neutron", "cinder"]),
    ("octavia", &["base", "db", "host", "reconcile", "web", "barbican", "neutron"]),
    ("testkit", &["base", "cumulet", "host", "web"]),
    ("acceptance", &["testkit", "engine", "openstack"]),
    ("xtask", &[]),
];

/// Only the binary knows everyone.
const KNOWS_ALL: &str = "cumulet";

/// What a file of this name never mentions, and why.
struct Rule {
    file: &'static str,
    forbidden: &'static [&'static str],
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        file: "store.rs",
        forbidden: &["axum", "web::", "host::"],
        because: "SQL sees neither HTTP nor the host",
    },
    Rule {
        file: "api.rs",
        forbidden: &["rusqlite", "db::sql", "host::"],
        because: "HTTP touches neither SQL nor drivers",
    },
    Rule {
        file: "view.rs",
        forbidden: &["rusqlite", "db::sql", "host::"],
        because: "JSON out is made from values",
    },
    Rule {
        file: "rules.rs",
        forbidden: &["axum", "rusqlite", "db::sql"],
        because: "decisions are made on loaded values",
    },
    Rule {
        file: "plan.rs",
        forbidden: &["async fn", ".await", "SystemTime::now", "Instant::now", "time::now", "rand::"],
        because: "a plan is a pure function",
    },
];

/// Starting programs and unsafe code have one home. `image` runs package tools by its nature; tests and chores are free.
const PROCESS_HOMES: &[&str] = &["host", "image", "xtask"];

pub fn check() -> anyhow::Result<()> {
    // Asked when it runs: checkouts that share a build directory share this binary.
    let here = std::env::var("CARGO_MANIFEST_DIR").context("run it by `cargo run -p xtask`")?;
    let root = Utf8PathBuf::from(here).join("../..");
    let mut found = edges(&root)?;
    for (name, dir) in crates(&root)? {
        for file in rust_files(&dir.join("src"))? {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
            let place = file.strip_prefix(&root).unwrap_or(&file);
            found.extend(in_file(&name, place, &text));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    for crossing in &found {
        tell(crossing);
    }
    bail!("layers are crossed in {} places", found.len())
}

#[allow(clippy::print_stderr)]
fn tell(line: &str) {
    eprintln!("{line}");
}

fn crates(root: &Utf8Path) -> anyhow::Result<BTreeMap<String, Utf8PathBuf>> {
    let dir = root.join("crates");
    let mut all = BTreeMap::new();
    for entry in dir.read_dir_utf8().with_context(|| format!("cannot read {dir}"))? {
        let entry = entry?;
        all.insert(entry.file_name().to_owned(), entry.path().to_owned());
    }
    Ok(all)
}

fn edges(root: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let names: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if name == KNOWS_ALL {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(n, _)| *n == name) else {
            found.push(format!("crates/{name} is not in xtask's table of crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // A dev-dependency cannot reach a release.
            let normal = dependency["kind"].is_null();
            let target = dependency["name"].as_str().unwrap_or_default();
            if normal && names.contains(&target) && !allowed.contains(&target) {
                found.push(format!("{name} may not depend on {target}"));
            }
        }
    }
    Ok(found)
}

fn rust_files(dir: &Utf8Path) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in dir.read_dir_utf8().with_context(|| format!("cannot read {dir}"))? {
            let path = entry?.path().to_owned();
            if path.is_dir() {
                open.push(path);
            } else if path.extension() == Some("rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn in_file(krate: &str, place: &Utf8Path, text: &str) -> Vec<String> {
    let name = place.file_name().unwrap_or_default();
    let is_test = name.ends_with("tests.rs") || place.as_str().contains("/tests/");
    let mut found = Vec::new();
    let mut tell = |number: usize, word: &str, because: &str| {
        found.push(format!("{place}:{}: `{word}`: {because}", number + 1));
    };
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let code = without_literals(line.split("//").next().unwrap_or_default());
        let code = code.as_str();
        for rule in RULES.iter().filter(|r| r.file == name) {
            for word in rule.forbidden.iter().filter(|w| mentions(code, w)) {
                tell(number, word, rule.because);
            }
        }
        if !is_test && !PROCESS_HOMES.contains(&krate) {
            // Exit codes and our own pid start no program.
            let process = code.contains("process::Command") || code.contains("process::{Command");
            if process {
                tell(number, "process::Command", "programs are started in crate host");
            }
        }
        if krate != "host" && mentions(code, "unsafe ") {
            tell(number, "unsafe", "unsafe code lives in crate host");
        }
    }
    found
}

/// Text in quotes mentions nothing.
fn without_literals(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// `word` in `code`, and not as the end of a longer name.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_found_and_look_alikes_are_not() {
        let crossed = |krate: &str, file: &str, text: &str| in_file(krate, Utf8Path::new(file), text).len();
        assert_eq!(crossed("nova", "crates/nova/src/servers/store.rs", "use web::Json;"), 1);
        assert_eq!(crossed("nova", "crates/nova/src/servers/store.rs", "let myweb::x = 1; // web::"), 0);
        assert_eq!(crossed("nova", "crates/nova/src/servers/api.rs", "db::sql(\"SELECT\")"), 1);
        assert_eq!(crossed("nova", "crates/nova/src/x.rs", "say(\"unsafe \")"), 0);
        assert_eq!(crossed("neutron", "crates/neutron/src/plan.rs", "pub async fn plan() {}"), 1);
        assert_eq!(crossed("nova", "crates/nova/src/x.rs", "use std::process::Command;"), 1);
        assert_eq!(crossed("host", "crates/host/src/x.rs", "use std::process::Command;\nunsafe {}"), 0);
        assert_eq!(crossed("nova", "crates/nova/src/x.rs", "unsafe { }"), 1);
    }
}
