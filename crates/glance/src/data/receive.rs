//! Streaming data to a file.
//!
//! MD5 (the API's `checksum`) and SHA-512 (`os_hash_value`) take longer than receiving: each runs at a few hundred MB/s.
//! So only small data is hashed on the way; what is larger is hashed afterwards, by [`super::hashing`].

use std::io::Write;
use std::time::Duration;

use base::{Error, Result};
use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use futures::{Stream, StreamExt};

use super::digests::Digests;
use super::files::told;

#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub size: i64,
    /// (MD5, SHA-512) of small data.
    pub digests: Option<(String, String)>,
}

/// Data up to this size is hashed and on disk when it has been received: some ten milliseconds.
pub const SMALL: i64 = 8 << 20;
/// Chunks on their way to the writing thread: enough to smooth, too few to hold much memory.
const DEPTH: usize = 32;
/// A peer that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(600);

/// `limit`: bytes; more is refused with 413.
pub async fn receive<E>(
    body: impl Stream<Item = std::result::Result<Bytes, E>>,
    path: &Utf8Path,
    limit: i64,
) -> Result<Received>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (chunks, rest) = tokio::sync::mpsc::channel::<Bytes>(DEPTH);
    let owned = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || write(&owned, rest, limit));
    let mut body = std::pin::pin!(body);
    let mut cut_off = None;
    loop {
        match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(None) => break,
            // A closed channel means that the writer failed: its own error is the one to tell.
            Ok(Some(Ok(chunk))) => {
                if chunks.send(chunk).await.is_err() {
                    break;
                }
            }
            Ok(Some(Err(e))) => {
                cut_off = Some(Error::bad_request("The data was cut off.").because(e));
                break;
            }
            Err(_) => {
                cut_off = Some(Error::bad_request("The sender of the data fell silent."));
                break;
            }
        }
    }
    drop(chunks);
    let received = writer.await.map_err(Error::internal)??;
    match cut_off {
        Some(error) => Err(error),
        None => Ok(received),
    }
}

fn write(path: &Utf8Path, mut chunks: tokio::sync::mpsc::Receiver<Bytes>, limit: i64) -> Result<Received> {
    let mut file = std::fs::File::create(path).map_err(|e| told("create", path, e))?;
    let mut size: i64 = 0;
    let mut digests = Some(Digests::default());
    while let Some(chunk) = chunks.blocking_recv() {
        size = size.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
        if size > limit {
            return Err(Error::too_large(format!(
                "The incoming image is too large: it exceeds the limit of {limit} bytes."
            )));
        }
        if size > SMALL {
            digests = None;
        }
        if let Some(digests) = &mut digests {
            digests.update(&chunk);
        }
        file.write_all(&chunk).map_err(|e| told("write", path, e))?;
    }
    if digests.is_some() {
        file.sync_data().map_err(|e| told("sync", path, e))?;
    }
    Ok(Received { size, digests: digests.map(Digests::finish) })
}

/// Moves a file, also to another file system; what the target name had before is replaced.
pub fn place(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
            copy(from, to)?;
            super::files::remove(from)
        }
        Err(e) => Err(told("move data to", to, e)),
    }
}

/// Copies a file so that the target name has all of it or none.
pub fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    let part = Utf8PathBuf::from(format!("{to}.part"));
    let copied = std::fs::copy(from, &part)
        .and_then(|_| std::fs::File::open(&part)?.sync_data())
        .and_then(|()| std::fs::rename(&part, to));
    copied.map_err(|e| {
        // Half a copy is of no use, and the disk may be full.
        let _ = std::fs::remove_file(&part);
        told("copy data to", to, e)
    })
}
