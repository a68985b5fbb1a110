use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql};

pub async fn all(conn: &mut AnyConnection, secret: &str) -> Result<BTreeMap<String, String>> {
    let pairs: Vec<(String, String)> =
        sql("SELECT name, value FROM secret_metadata WHERE secret_id = $1").bind(secret).rows(conn).await?;
    Ok(pairs.into_iter().collect())
}

pub fn not_found() -> Error {
    Error::not_found("Secret metadata not found.")
}

async fn insert(tx: &mut Tx, secret: &str, name: &str, value: &str) -> Result<()> {
    sql("INSERT INTO secret_metadata (secret_id, name, value) VALUES ($1, $2, $3)")
        .bind(secret)
        .bind(name)
        .bind(value)
        .run(tx)
        .await?;
    Ok(())
}

/// Instead of all that were there.
pub async fn replace(
    tx: &mut Tx,
    ctx: &Ctx,
    (project, secret): (&str, &str),
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    sql("DELETE FROM secret_metadata WHERE secret_id = $1").bind(secret).run(tx).await?;
    for (name, value) in metadata {
        insert(tx, secret, name, value).await?;
    }
    told(tx, ctx, project, secret).await
}

pub async fn add(
    tx: &mut Tx,
    ctx: &Ctx,
    (project, secret): (&str, &str),
    (name, value): (&str, &str),
) -> Result<()> {
    if all(tx, secret).await?.contains_key(name) {
        return Err(Error::conflict("Conflict. Key in request is already in the secret metadata"));
    }
    insert(tx, secret, name, value).await?;
    told(tx, ctx, project, secret).await
}

pub async fn update(
    tx: &mut Tx,
    ctx: &Ctx,
    (project, secret): (&str, &str),
    (name, value): (&str, &str),
) -> Result<()> {
    let changed = sql("UPDATE secret_metadata SET value = $1 WHERE secret_id = $2 AND name = $3")
        .bind(value)
        .bind(secret)
        .bind(name)
        .run(tx)
        .await?;
    if changed == 0 {
        return Err(not_found());
    }
    told(tx, ctx, project, secret).await
}

pub async fn remove(tx: &mut Tx, ctx: &Ctx, (project, secret): (&str, &str), name: &str) -> Result<()> {
    let gone = sql("DELETE FROM secret_metadata WHERE secret_id = $1 AND name = $2")
        .bind(secret)
        .bind(name)
        .run(tx)
        .await?;
    if gone == 0 {
        return Err(not_found());
    }
    told(tx, ctx, project, secret).await
}

async fn told(tx: &mut Tx, ctx: &Ctx, project: &str, secret: &str) -> Result<()> {
    Ok(tx.event(Event::new("key-manager", "secret.update", secret, project, ctx)).await?)
}
