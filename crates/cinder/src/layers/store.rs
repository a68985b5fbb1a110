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

/// From the lowest up to `top`. One statement, as layers may merge between two.
pub async fn chain(conn: &mut AnyConnection, top: &str) -> Result<Vec<Layer>> {
    let chain: Vec<Layer> = sql("WITH RECURSIVE chain (id, depth) AS (SELECT $1, 0 UNION ALL \
         SELECT l.parent, c.depth + 1 FROM chain c JOIN volume_layers l ON l.id = c.id WHERE l.parent IS NOT NULL) \
         SELECT l.* FROM chain c JOIN volume_layers l ON l.id = c.id ORDER BY c.depth DESC")
    .bind(top.to_owned())
    .rows(conn)
    .await?;
    let whole = chain.first().is_some_and(|lowest| lowest.parent.is_none());
    if whole { Ok(chain) } else { Err(base::Error::internal(format!("a layer below {top} has no row"))) }
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

/// Layers `l` that nobody needs but one that stands on them: no volume, snapshot or backup, and they are not being copied. An
/// image's data is never written.
macro_rules! lonely {
    () => {
        "l.image_id IS NULL AND l.state = 'ready' \
         AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.head = l.id OR v.writing = l.id OR v.flat = l.id) \
         AND NOT EXISTS (SELECT 1 FROM volume_snapshots s WHERE s.layer = l.id) \
         AND NOT EXISTS (SELECT 1 FROM volume_backups b WHERE b.layer = l.id OR b.source = l.id) \
         AND (SELECT COUNT(*) FROM volume_layers o WHERE o.parent = l.id) = 1"
    };
}

pub async fn lonely(conn: &mut AnyConnection) -> db::Result<Vec<String>> {
    sql(concat!("SELECT l.id FROM volume_layers l WHERE ", lonely!())).rows(conn).await
}

/// The layer that is to be merged into this one. Volumes write their heads; all others stay as they are.
pub async fn to_merge(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Layer>> {
    sql(concat!(
        "SELECT c.* FROM volume_layers c JOIN volume_layers l ON l.id = c.parent \
         WHERE l.id = $1 AND c.state = 'ready' AND l.cipher IS NULL AND c.cipher IS NULL AND \
         NOT EXISTS (SELECT 1 FROM volumes v WHERE v.head = c.id OR v.writing = c.id OR v.flat = c.id) AND ",
        lonely!()
    ))
    .bind(id.to_owned())
    .optional(conn)
    .await
}

/// `lower` shows what `upper` shows: whoever stood on that stands on it. Machines may read `upper` yet.
pub async fn merge(tx: &mut Tx, lower: &str, upper: &Layer) -> Result<()> {
    set_bytes(tx, lower, upper.bytes).await?;
    for text in [
        "UPDATE volume_layers SET parent = $1 WHERE parent = $2",
        "UPDATE volume_snapshots SET layer = $1, generation = generation + 1 WHERE layer = $2",
        "UPDATE volume_backups SET layer = $1 WHERE layer = $2",
        "UPDATE volume_backups SET source = $1 WHERE source = $2",
        "UPDATE volume_layers SET parent = $1, state = 'merged' WHERE id = $2",
    ] {
        sql(text).bind(lower.to_owned()).bind(upper.id.clone()).run(tx).await?;
    }
    Ok(())
}

/// Volumes that show this layer below their own.
pub async fn volumes_above(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<String>> {
    sql("WITH RECURSIVE above (id) AS (SELECT id FROM volume_layers WHERE parent = $1 UNION \
         SELECT l.id FROM above a JOIN volume_layers l ON l.parent = a.id) \
         SELECT v.id FROM above a JOIN volumes v ON v.head = a.id")
    .bind(id.to_owned())
    .rows(conn)
    .await
}

pub async fn set_unwanted(db: &Db, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        sql("UPDATE volume_layers SET state = 'unwanted' WHERE id = $1 AND state = 'merged'")
            .bind(id)
            .run(tx)
            .await?;
        Ok(())
    })
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
    Ok(sql("SELECT id FROM volume_layers WHERE state IN ('unwanted', 'merged')")
        .rows(&mut *db.read().await?)
        .await?)
}

pub async fn all(db: &Db) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM volume_layers").rows(&mut *db.read().await?).await?)
}
