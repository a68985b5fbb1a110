//! Rows of key pairs.

use base::{Ctx, Error, Result};
use db::{Conn, Db, Event, FromRow, Row, sql};

use super::Keypair;

impl FromRow for Keypair {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Keypair {
            user_id: row.text("user_id")?,
            name: row.text("name")?,
            number: row.int("number")?,
            kind: row.text("type")?,
            fingerprint: row.text("fingerprint")?,
            public_key: row.text("public_key")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub(crate) fn not_found(user: &str, name: &str) -> Error {
    Error::not_found(format!("Keypair {name} not found for user {user}"))
}

pub(crate) async fn get(conn: &mut Conn, user: &str, name: &str) -> Result<Option<Keypair>> {
    Ok(sql("SELECT user_id, name, number, type, fingerprint, public_key, created_at FROM keypairs \
            WHERE user_id = $1 AND name = $2")
    .bind(user)
    .bind(name)
    .optional(conn)
    .await?)
}

pub(super) async fn list(conn: &mut Conn, user: &str) -> Result<Vec<Keypair>> {
    Ok(sql("SELECT user_id, name, number, type, fingerprint, public_key, created_at FROM keypairs \
            WHERE user_id = $1 ORDER BY name")
    .bind(user)
    .rows(conn)
    .await?)
}

/// `limit` is how many the user may have (-1: any number).
pub(super) async fn create(db: &Db, ctx: &Ctx, keypair: &Keypair, limit: i64) -> Result<()> {
    db::write!(db, |tx| {
        let Keypair { user_id, name, .. } = keypair;
        let count =
            sql("SELECT COUNT(*) FROM keypairs WHERE user_id = $1").bind(&**user_id).number(tx).await?;
        if limit >= 0 && count >= limit {
            return Err(Error::forbidden("Quota exceeded, too many key pairs."));
        }
        let exists = sql("SELECT 1 FROM keypairs WHERE user_id = $1 AND name = $2")
            .bind(&**user_id)
            .bind(&**name)
            .exists(tx)
            .await?;
        if exists {
            return Err(Error::conflict(format!("Key pair '{name}' already exists.")));
        }
        sql("INSERT INTO keypairs (user_id, name, number, type, fingerprint, public_key, created_at) \
             SELECT $1, $2, COALESCE(MAX(number), 0) + 1, $3, $4, $5, $6 FROM keypairs")
        .bind(&**user_id)
        .bind(&**name)
        .bind(&*keypair.kind)
        .bind(&*keypair.fingerprint)
        .bind(&*keypair.public_key)
        .bind(keypair.created_at)
        .run(tx)
        .await?;
        tx.event(Event::new("nova", "keypair.create", name, "", ctx)).await?;
        Ok(())
    })
}

pub(super) async fn delete(db: &Db, ctx: &Ctx, user: &str, name: &str) -> Result<()> {
    db::write!(db, |tx| {
        let gone = sql("DELETE FROM keypairs WHERE user_id = $1 AND name = $2")
            .bind(user)
            .bind(name)
            .run(tx)
            .await?;
        if gone == 0 {
            return Err(not_found(user, name));
        }
        tx.event(Event::new("nova", "keypair.delete", name, "", ctx)).await?;
        Ok(())
    })
}
