//! What can go wrong while an image is built, each said so that the reader can do something about it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(
        "the program `{program}` is not installed; install the Debian package {package} (apt-get install {package})"
    )]
    MissingProgram { program: String, package: String },

    #[error("`{command}` failed ({status}){}", said(.stderr))]
    CommandFailed {
        command: String,
        /// `exit code 1` or `signal 9`.
        status: String,
        /// The last lines it wrote to its standard error, or output when that was empty.
        stderr: String,
    },

    #[error("{what} {wanted} is not to be had: {why}")]
    VersionNotAvailable { what: String, wanted: String, why: String },

    #[error(
        "no space left on the disk of {path}; free some space or point CUMULET_CACHE to a larger disk, then run it again"
    )]
    DiskFull { path: Utf8PathBuf },

    #[error("{what} needs root; run it again as root (sudo)")]
    NeedsRoot { what: String },

    /// A file that a package or an earlier step should have made is not there.
    #[error("{path} was expected {}, but is not there", .from)]
    Missing { path: Utf8PathBuf, from: String },

    #[error("cannot {action} {path}")]
    Io {
        action: &'static str,
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("{what} is not usable: {why}")]
    Invalid { what: String, why: String },
}

impl Error {
    /// Wraps an IO error with what was being done to which file; a full disk becomes [`Error::DiskFull`].
    pub fn io(action: &'static str, path: impl AsRef<Utf8Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
            _ => Error::Io { action, path, source },
        }
    }
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it said:\n{stderr}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_apart() {
        let err = Error::io("write", "/var/x")(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(err, Error::DiskFull { .. }));
        assert_eq!(
            err.to_string(),
            "no space left on the disk of /var/x; free some space or point CUMULET_CACHE to a larger disk, then run it again"
        );
        let err = Error::io("read", "/var/x")(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(err.to_string(), "cannot read /var/x");
    }

    #[test]
    fn failed_command_shows_its_last_words() {
        let mut err = Error::CommandFailed {
            command: "mke2fs -q x".into(),
            status: "exit code 1".into(),
            stderr: "no such device".into(),
        };
        assert_eq!(err.to_string(), "`mke2fs -q x` failed (exit code 1); it said:\nno such device");
        if let Error::CommandFailed { stderr, .. } = &mut err {
            stderr.clear();
        }
        assert_eq!(err.to_string(), "`mke2fs -q x` failed (exit code 1)");
    }
}
