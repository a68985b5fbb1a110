//! What this machine's apt knows: the mirror, and how to get there.

use crate::Result;
use crate::process::{self, Command};

/// Overrides the mirror, for instance with a directory of a private one.
const MIRROR: &str = "CUMULET_DEBIAN_MIRROR";

/// Settings of the machine's apt that concern getting files, and so hold inside the new system's bootstrap too.
const CONCERNS: &[&str] = &["Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries"];

/// The mirror for `suite`, or `None` for mmdebstrap's own choice.
pub(super) fn mirror(suite: &str) -> Result<Option<String>> {
    if let Some(mirror) = std::env::var(MIRROR).ok().filter(|value| !value.is_empty()) {
        return Ok(Some(mirror));
    }
    // Not Debian, or apt-get never updated: then there is nothing to learn from this machine.
    if process::find("apt-get").is_err() {
        return Ok(None);
    }
    let format = "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)";
    let listed = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Created-By: Packages"])
        .output()
        .unwrap_or_default();
    let found = choose(&listed);
    tracing::debug!(suite, mirror = found.as_deref().unwrap_or("mmdebstrap's default"), "Debian mirror");
    Ok(found)
}

/// The archive of a Debian release's main packages, as against its security or backports archive.
fn choose(listed: &str) -> Option<String> {
    listed
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('|');
            Some((fields.next()?, fields.next()?, fields.next()?, fields.next()?))
        })
        .find(|(origin, _, codename, component)| {
            *origin == "Debian" && *component == "main" && !codename.contains('-') && !codename.contains('/')
        })
        .map(|(_, uri, _, _)| uri.trim_end_matches('/').to_owned())
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
    fn main_archive_is_chosen() {
        let listed = "Debian|http://mirror/debian-security/|bookworm-security|main\n\
                      Other|http://other/|bookworm|main\n\
                      Debian|http://mirror/debian/|bookworm|contrib\n\
                      Debian|http://mirror/debian/|bookworm-updates|main\n\
                      Debian|http://mirror/debian/|bookworm|main\n";
        assert_eq!(choose(listed).as_deref(), Some("http://mirror/debian"));
        assert_eq!(choose("Ubuntu|http://mirror/ubuntu/|noble|main\n"), None);
        assert_eq!(choose(""), None);
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
