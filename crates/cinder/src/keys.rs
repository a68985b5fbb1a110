//! Keys of encrypted volumes. They lie in the key manager, in the project of whoever made the volume; rows hold their ids.
//! A key is written, copied and deleted in the transaction that does so with its volume or backup: a copy of a volume has
//! a key of its own, which is the same, for it stands on the same layers. Snapshots are opened by their volume's.

use std::sync::Arc;

use async_trait::async_trait;
use barbican::Barbican;
use barbican::reading::Reader;
use base::{Ctx, Error, Result};
use db::{AnyConnection, Tx};
use host::Passphrase;

use crate::Cinder;
use crate::types::Encryption;
use crate::volumes::Volume;

pub struct Keys(Arc<Barbican>);

/// As terse as Cinder: what the key manager says is the operator's to read.
fn terse(error: Error) -> Error {
    if error.retryable() { error } else { Error::bad_request("Key manager error").because(error) }
}

impl Keys {
    pub fn new(barbican: Arc<Barbican>) -> Self {
        Keys(barbican)
    }

    pub async fn make(&self, tx: &mut Tx, ctx: &Ctx, encryption: &Encryption) -> Result<String> {
        let (algorithm, bits) = encryption.key()?;
        self.0.make_key(tx, ctx, algorithm, bits).await.map_err(terse)
    }

    /// Of a key that is this service's own.
    pub async fn copy(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<String> {
        self.0.copy_key(tx, ctx, Reader::Cloud, id).await.map_err(terse)
    }

    /// Of one that somebody else refers to: the caller must be allowed to read it.
    pub async fn copy_named(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<String> {
        self.0.copy_key(tx, ctx, Reader::User(ctx), id).await.map_err(terse)
    }

    /// Gone already is fine.
    pub async fn remove(&self, tx: &mut Tx, ctx: &Ctx, id: Option<&str>) -> Result<()> {
        match id {
            Some(id) => self.0.delete_key(tx, ctx, id).await,
            None => Ok(()),
        }
    }

    pub async fn are_same(&self, conn: &mut AnyConnection, one: &str, other: &str) -> Result<bool> {
        self.0.same_keys(conn, one, other).await.map_err(terse)
    }

    /// Refuses what could be begun and not be ended without the key.
    pub async fn check(&self, conn: &mut AnyConnection, id: Option<&str>) -> Result<()> {
        match id {
            Some(id) => self.0.payload_of(conn, Reader::Cloud, id).await.map(drop).map_err(terse),
            None => Ok(()),
        }
    }

    /// `whose`: in a refusal.
    pub async fn passphrase(&self, conn: &mut AnyConnection, id: &str, whose: &str) -> Result<Passphrase> {
        let key = self.0.payload_of(conn, Reader::Cloud, id).await.map_err(|error| {
            if error.retryable() {
                return error;
            }
            let text = format!("Key manager error: the encryption key {id} of {whose} cannot be had.");
            Error::conflict(text).because(error)
        })?;
        Ok(Passphrase::of_key(&key))
    }
}

#[async_trait]
impl glance::Keys for Cinder {
    async fn delete(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<()> {
        match self.keys.0.delete_named_key(tx, ctx, id).await {
            Err(error) if error.retryable() => Err(error),
            Err(error) => {
                tracing::warn!(key = id, %error, "an image's key could not be deleted");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Cinder {
    /// None: it is not encrypted.
    pub(crate) async fn key_of(&self, volume: &Volume) -> Result<Option<Passphrase>> {
        let Some(id) = &volume.key_id else { return Ok(None) };
        let whose = format!("volume {}", volume.id);
        Ok(Some(self.keys.passphrase(&mut *self.db.read().await?, id, &whose).await?))
    }
}
