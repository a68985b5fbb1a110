//! Images whose data is encrypted name the key of it, and may say that the key goes with the image. Who holds such keys
//! is not known here.

use std::sync::Arc;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::Tx;

use crate::{Glance, Image};

const KEY: &str = "cinder_encryption_key_id";
const POLICY: &str = "cinder_encryption_key_deletion_policy";

#[async_trait]
pub trait Keys: Send + Sync + 'static {
    /// In the transaction that deletes the image. A key that is not there, or not the caller's to delete, is left alone.
    async fn delete(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<()>;
}

impl Glance {
    /// Told once, before anything is served.
    pub fn serve_keys(&self, keys: Arc<dyn Keys>) {
        // A second one is a mistake of the assembler's that changes nothing.
        let _ = self.keys.set(keys);
    }
}

/// The key that goes with this image.
pub fn of(image: &Image) -> Option<&str> {
    let goes = image.properties.get(POLICY).is_some_and(|policy| policy == "on_image_deletion");
    image.properties.get(KEY).filter(|_| goes).map(String::as_str)
}
