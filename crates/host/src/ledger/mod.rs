//! What of this machine, outside of a cloud's data directory, is the cloud's: written down before it is made, so that
//! whatever ends the daemon, `destroy` finds it again without daemon and database, and touches nothing else.
//!
//! ```text
//!   + {"kind":"netns","name":"cumulet-n-3fa85f64-57"}      about to be made
//!   - {"kind":"netns","name":"cumulet-n-3fa85f64-57"}      gone again
//! ```

mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::process::file_error;

pub use sweep::{Swept, sweep};

/// In the order in which things are taken away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Thing {
    /// A virtual machine's process; its files are in the data directory.
    Machine { id: String },
    /// A load balancer's processes; their files are in the data directory.
    Balancer { id: String },
    /// A network namespace under /run/netns.
    Netns { name: String },
    /// A table in the host's own namespace.
    NftTable { family: String, name: String },
    /// A link in the host's own namespace.
    Link { name: String },
    /// A kernel module that was not loaded before.
    Module { name: String },
    /// A file, whole and ours.
    File { path: Utf8PathBuf },
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Thing::Machine { id } => write!(f, "the virtual machine {id}"),
            Thing::Balancer { id } => write!(f, "the load balancer {id}"),
            Thing::Netns { name } => write!(f, "the network namespace {name}"),
            Thing::NftTable { family, name } => write!(f, "the table {family} {name} of nftables"),
            Thing::Link { name } => write!(f, "the link {name}"),
            Thing::Module { name } => write!(f, "the kernel module {name}"),
            Thing::File { path } => write!(f, "the file {path}"),
        }
    }
}

/// Lines that say nothing any more are dropped when there are more of them than this.
const COMPACT_ABOVE: usize = 1000;

#[derive(Debug)]
pub struct Ledger {
    path: Utf8PathBuf,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    file: File,
    things: BTreeSet<Thing>,
}

impl Ledger {
    /// Made if it is missing. Only one process at a time may have it open: the one that holds the data directory's lock.
    pub fn open(path: &Utf8Path) -> Result<Self> {
        let (things, lines) = read(path)?;
        if lines > things.len() + COMPACT_ABOVE {
            rewrite(path, &things)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| file_error("opening", path, error))?;
        Ok(Self { path: path.to_owned(), book: Mutex::new(Book { file, things }) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Call it before the thing is made. It is in the file when this returns; what a power cut takes from the file, it
    /// takes from the kernel as well.
    pub fn note(&self, thing: Thing) -> Result<()> {
        let mut book = self.book();
        if book.things.contains(&thing) {
            return Ok(());
        }
        self.append(&mut book, '+', &thing)?;
        book.things.insert(thing);
        Ok(())
    }

    /// Call it after the thing is gone.
    pub fn forget(&self, thing: &Thing) -> Result<()> {
        let mut book = self.book();
        if book.things.remove(thing) {
            self.append(&mut book, '-', thing)?;
        }
        Ok(())
    }

    pub fn has(&self, thing: &Thing) -> bool {
        self.book().things.contains(thing)
    }

    pub fn things(&self) -> BTreeSet<Thing> {
        self.book().things.clone()
    }

    /// One write for one line: a kill leaves whole lines, a full disk at most half of the last one.
    fn append(&self, book: &mut Book, sign: char, thing: &Thing) -> Result<()> {
        let line = format!("{sign} {}\n", text(thing)?);
        book.file.write_all(line.as_bytes()).map_err(|error| file_error("writing", &self.path, error))
    }
}

fn text(thing: &Thing) -> Result<String> {
    serde_json::to_string(thing).map_err(|error| crate::Error::Refused(error.to_string()))
}

/// What stands in the file, and how many lines it has. A line that cannot be read was never finished, and so was the
/// thing never made.
fn read(path: &Utf8Path) -> Result<(BTreeSet<Thing>, usize)> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(file_error("reading", path, error)),
    };
    let mut things = BTreeSet::new();
    let mut lines = 0;
    for line in String::from_utf8_lossy(&bytes).lines() {
        lines += 1;
        let (sign, rest) = line.split_at(line.len().min(2));
        let Ok(thing) = serde_json::from_str::<Thing>(rest) else { continue };
        match sign {
            "+ " => drop(things.insert(thing)),
            "- " => drop(things.remove(&thing)),
            _ => {}
        }
    }
    // A half line must not swallow the next one.
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        rewrite(path, &things)?;
    }
    Ok((things, lines))
}

fn rewrite(path: &Utf8Path, things: &BTreeSet<Thing>) -> Result<()> {
    let mut whole = String::new();
    for thing in things {
        whole.push_str(&format!("+ {}\n", text(thing)?));
    }
    let part = path.with_extension("part");
    std::fs::write(&part, whole)
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|error| file_error("writing", path, error))
}
