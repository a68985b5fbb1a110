//! SQL of layers.

use base::Result;
use db::{AnyConnection, Db, FromRow, Row, Tx, sql};

use super::{Layer, LayerFormat, State};

impl FromRow for Layer {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Layer {
            id: row.text("id")?,
            parent: row.opt_text("parent")?,
            format: LayerFormat::parse(&row.text("format")?).unwrap_or(LayerFormat::Raw),
            bytes: row.int("bytes")?,
            image_id: row.opt_text("image_id")?,
            cipher: row.opt_text("cipher")?,
            state: State::parse(&row.text("state")?).unwrap_or(State::Ready),
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Layer>> {
    sql("SELECT * FROM volume_layers WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

pub async fn insert(tx: &mut Tx, layer: &Layer) -> Result<()> {
    sql("INSERT INTO volume_layers (id, parent, format, bytes, image_id, cipher, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(layer.id.clone())
    .bind(layer.parent.clone())
    .bind(layer.format.as_str())
    .bind(layer.bytes)
    .bind(layer.image_id.clone())
    .bind(layer.cipher.clone())
    .bind(layer.state.as_str())
    .run(tx)
    .await?;
    Ok(())
}

/// From the lowest up to `top`.
pub async fn chain(conn: &mut AnyConnection, top: &str) -> Result<Vec<Layer>> {
    let mut chain = Vec::new();
    let mut next = Some(top.to_owned());
    while let Some(id) = next {
        let layer = get(conn, &id).await?;
        let layer = layer.ok_or_else(|| base::Error::internal(format!("layer {id} has no row")))?;
        next = layer.parent.clone();
        chain.push(layer);
    }
    chain.reverse();
    Ok(chain)
}

pub async fn set_ready(tx: &mut Tx, ids: &[String]) -> Result<()> {
    for id in ids {
        sql("UPDATE volume_layers SET state = 'ready' WHERE id = $1 AND state = 'wanted'")
            .bind(id.clone())
            .run(tx)
            .await?;
    }
    Ok(())
}

pub async fn set_bytes(tx: &mut Tx, id: &str, bytes: i64) -> Result<()> {
    sql("UPDATE volume_layers SET bytes = $1 WHERE id = $2").bind(bytes).bind(id.to_owned()).run(tx).await?;
    Ok(())
}

/// A volume or snapshot does not stand on it any more: if nobody else does, its file shall go.
pub async fn release(tx: &mut Tx, id: &str) -> Result<()> {
    sql("UPDATE volume_layers SET state = 'unwanted' WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.head = $1 OR v.writing = $1 OR v.flat = $1) \
         AND NOT EXISTS (SELECT 1 FROM volume_snapshots s WHERE s.layer = $1) \
         AND NOT EXISTS (SELECT 1 FROM volume_backups b WHERE b.layer = $1) \
         AND NOT EXISTS (SELECT 1 FROM volume_layers c WHERE c.parent = $1)")
    .bind(id.to_owned())
    .run(tx)
    .await?;
    Ok(())
}

/// Its file is gone. What it stood on may go, too.
pub async fn forget(db: &Db, layer: &Layer) -> Result<()> {
    db::write!(db, |tx| {
        sql("DELETE FROM volume_layers WHERE id = $1 AND state = 'unwanted'")
            .bind(layer.id.clone())
            .run(tx)
            .await?;
        match &layer.parent {
            Some(parent) => release(tx, parent).await,
            None => Ok(()),
        }
    })
}

pub async fn unwanted(db: &Db) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM volume_layers WHERE state = 'unwanted'").rows(&mut *db.read().await?).await?)
}

pub async fn all(db: &Db) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM volume_layers").rows(&mut *db.read().await?).await?)
}
