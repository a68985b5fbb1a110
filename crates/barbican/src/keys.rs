//! Keys that services make, copy and delete in a transaction of their own: of encrypted volumes. They are secrets of the
//! project like any other.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Tx};
use rand::Rng;
use serde_json::json;

use crate::access::{Need, Owned, check};
use crate::orders::rules::Wanted;
use crate::reading::Reader;
use crate::secrets::Secret;
use crate::{Barbican, orders, quotas, refs, secrets};

impl Barbican {
    /// A random one, as an order of a key makes it; the secret's id.
    pub async fn make_key(&self, tx: &mut Tx, ctx: &Ctx, algorithm: &str, bits: i64) -> Result<String> {
        let meta = json!({"algorithm": algorithm, "bit_length": bits});
        let project = ctx.require_project()?;
        let (_, wanted) = orders::rules::new(ctx, project, &json!({"type": "key", "meta": meta}))?;
        let Wanted::Key { secret, bytes } = wanted else {
            return Err(Error::internal("an order of a key is for something else"));
        };
        let mut key = vec![0; bytes];
        rand::rng().fill_bytes(&mut key);
        self.keep(tx, ctx, &secret, &key).await
    }

    /// The same key once more, in the caller's project: each of the two is deleted by itself.
    pub async fn copy_key(&self, tx: &mut Tx, ctx: &Ctx, reader: Reader<'_>, id: &str) -> Result<String> {
        let key = self.payload_of(tx, reader, id).await?;
        let now = base::time::now();
        let project_id = ctx.require_project()?.to_owned();
        let copy = Secret {
            id: base::id::uuid(),
            owned: Owned { project_id, creator_id: ctx.user_id().into(), acl: None },
            expiration: None,
            created_at: now,
            updated_at: now,
            ..secrets::store::get(tx, refs::id(id)).await?
        };
        self.keep(tx, ctx, &copy, &key).await
    }

    async fn keep(&self, tx: &mut Tx, ctx: &Ctx, secret: &Secret, key: &[u8]) -> Result<String> {
        let project = &secret.owned.project_id;
        quotas::store::check(tx, project, "secrets", "Secret creation").await?;
        let cipher = self.vault.encrypt(tx, project, key).await?;
        secrets::store::insert(tx, ctx, secret, Some(cipher)).await?;
        Ok(secret.id.clone())
    }

    /// Gone already is fine. Whoever asks has been allowed to delete what the key is for.
    pub async fn delete_key(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<()> {
        match secrets::store::get(tx, refs::id(id)).await {
            Ok(secret) => secrets::store::delete(tx, ctx, &secret).await,
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The same of one that the caller names himself.
    pub async fn delete_named_key(&self, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<()> {
        let secret = secrets::store::get(tx, refs::id(id)).await?;
        check(ctx, &secret.owned, Need::Change, "Secret deletion")?;
        secrets::store::delete(tx, ctx, &secret).await
    }

    /// Both open the same.
    pub async fn same_keys(&self, conn: &mut AnyConnection, one: &str, other: &str) -> Result<bool> {
        let first = self.payload_of(conn, Reader::Cloud, one).await?;
        Ok(first == self.payload_of(conn, Reader::Cloud, other).await?)
    }
}
