//! Credentials as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::Credential;

impl FromRow for Credential {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Credential {
            id: row.text("id")?,
            user_id: row.text("user_id")?,
            project_id: row.opt_text("project_id")?,
            kind: row.text("type")?,
            encrypted_blob: row.text("encrypted_blob")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Credential>> {
    sql("SELECT * FROM identity_credential ORDER BY id").rows(conn).await
}

pub async fn of_user(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Credential>> {
    sql("SELECT * FROM identity_credential WHERE user_id = $1 ORDER BY id").bind(user_id).rows(conn).await
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Credential>> {
    sql("SELECT * FROM identity_credential WHERE id = $1").bind(id).optional(conn).await
}

pub async fn insert(conn: &mut AnyConnection, credential: &Credential) -> db::Result<()> {
    sql("INSERT INTO identity_credential (id, user_id, project_id, type, encrypted_blob, extra) \
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(credential.id.as_str())
    .bind(credential.user_id.as_str())
    .bind(credential.project_id.clone())
    .bind(credential.kind.as_str())
    .bind(credential.encrypted_blob.as_str())
    .bind(json_text(&credential.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, credential: &Credential) -> db::Result<()> {
    sql("UPDATE identity_credential SET user_id = $1, project_id = $2, type = $3, encrypted_blob = $4, extra = $5 \
         WHERE id = $6")
    .bind(credential.user_id.as_str())
    .bind(credential.project_id.clone())
    .bind(credential.kind.as_str())
    .bind(credential.encrypted_blob.as_str())
    .bind(json_text(&credential.extra)?)
    .bind(credential.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_credential WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}
