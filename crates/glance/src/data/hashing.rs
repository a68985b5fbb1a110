//! Hashing large data after its image is active.
//!
//! The row says what is to do: active, with an algorithm and without a digest. A crash in between is only one more start;
//! data that did not survive it (its size is not what was received) is given up, and its image waits for data again.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use camino::Utf8Path;
use md5::Md5;
use reconcile::{Failure, Outcome, Reconciler};
use sha2::{Digest, Sha512};

use super::digests::hex;
use super::files::told;
use crate::Glance;
use crate::images::store;

pub struct Hashing(pub Arc<Glance>);

#[async_trait]
impl Reconciler for Hashing {
    fn name(&self) -> &'static str {
        "glance.hashing"
    }

    async fn reconcile(&self, id: &str) -> std::result::Result<Outcome, Failure> {
        let glance = &self.0;
        let image = store::get(&mut *glance.db.read().await?, id).await?;
        let Some(image) = image.filter(|i| i.is_unhashed()) else { return Ok(Outcome::Done) };
        let path = glance.files.locate(&image);
        let expected = image.size.and_then(|n| u64::try_from(n).ok());
        let ctx = Ctx::internal("hashing");
        if std::fs::metadata(&path).ok().map(|m| m.len()) != expected {
            tracing::error!(image = id, file = %path, "the data did not survive; the image waits for data again");
            store::edit(&glance.db, &ctx, "image.lost", id, |image| {
                image.requeue();
                Ok(())
            })
            .await?;
            glance.files.remove(id)?;
            return Ok(Outcome::Done);
        }
        let (md5, sha512) = tokio::task::spawn_blocking(move || both(&path)).await??;
        store::set_digests(&glance.db, &ctx, id, &md5, &sha512).await?;
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        Ok(store::unhashed(&self.0.db).await?)
    }
}

/// The digests of a file that is then on disk: whoever sees them sees an image that a power cut does not take.
fn both(path: &Utf8Path) -> Result<(String, String)> {
    let (md5, sha512) = std::thread::scope(|scope| {
        let md5 = scope.spawn(|| digest::<Md5>(path));
        let sha512 = scope.spawn(|| digest::<Sha512>(path));
        (md5.join(), sha512.join())
    });
    let failed = |_| Error::internal(format!("hashing {path} failed"));
    let digests = (md5.map_err(failed)??, sha512.map_err(failed)??);
    File::open(path).and_then(|f| f.sync_data()).map_err(|e| told("sync", path, e))?;
    Ok(digests)
}

fn digest<D: Digest>(path: &Utf8Path) -> Result<String> {
    // Requests go first. Where niceness is not to be had, hashing is only less polite.
    let _ = rustix::process::setpriority_process(None, 10);
    let mut file = File::open(path).map_err(|e| told("open", path, e))?;
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|e| told("read", path, e))? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}
