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
use crate::images::{Image, store};

pub struct Hashing(pub Arc<Glance>);

#[async_trait]
impl Reconciler for Hashing {
    fn name(&self) -> &'static str {
        "glance.hashing"
    }

    async fn reconcile(&self, id: &str) -> std::result::Result<Outcome, Failure> {
        if let Some(image) = self.unhashed(id).await? {
            self.hash(&image).await?;
        }
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> std::result::Result<Vec<String>, Failure> {
        Ok(store::unhashed(&self.0.db).await?)
    }
}

impl Hashing {
    async fn unhashed(&self, id: &str) -> Result<Option<Image>> {
        let image = store::get(&mut *self.0.db.read().await?, id).await?;
        Ok(image.filter(Image::is_unhashed))
    }

    async fn hash(&self, image: &Image) -> Result<()> {
        match self.digests(image).await {
            // Its data goes with the image, at any moment of this.
            Err(error) if self.unhashed(&image.id).await?.is_none() => {
                tracing::debug!(image = image.id, %error, "the image went while it was hashed");
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn digests(&self, image: &Image) -> Result<()> {
        let (glance, id) = (&self.0, image.id.as_str());
        let path = glance.files.locate(image);
        let expected = image.size.and_then(|n| u64::try_from(n).ok());
        let ctx = Ctx::internal("hashing");
        if std::fs::metadata(&path).ok().map(|m| m.len()) != expected {
            store::edit(&glance.db, &ctx, "image.lost", id, |image| {
                image.requeue();
                Ok(())
            })
            .await?;
            tracing::error!(image = id, file = %path, "the data did not survive; the image waits for data again");
            return glance.files.remove(id);
        }
        let hashed = tokio::task::spawn_blocking(move || both(&path)).await;
        let (md5, sha512) = hashed.map_err(Error::internal)??;
        store::set_digests(&glance.db, &ctx, id, &md5, &sha512).await?;
        Ok(())
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

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use serde_json::json;

    use super::*;
    use crate::images::{Status, rules};

    /// An image that is active and not hashed, with its file.
    async fn large() -> (tempfile::TempDir, Hashing, Image) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let db = db::Db::open_file(&path.join("c.db")).await.unwrap();
        db.migrate(&[crate::MIGRATIONS]).await.unwrap();
        let glance = Glance::new(Arc::new(db), path.join("images")).await.unwrap();
        let ctx = Ctx::internal("test");
        let mut image = rules::new_image(&ctx, &json!({"disk_format": "raw"})).unwrap();
        image.status = Status::Active;
        image.size = Some(4);
        image.stores = vec!["file".into()];
        image.hash_algo = Some("sha512".into());
        store::create(&glance.db, &ctx, &image).await.unwrap();
        std::fs::write(glance.files.locate(&image), "data").unwrap();
        (dir, Hashing(glance), image)
    }

    #[tokio::test]
    async fn an_image_that_goes_while_it_is_hashed_is_no_failure() {
        let (_dir, hashing, image) = large().await;
        let glance = hashing.0.clone();
        store::delete(&glance.db, None, &Ctx::internal("test"), &image).await.unwrap();
        // The row goes before the file, so each may be seen without the other.
        hashing.hash(&image).await.unwrap();
        glance.files.remove(&image.id).unwrap();
        hashing.hash(&image).await.unwrap();
        assert!(matches!(hashing.reconcile(&image.id).await, Ok(Outcome::Done)));
    }

    #[tokio::test]
    async fn what_is_hashed_is_told_and_what_is_lost_is_queued_again() {
        let (_dir, hashing, image) = large().await;
        hashing.hash(&image).await.unwrap();
        let now = async |hashing: &Hashing| {
            store::get(&mut hashing.0.db.read().await.unwrap(), &image.id).await.unwrap().unwrap()
        };
        assert_eq!(now(&hashing).await.checksum.unwrap(), hex(&Md5::digest("data")));
        std::fs::write(hashing.0.files.locate(&image), "da").unwrap();
        hashing.hash(&image).await.unwrap();
        assert_eq!(now(&hashing).await.status, Status::Queued);
    }
}
