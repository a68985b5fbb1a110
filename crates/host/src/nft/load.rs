//! Loading a ruleset into the calling thread's namespace.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::TABLE;
use crate::{Error, Result, nfnetlink};

/// What this process loaded last into a namespace. It goes with the process: after a restart everything is loaded
/// once more, which is atomic and disturbs nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    text: String,
    /// The kernel counts every change of a namespace's rules, so nobody flushes them behind our back.
    generation: u32,
}

/// Loads `text` unless it is there already. True: it was loaded now.
pub fn load(text: &str, loaded: &mut Option<Loaded>) -> Result<bool> {
    if let Some(before) = loaded
        && before.text == text
        && nfnetlink::ruleset_generation()? == before.generation
    {
        return Ok(false);
    }
    *loaded = None;
    run(text)?;
    *loaded = Some(Loaded { text: text.to_owned(), generation: nfnetlink::ruleset_generation()? });
    Ok(true)
}

pub(super) fn run(text: &str) -> Result<()> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::MissingProgram { program: "nft".to_owned(), package: "nftables".to_owned() }
        }
        _ => command_error(error.to_string(), String::new()),
    };
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // nft reads everything before it complains; if it ends early, its message says more than the broken pipe.
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    Err(command_error(output.status.to_string(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Packets and bytes that named counters of our table have counted, in the calling thread's namespace.
pub fn counters() -> Result<BTreeMap<String, (u64, u64)>> {
    let output = Command::new("nft")
        .args(["-j", "list", "counters", "table", "inet", TABLE])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| command_error(error.to_string(), String::new()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(command_error(output.status.to_string(), said));
    }
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| command_error(error.to_string(), String::new()))?;
    let all = listed["nftables"].as_array().into_iter().flatten().map(|one| &one["counter"]);
    Ok(all
        .filter_map(|one| {
            let name = one["name"].as_str()?.to_owned();
            Some((name, (one["packets"].as_u64()?, one["bytes"].as_u64()?)))
        })
        .collect())
}

fn command_error(status: String, stderr: String) -> Error {
    Error::Command { command: "nft -f -".to_owned(), status, stderr }
}
