//! Kubernetes' official release binaries, each checked against the checksum published beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use super::product::KUBERNETES;
use super::version::KubernetesVersion;
use crate::cache::sha256_file;
use crate::process::Command;
use crate::{Error, Result};

/// Overrides where releases are downloaded from, for instance with a mirror inside a company.
pub const SERVER_VARIABLE: &str = "CUMULET_KUBERNETES_RELEASES";
const SERVER: &str = "https://dl.k8s.io/release";

/// Where releases are: `$CUMULET_KUBERNETES_RELEASES` or Kubernetes' own server.
#[must_use]
pub fn server() -> String {
    let set = std::env::var(SERVER_VARIABLE).ok().filter(|value| !value.is_empty());
    set.unwrap_or_else(|| SERVER.to_owned()).trim_end_matches('/').to_owned()
}

/// What came of a try to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    Done,
    /// The server answers, and has no such release.
    NoSuchRelease,
    /// It cannot be reached from here, or not by the programs that are installed.
    Unreachable(String),
}

/// Downloads all programs of a release into the directory `out`.
///
/// # Errors
/// A download breaks off, or does not match its checksum; both leave nothing that could be taken for the whole.
pub fn download(server: &str, version: KubernetesVersion, out: &Utf8Path) -> Result<Download> {
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    for program in KUBERNETES.programs {
        let url = format!("{server}/{version}/bin/linux/amd64/{}", program.name);
        let path = out.join(program.name);
        let sum = out.join(format!("{}.sha256", program.name));
        // The small file goes first: it tells whether there is a server, and such a release, at once.
        match get(&format!("{url}.sha256"), &sum)? {
            Answer::Ok => {}
            Answer::NotFound => return Ok(Download::NoSuchRelease),
            Answer::Failed(why) if program.name == KUBERNETES.programs[0].name => {
                return Ok(Download::Unreachable(why));
            }
            Answer::Failed(why) => return Err(broken(&url, &why)),
        }
        match get(&url, &path)? {
            Answer::Ok => {}
            Answer::NotFound => return Ok(Download::NoSuchRelease),
            Answer::Failed(why) => return Err(broken(&url, &why)),
        }
        verify(&url, &path, &sum)?;
        fs::remove_file(&sum).map_err(Error::io("remove", &sum))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .map_err(Error::io("make executable", &path))?;
    }
    Ok(Download::Done)
}

fn verify(url: &str, path: &Utf8Path, sum: &Utf8Path) -> Result<()> {
    let text = fs::read_to_string(sum).map_err(Error::io("read", sum))?;
    let wanted = text.split_whitespace().next().unwrap_or_default();
    let found = sha256_file(path)?;
    if wanted.eq_ignore_ascii_case(&found) {
        return Ok(());
    }
    fs::remove_file(path).map_err(Error::io("remove", path))?;
    Err(Error::Invalid {
        what: format!("the download {url}"),
        why: format!(
            "its checksum is {found}, while {wanted} is published; run it again, or set {SERVER_VARIABLE} to another server"
        ),
    })
}

fn broken(url: &str, why: &str) -> Error {
    Error::Invalid { what: format!("the download {url}"), why: format!("{why}; run it again") }
}

enum Answer {
    Ok,
    NotFound,
    Failed(String),
}

fn get(url: &str, path: &Utf8Path) -> Result<Answer> {
    let told = Command::new("curl")
        .args(["--silent", "--show-error", "--location", "--connect-timeout", "5"])
        // A server that hangs in the middle must not hang the build: below 1 kB/s for 30 s is an end.
        .args(["--speed-limit", "1000", "--speed-time", "30", "--write-out", "%{http_code}", "--output"])
        .args([path.as_str(), url])
        .output();
    let answer = match told {
        Ok(code) => match code.trim() {
            "200" => Answer::Ok,
            // The official server sits on an object store, which says 403 to what is not there.
            "404" | "403" => Answer::NotFound,
            code => Answer::Failed(format!("the server answered {code}")),
        },
        Err(Error::CommandFailed { stderr, .. }) => Answer::Failed(stderr),
        Err(err @ Error::MissingProgram { .. }) => Answer::Failed(err.to_string()),
        Err(err) => return Err(err),
    };
    Ok(answer)
}

#[cfg(test)]
mod tests;
