//! A whole cloud in one file: a tar of its data directory under zstd, with the checksum of every file at its end.
//!
//! ```text
//! cumulet.db        a consistent copy
//! images/.. vms/..  keys/.. and whatever else lies in the data directory
//! stores/<id>/..    images of stores that lie elsewhere
//! manifest.json     version, time, directory, and each file's size and SHA-256; without it an archive is cut off
//! ```
//!
//! Not in it: sockets, logs, backups of the database, what only concerns the process that runs.

mod read;
mod write;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use read::unpack;
pub use write::{Source, pack};

pub const MANIFEST: &str = "manifest.json";
/// Where images of outside stores are in the archive and, restored, in the data directory.
pub const STORES: &str = "stores";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the program that wrote it.
    pub cumulet: String,
    /// `2026-11-21T07:10:02Z`
    pub made_at: String,
    /// Where the cloud lived: rows name files of its machines by whole paths.
    pub data_dir: Utf8PathBuf,
    /// Image stores outside of it, ids and directories. They come back inside the new data directory.
    #[serde(default)]
    pub stores: Vec<(String, Utf8PathBuf)>,
    pub files: BTreeMap<String, File>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub size: u64,
    pub sha256: String,
}

/// Counts and hashes what goes through it.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    fn new(inner: T) -> Self {
        Hashing { inner, hash: Sha256::new(), size: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    fn finish(self) -> File {
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        File { size: self.size, sha256 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.take(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.take(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
