//! Consumers and their tokens as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::{Consumer, Kind, OauthToken};

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Access => "access",
        }
    }
}

impl FromRow for Consumer {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Consumer {
            id: row.text("id")?,
            encrypted_secret: row.text("encrypted_secret")?,
            description: row.opt_text("description")?,
            extra: row.json("extra")?,
        })
    }
}

impl FromRow for OauthToken {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(OauthToken {
            id: row.text("id")?,
            kind: if row.text("kind")? == "access" { Kind::Access } else { Kind::Request },
            encrypted_secret: row.text("encrypted_secret")?,
            consumer_id: row.text("consumer_id")?,
            project_id: row.text("project_id")?,
            verifier: row.opt_text("verifier")?,
            authorizing_user_id: row.opt_text("authorizing_user_id")?,
            role_ids: row.json("role_ids")?,
            expires_at: row.int("expires_at")?,
        })
    }
}

pub async fn consumers(conn: &mut AnyConnection) -> db::Result<Vec<Consumer>> {
    sql("SELECT * FROM identity_consumer ORDER BY id").rows(conn).await
}

pub async fn consumer(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Consumer>> {
    sql("SELECT * FROM identity_consumer WHERE id = $1").bind(id).optional(conn).await
}

pub async fn insert_consumer(conn: &mut AnyConnection, consumer: &Consumer) -> db::Result<()> {
    sql("INSERT INTO identity_consumer (id, encrypted_secret, description, extra) VALUES ($1, $2, $3, $4)")
        .bind(consumer.id.as_str())
        .bind(consumer.encrypted_secret.as_str())
        .bind(consumer.description.clone())
        .bind(json_text(&consumer.extra)?)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn update_consumer(conn: &mut AnyConnection, consumer: &Consumer) -> db::Result<()> {
    sql("UPDATE identity_consumer SET description = $1, extra = $2 WHERE id = $3")
        .bind(consumer.description.clone())
        .bind(json_text(&consumer.extra)?)
        .bind(consumer.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

/// With all that it was given.
pub async fn delete_consumer(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_oauth_token WHERE consumer_id = $1").bind(id).run(conn).await?;
    sql("DELETE FROM identity_consumer WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

pub async fn token(conn: &mut AnyConnection, kind: Kind, id: &str) -> db::Result<Option<OauthToken>> {
    sql("SELECT * FROM identity_oauth_token WHERE id = $1 AND kind = $2")
        .bind(id)
        .bind(kind.text())
        .optional(conn)
        .await
}

pub async fn access_tokens_of(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<OauthToken>> {
    sql("SELECT * FROM identity_oauth_token WHERE kind = 'access' AND authorizing_user_id = $1 ORDER BY id")
        .bind(user_id)
        .rows(conn)
        .await
}

/// Takes the place to sweep out what has ended.
pub async fn insert_token(conn: &mut AnyConnection, token: &OauthToken) -> db::Result<()> {
    sql("DELETE FROM identity_oauth_token WHERE expires_at < $1").bind(base::time::now()).run(conn).await?;
    sql("INSERT INTO identity_oauth_token (id, kind, encrypted_secret, consumer_id, project_id, verifier, \
         authorizing_user_id, role_ids, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(token.id.as_str())
    .bind(token.kind.text())
    .bind(token.encrypted_secret.as_str())
    .bind(token.consumer_id.as_str())
    .bind(token.project_id.as_str())
    .bind(token.verifier.clone())
    .bind(token.authorizing_user_id.clone())
    .bind(json_text(&token.role_ids)?)
    .bind(token.expires_at)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn authorize(conn: &mut AnyConnection, token: &OauthToken) -> db::Result<()> {
    sql("UPDATE identity_oauth_token SET verifier = $1, authorizing_user_id = $2, role_ids = $3 WHERE id = $4")
        .bind(token.verifier.clone())
        .bind(token.authorizing_user_id.clone())
        .bind(json_text(&token.role_ids)?)
        .bind(token.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

/// False when it was gone already: a request token is good for one access token.
pub async fn delete_token(conn: &mut AnyConnection, id: &str) -> db::Result<bool> {
    let gone = sql("DELETE FROM identity_oauth_token WHERE id = $1").bind(id).run(conn).await?;
    Ok(gone > 0)
}
