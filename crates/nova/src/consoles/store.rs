//! Rows of tokens, by hash.

use base::Result;
use db::{AnyConnection, Db, FromRow, Row, sql};
use sha2::{Digest as _, Sha256};

use super::Kind;

/// Whom a token lets in where.
pub(super) struct Grant {
    pub server_id: String,
    pub kind: Kind,
}

impl FromRow for Grant {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        // Words are written below only.
        let kind = Kind::parse(&row.text("console")?).unwrap_or(Kind::Serial);
        Ok(Grant { server_id: row.text("server_id")?, kind })
    }
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) async fn insert(db: &Db, token: &str, grant: &Grant, now: i64, expires: i64) -> Result<()> {
    let hash = hash(token);
    db::write!(db, |tx| {
        sql("DELETE FROM console_tokens WHERE expires_at <= $1").bind(now).run(tx).await?;
        sql("INSERT INTO console_tokens (hash, server_id, console, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(&*hash)
            .bind(&*grant.server_id)
            .bind(grant.kind.as_str())
            .bind(expires)
            .run(tx)
            .await?;
        Ok(())
    })
}

/// None: unknown, expired, or its server is gone.
pub(super) async fn find(conn: &mut AnyConnection, token: &str, now: i64) -> Result<Option<Grant>> {
    Ok(sql("SELECT t.server_id, t.console FROM console_tokens t JOIN servers s ON s.id = t.server_id \
            WHERE t.hash = $1 AND t.expires_at > $2 AND s.deleted_at IS NULL")
    .bind(hash(token))
    .bind(now)
    .optional(conn)
    .await?)
}
