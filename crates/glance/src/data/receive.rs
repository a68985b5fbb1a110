//! Streaming an upload to disk while it is hashed.
//!
//! MD5 (the API's `checksum`) and SHA-512 (`os_hash_value`) each run at a few hundred MB/s on a core, so each has a
//! thread of its own beside the one that writes.

use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

use base::{Error, Result};
use bytes::Bytes;
use camino::Utf8Path;
use futures::{Stream, StreamExt};
use md5::Md5;
use sha2::{Digest, Sha512};

use super::files::told;

#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub size: i64,
    pub md5: String,
    pub sha512: String,
}

/// Chunks on their way to one thread: enough to smooth, too few to hold much memory.
const DEPTH: usize = 16;

pub async fn receive<E>(
    body: impl Stream<Item = std::result::Result<Bytes, E>>,
    path: &Utf8Path,
) -> Result<Received>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (md5, md5_done) = digest::<Md5>();
    let (sha512, sha512_done) = digest::<Sha512>();
    let (chunks, mut rest) = tokio::sync::mpsc::channel::<Bytes>(DEPTH);
    let path = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || -> Result<i64> {
        let mut file = std::fs::File::create(&path).map_err(|e| told("create", &path, e))?;
        let mut size = 0;
        while let Some(chunk) = rest.blocking_recv() {
            // The hashing threads only end after these senders are dropped.
            let _ = (md5.send(chunk.clone()), sha512.send(chunk.clone()));
            file.write_all(&chunk).map_err(|e| told("write", &path, e))?;
            size += chunk.len() as i64;
        }
        file.sync_data().map_err(|e| told("sync", &path, e))?;
        Ok(size)
    });
    let mut body = std::pin::pin!(body);
    let mut cut_off = None;
    while let Some(chunk) = body.next().await {
        match chunk {
            // A closed channel means that the writer failed: its own error is the one to tell.
            Ok(chunk) => {
                if chunks.send(chunk).await.is_err() {
                    break;
                }
            }
            Err(e) => {
                cut_off = Some(Error::bad_request("The upload was cut off.").because(e));
                break;
            }
        }
    }
    drop(chunks);
    let size = writer.await.map_err(Error::internal)??;
    if let Some(error) = cut_off {
        return Err(error);
    }
    Ok(Received {
        size,
        md5: md5_done.await.map_err(Error::internal)?,
        sha512: sha512_done.await.map_err(Error::internal)?,
    })
}

fn digest<D: Digest>() -> (SyncSender<Bytes>, tokio::task::JoinHandle<String>) {
    let (send, receive) = sync_channel::<Bytes>(DEPTH);
    let done = tokio::task::spawn_blocking(move || {
        let mut digest = D::new();
        for chunk in receive {
            digest.update(&chunk);
        }
        digest.finalize().iter().map(|b| format!("{b:02x}")).collect()
    });
    (send, done)
}
