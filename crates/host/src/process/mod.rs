//! Other people's programs: what they may be, how they end.

mod cgroup;
mod confine;
mod running;
mod tool;

pub(crate) use cgroup::{Groups, memory_limit};
pub(crate) use confine::{Confinement, confine, is_root};
pub(crate) use running::Process;
pub(crate) use tool::{Output, run};

use std::io;

use camino::Utf8Path;

use crate::Error;

/// An I/O error with its operation and path; a full disk is told apart, for it has an own remedy.
pub(crate) fn file_error(operation: &'static str, path: &Utf8Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::DiskFull { path: path.to_owned() }
        }
        _ => Error::File { operation, path: path.to_owned(), source },
    }
}
