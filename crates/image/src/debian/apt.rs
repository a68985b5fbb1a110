//! What this machine's apt knows: the mirror, and how to get there.

use crate::Result;
use crate::process::{self, Command};

/// Overrides the archives: the address of a mirror, or a line of sources.list.
const MIRROR: &str = "CUMULET_DEBIAN_MIRROR";

/// Settings of the machine's apt that concern getting files, and so hold inside the new system's bootstrap too.
const CONCERNS: &[&str] = &["Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries"];

/// Lines of sources.list for `suite`: the release, its updates and its security fixes. Empty for mmdebstrap's own
/// choice, which is the public archive.
pub(super) fn sources(suite: &str) -> Result<Vec<String>> {
    if let Some(mirror) = std::env::var(MIRROR).ok().filter(|value| !value.is_empty()) {
        return Ok(vec![mirror]);
    }
    // Not Debian, or apt-get never updated: then there is nothing to learn from this machine.
    if process::find("apt-get").is_err() {
        return Ok(Vec::new());
    }
    let format = "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)";
    let listed = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Created-By: Packages"])
        .output()
        .unwrap_or_default();
    let found = choose(&listed, suite);
    tracing::debug!(suite, sources = ?found, "Debian archives");
    Ok(found)
}

/// The machine's archives of its own release, asked for another one.
fn choose(listed: &str, suite: &str) -> Vec<String> {
    let archives: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('|');
            let (origin, uri, codename, component) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (origin == "Debian" && component == "main").then(|| (uri.trim_end_matches('/'), codename))
        })
        .collect();
    let Some((release, _)) = archives.iter().find(|(_, codename)| !codename.contains(['-', '/'])) else {
        return Vec::new();
    };
    let mut sources =
        vec![format!("deb {release} {suite} main"), format!("deb {release} {suite}-updates main")];
    if let Some((security, _)) = archives.iter().find(|(_, codename)| codename.ends_with("-security")) {
        sources.push(format!("deb {security} {suite}-security main"));
    }
    sources
}

/// Options to pass on, as `Name "value"`.
pub(super) fn options() -> Vec<String> {
    if process::find("apt-config").is_err() {
        return Vec::new();
    }
    let dump = Command::new("apt-config").args(["dump", "--no-empty"]).output().unwrap_or_default();
    concerning(&dump)
}

fn concerning(dump: &str) -> Vec<String> {
    dump.lines()
        .filter(|line| CONCERNS.iter().any(|name| line.starts_with(name)))
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_of_the_machine_are_asked_for_the_suite() {
        let listed = "Debian|http://mirror/debian-security/|bookworm-security|main\n\
                      Other|http://other/|bookworm|main\n\
                      Debian|http://mirror/debian/|bookworm|contrib\n\
                      Debian Backports|http://mirror/debian/|bookworm-backports|main\n\
                      Debian|http://mirror/debian/|bookworm-updates|main\n\
                      Debian|http://mirror/debian/|bookworm|main\n";
        assert_eq!(
            choose(listed, "trixie"),
            [
                "deb http://mirror/debian trixie main",
                "deb http://mirror/debian trixie-updates main",
                "deb http://mirror/debian-security trixie-security main"
            ]
        );
        assert!(choose("Ubuntu|http://mirror/ubuntu/|noble|main\n", "trixie").is_empty());
        assert!(choose("", "trixie").is_empty());
    }

    #[test]
    fn settings_about_fetching_are_passed_on() {
        let dump = "APT \"\";\nAcquire::http::Proxy \"http://proxy:3128\";\nAcquire::Check-Valid-Until \"false\";\n\
                    Acquire::Languages \"none\";\nDPkg::Post-Invoke:: \"rm\";\n";
        assert_eq!(
            concerning(dump),
            ["Acquire::http::Proxy \"http://proxy:3128\"", "Acquire::Check-Valid-Until \"false\""]
        );
    }
}
