//! Downloads by curl, which go on where an earlier one broke off.

use std::fs;

use camino::Utf8Path;

use crate::process::Command;
use crate::{Error, Result};

/// What a server said to a request for a small file.
pub enum Answer {
    Ok(String),
    NotFound,
    Failed(String),
}

/// A small file. `any_scheme`: not only https.
pub fn text(url: &str, any_scheme: bool) -> Result<Answer> {
    let told = curl(any_scheme)
        .args(["--max-time", "60", "--max-filesize", "4194304", "--write-out", "\n%{http_code}", url])
        .output();
    let said = match told {
        Ok(said) => said,
        Err(Error::CommandFailed { stderr, .. }) => return Ok(Answer::Failed(stderr)),
        Err(err) => return Err(err),
    };
    let (body, code) = said.rsplit_once('\n').unwrap_or_default();
    Ok(match code.trim() {
        "200" => Answer::Ok(body.to_owned()),
        "404" | "403" | "410" => Answer::NotFound,
        code => Answer::Failed(format!("the server answered {code}")),
    })
}

/// Downloads `url` to `part`, after what is there already, and goes on as long as each try brings it further.
pub fn resume(url: &str, part: &Utf8Path, any_scheme: bool) -> Result<()> {
    loop {
        let before = length(part);
        let told =
            curl(any_scheme).args(["--fail", "--continue-at", "-", "--output", part.as_str(), url]).output();
        let (status, stderr) = match told {
            Ok(_) => return Ok(()),
            Err(Error::CommandFailed { status, stderr, .. }) => (status, stderr),
            Err(err) => return Err(err),
        };
        match status.as_str() {
            // All of it is there already: nothing follows its last byte.
            "exit code 22" if before > 0 && stderr.contains("416") => return Ok(()),
            // The server cannot go on in the middle.
            "exit code 33" if before > 0 => fs::remove_file(part).map_err(Error::io("remove", part))?,
            "exit code 23" => return Err(Error::DiskFull { path: part.to_owned() }),
            _ if length(part) > before => tracing::info!(url, reason = stderr, "a download goes on"),
            _ => {
                return Err(Error::Invalid {
                    what: format!("the download {url}"),
                    why: format!("{stderr}; run it again, it goes on where it broke off"),
                });
            }
        }
    }
}

fn curl(any_scheme: bool) -> Command {
    let schemes = if any_scheme { "=http,https" } else { "=https" };
    Command::new("curl")
        .args(["--silent", "--show-error", "--location", "--connect-timeout", "10"])
        .args(["--proto", schemes, "--proto-redir", schemes])
        // A server that hangs in the middle must not hang the download: below 1 kB/s for 30 s is an end.
        .args(["--speed-limit", "1000", "--speed-time", "30"])
}

fn length(path: &Utf8Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
