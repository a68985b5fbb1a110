use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{Secret, rules};
use crate::{acls, consumers};

/// With its access list. Whether the caller may see it is asked of that.
pub async fn get(conn: &mut AnyConnection, id: &str) -> Result<Secret> {
    if !base::id::is_uuid(id) {
        return Err(rules::bad_id());
    }
    let secret: Option<Secret> =
        sql("SELECT * FROM secret WHERE id = $1 AND (expiration IS NULL OR expiration > $2)")
            .bind(id)
            .bind(base::time::now())
            .optional(conn)
            .await?;
    let mut secret = secret.ok_or_else(rules::not_found)?;
    secret.owned.acl = acls::store::find(conn, id).await?;
    Ok(secret)
}

/// A secret of the project's own, for what refers to it.
pub async fn is_there(conn: &mut AnyConnection, project: &str, id: &str) -> Result<bool> {
    let found = sql(
        "SELECT id FROM secret WHERE id = $1 AND project_id = $2 AND (expiration IS NULL OR expiration > $3)",
    )
    .bind(id)
    .bind(project)
    .bind(base::time::now())
    .exists(conn)
    .await?;
    Ok(found)
}

pub async fn insert(tx: &mut Tx, ctx: &Ctx, secret: &Secret, cipher: Option<String>) -> Result<()> {
    sql("INSERT INTO secret (id, project_id, creator_id, name, secret_type, algorithm, bit_length, mode, \
         expiration, content_type, payload, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(&secret.id)
    .bind(&secret.owned.project_id)
    .bind(&secret.owned.creator_id)
    .bind(secret.name.clone())
    .bind(&secret.secret_type)
    .bind(secret.algorithm.clone())
    .bind(secret.bit_length)
    .bind(secret.mode.clone())
    .bind(secret.expiration)
    .bind(secret.content_type.clone())
    .bind(cipher)
    .bind(secret.created_at)
    .bind(secret.updated_at)
    .run(tx)
    .await?;
    told(tx, ctx, "secret.create", secret).await
}

/// Once: a payload never changes.
pub async fn fill(tx: &mut Tx, ctx: &Ctx, secret: &Secret, cipher: String, content_type: &str) -> Result<()> {
    let filled = sql("UPDATE secret SET payload = $1, content_type = $2, updated_at = $3 \
         WHERE id = $4 AND payload IS NULL")
    .bind(cipher)
    .bind(content_type)
    .bind(base::time::now())
    .bind(&secret.id)
    .run(tx)
    .await?;
    if filled == 0 {
        return Err(Error::conflict("Secret already has data, cannot modify it."));
    }
    told(tx, ctx, "secret.update", secret).await
}

/// Encrypted.
pub async fn payload(conn: &mut AnyConnection, id: &str) -> Result<Option<String>> {
    Ok(sql("SELECT payload FROM secret WHERE id = $1 AND payload IS NOT NULL")
        .bind(id)
        .optional(conn)
        .await?)
}

/// With everything that hangs on it.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, secret: &Secret) -> Result<()> {
    acls::store::remove(tx, &secret.id).await?;
    consumers::store::remove_all(tx, &secret.id).await?;
    sql("DELETE FROM secret WHERE id = $1").bind(&secret.id).run(tx).await?;
    told(tx, ctx, "secret.delete", secret).await
}

async fn told(tx: &mut Tx, ctx: &Ctx, kind: &'static str, secret: &Secret) -> Result<()> {
    Ok(tx.event(Event::new("key-manager", kind, &secret.id, &secret.owned.project_id, ctx)).await?)
}
