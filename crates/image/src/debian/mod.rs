//! A Debian root file system from packages, by mmdebstrap.
//!
//! The mirror is the machine's own: `CUMULET_DEBIAN_MIRROR` when set, else the archives that this machine's apt
//! takes Debian packages and security fixes from, else mmdebstrap's default. A machine behind a proxy or a private mirror needs no
//! further setting: apt's own configuration of the machine holds for the new system too.

mod apt;

use camino::Utf8Path;

use crate::process::{self, Command};
use crate::{Error, Key, Result};

/// Which packages come along without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Essential packages and apt, configured: a system to boot.
    Minimal,
    /// Only what is named, with its dependencies, unpacked and not configured: a box of parts to pick files from.
    Extract,
}

/// When a [`Hook`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The root is empty but for apt's configuration.
    Setup,
    /// Essential packages are installed, the others not yet.
    Essential,
    /// All packages are installed.
    Customize,
}

/// A step of one's own: a shell command with the root's path as `$1`, or one of mmdebstrap's own (`copy-in`,
/// `upload`, `chroot`, ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub when: When,
    pub command: String,
}

/// What to install.
#[derive(Debug, Clone)]
pub struct Bootstrap<'a> {
    /// `trixie`.
    pub suite: &'a str,
    pub variant: Variant,
    pub packages: &'a [&'a str],
    /// Paths (patterns of dpkg) that are not unpacked: documentation, translations.
    pub exclude: &'a [&'a str],
    pub hooks: &'a [Hook],
}

impl Bootstrap<'_> {
    /// All that decides what comes out, for a cache key. The mirror is not in it: two mirrors of one suite give
    /// the same.
    #[must_use]
    pub fn key(&self) -> Key {
        let mut key =
            Key::new("debian/2").with("suite", self.suite).with("variant", format!("{:?}", self.variant));
        for package in self.packages {
            key = key.with("package", package);
        }
        for path in self.exclude {
            key = key.with("exclude", path);
        }
        for hook in self.hooks {
            key = key.with(&format!("{:?}", hook.when), &hook.command);
        }
        key
    }
}

/// Installs into `out`: a tar when it ends with `.tar`, else a directory.
///
/// # Errors
/// No root, mmdebstrap is not installed, or it failed.
pub fn bootstrap(plan: &Bootstrap<'_>, out: &Utf8Path) -> Result<()> {
    process::require(&["mmdebstrap", "tar"])?;
    process::require_root("installing Debian packages into an image")?;
    // Unpacked beside the result: on the disk that was meant for it, and swept with it after a kill. Apart, because
    // mmdebstrap hangs up on its process group when it fails.
    let beside = out.parent().filter(|dir| !dir.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let run =
        command(plan, out, &apt::sources(plan.suite)?, &apt::options()).env("TMPDIR", beside).apart().run();
    run.map_err(|err| match err {
        Error::DiskFull { .. } => Error::DiskFull { path: beside.to_owned() },
        other => other,
    })
}

fn command(plan: &Bootstrap<'_>, out: &Utf8Path, sources: &[String], aptopts: &[String]) -> Command {
    let mut command = Command::new("mmdebstrap").arg("--mode=root");
    command = match plan.variant {
        Variant::Minimal => command.arg("--variant=minbase"),
        Variant::Extract => command.arg("--variant=extract"),
    };
    if !plan.packages.is_empty() {
        command = command.arg(format!("--include={}", plan.packages.join(",")));
    }
    for path in plan.exclude {
        command = command.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    for option in aptopts {
        command = command.arg(format!("--aptopt={option}"));
    }
    for hook in plan.hooks {
        let name = match hook.when {
            When::Setup => "setup",
            When::Essential => "essential",
            When::Customize => "customize",
        };
        command = command.arg(format!("--{name}-hook={}", hook.command));
    }
    command.arg(plan.suite).arg(out.as_str()).args(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan<'a>(hooks: &'a [Hook]) -> Bootstrap<'a> {
        Bootstrap {
            suite: "trixie",
            variant: Variant::Minimal,
            packages: &["linux-image-cloud-amd64", "cloud-init"],
            exclude: &["/usr/share/doc/*"],
            hooks,
        }
    }

    #[test]
    fn command_line() {
        let hooks = [Hook { when: When::Customize, command: "touch \"$1/x\"".into() }];
        let sources = ["deb http://mirror/debian trixie main".to_owned()];
        let aptopts = ["Acquire::Retries \"3\"".to_owned()];
        let shown = command(&plan(&hooks), Utf8Path::new("/out.tar"), &sources, &aptopts).to_string();
        assert_eq!(
            shown,
            "mmdebstrap --mode=root --variant=minbase --include=linux-image-cloud-amd64,cloud-init \
             '--dpkgopt=path-exclude=/usr/share/doc/*' '--aptopt=Acquire::Retries \"3\"' \
             '--customize-hook=touch \"$1/x\"' trixie /out.tar 'deb http://mirror/debian trixie main'"
        );
    }

    #[test]
    fn key_changes_with_what_is_installed() {
        let one = plan(&[]).key().hex();
        let hooks = [Hook { when: When::Setup, command: "true".into() }];
        assert_ne!(one, plan(&hooks).key().hex());
        assert_ne!(one, Bootstrap { suite: "bookworm", ..plan(&[]) }.key().hex());
    }
}
