//! Suspension: the state of a machine goes to a file, and the next process goes on from it.
//!
//! QEMU may open no file by itself, and newer ones refuse plain files as a migration's target; so the state travels
//! through a socket pair, and this process writes and reads the file. If that is cut off, the machine is still there:
//! a file that is not whole has another name.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use camino::Utf8Path;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::machine::Machine;
use crate::files::remove;
use crate::process::file_error;
use crate::{Error, Result};

/// Memory of many GiB over a slow disk.
const LIMIT: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(10);

impl Machine {
    /// The file is whole afterwards and the machine stands still.
    pub(super) async fn save(&self) -> Result<()> {
        let path = self.files.memory();
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let status = monitor.execute("query-status", Value::Null).await?;
        if status["status"] == "postmigrate" && path.exists() {
            // Saved by a call that was cut off before it ended the process.
            return Ok(());
        }
        let part = path.with_extension("part");
        // What a call that was cut off left in QEMU.
        drop(monitor.execute("migrate_cancel", Value::Null).await);
        monitor.execute("stop", Value::Null).await?;
        let (ours, theirs) = pair()?;
        let writer = receive(ours, &part)?;
        let done = async {
            monitor.execute_with_files("getfd", json!({"fdname": "state"}), vec![theirs]).await?;
            let fast = json!({"max-bandwidth": u64::from(u32::MAX) << 4});
            monitor.execute("migrate-set-parameters", fast).await?;
            monitor.execute("migrate", json!({"uri": "fd:state"})).await?;
            let end = Instant::now() + LIMIT;
            loop {
                let progress = monitor.execute("query-migrate", Value::Null).await?;
                match progress["status"].as_str().unwrap_or_default() {
                    "completed" => return Ok(()),
                    "failed" | "cancelled" => {
                        let why = progress["error-desc"].as_str().unwrap_or("it did not say why");
                        return Err(Error::Monitor(format!("QEMU could not save the machine: {why}")));
                    }
                    _ if Instant::now() > end => {
                        return Err(Error::Monitor(format!("the machine was not saved within {LIMIT:?}")));
                    }
                    _ => sleep(LOOK).await,
                }
            }
        };
        let saved = async {
            done.await?;
            writer.await.map_err(|error| Error::Monitor(error.to_string()))??;
            std::fs::rename(&part, &path).map_err(|error| file_error("renaming", &part, error))
        };
        let saved = saved.await;
        if saved.is_err() {
            // The machine goes on as if nothing had been asked.
            drop(monitor.execute("migrate_cancel", Value::Null).await);
            drop(monitor.execute("cont", Value::Null).await);
            remove(&part)?;
        }
        saved
    }

    /// After a start from a saved state: waits for it to be read, lets the machine run, and forgets the file.
    pub(super) async fn wake_up(&self) -> Result<()> {
        let monitor = self.monitor(super::GREETING_LIMIT).await?;
        let end = Instant::now() + LIMIT;
        while monitor.execute("query-status", Value::Null).await?["status"] == "inmigrate" {
            if Instant::now() > end {
                return Err(Error::Monitor(format!("the machine's state was not read within {LIMIT:?}")));
            }
            sleep(LOOK).await;
        }
        monitor.execute("cont", Value::Null).await?;
        remove(&self.files.memory())
    }
}

/// (ours, QEMU's)
fn pair() -> Result<(UnixStream, OwnedFd)> {
    let made = || {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((UnixStream::from_std(ours)?, theirs.into()))
    };
    made().map_err(|error: std::io::Error| {
        Error::Monitor(format!("no socket for the machine's state: {error}"))
    })
}

fn receive(mut from: UnixStream, path: &Utf8Path) -> Result<JoinHandle<Result<()>>> {
    let failed = |path: &Utf8Path, error| file_error("writing the machine's state to", path, error);
    let file = std::fs::File::create(path).map_err(|error| failed(path, error))?;
    let (mut file, path) = (tokio::fs::File::from_std(file), path.to_owned());
    Ok(tokio::spawn(async move {
        tokio::io::copy(&mut from, &mut file).await.map_err(|error| failed(&path, error))?;
        file.sync_data().await.map_err(|error| failed(&path, error))
    }))
}

/// Feeds a saved state to the process that gets the answer's socket. It ends by itself when that process does.
pub(super) fn send(path: &Utf8Path) -> Result<OwnedFd> {
    let failed = |error| file_error("reading the machine's state from", path, error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let (mut ours, theirs) = pair()?;
    tokio::spawn(async move {
        let mut file = tokio::fs::File::from_std(file);
        let sent = tokio::io::copy(&mut file, &mut ours).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "a machine's state could not be read to its end");
        }
        drop(ours.shutdown().await);
    });
    Ok(theirs)
}
