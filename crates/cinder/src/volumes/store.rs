//! SQL of volumes.

use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Sql, Tx, json_text, sql};

use super::{Status, Volume};
use crate::words;

impl FromRow for Volume {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Volume {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            size: row.int("size")?,
            pending_size: row.opt_int("pending_size")?,
            status: Status::parse(&row.text("status")?).unwrap_or(Status::Error),
            previous_status: row.opt_text("previous_status")?.as_deref().and_then(Status::parse),
            migration_status: row.opt_text("migration_status")?,
            type_id: row.text("type_id")?,
            availability_zone: row.text("availability_zone")?,
            bootable: row.bool("bootable")?,
            multiattach: row.bool("multiattach")?,
            readonly: row.opt_int("readonly")?.map(|n| n != 0),
            snapshot_id: row.opt_text("snapshot_id")?,
            source_volid: row.opt_text("source_volid")?,
            image_id: row.opt_text("image_id")?,
            metadata: row.json("metadata")?,
            image_metadata: row.json("image_metadata")?,
            upload: row.opt_text("upload")?,
            head: row.text("head")?,
            writing: row.opt_text("writing")?,
            flat: row.opt_text("flat")?,
            key_id: row.opt_text("key_id")?,
            cipher: row.opt_text("cipher")?,
            pending_type: row.opt_text("pending_type")?,
            flat_key_id: row.opt_text("flat_key_id")?,
            group_id: row.opt_text("group_id")?,
            created_at: row.int("created_at")?,
            updated_at: row.opt_int("updated_at")?,
            generation: row.int("generation")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Volume>> {
    sql("SELECT * FROM volumes WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Volume>> {
    match project {
        None => sql("SELECT * FROM volumes").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volumes WHERE project_id = $1").bind(project.to_owned()).rows(conn).await
        }
    }
}

/// The newest ones, which is what most clients ask for.
pub async fn newest(conn: &mut AnyConnection, project: &str, limit: usize) -> db::Result<Vec<Volume>> {
    sql("SELECT * FROM volumes WHERE project_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2")
        .bind(project.to_owned())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .rows(conn)
        .await
}

/// Both statements name the columns in this order.
fn bound(text: &'static str, volume: &Volume) -> db::Result<Sql<'static>> {
    Ok(sql(text)
        .bind(volume.project_id.clone())
        .bind(volume.user_id.clone())
        .bind(volume.name.clone())
        .bind(volume.description.clone())
        .bind(volume.size)
        .bind(volume.pending_size)
        .bind(volume.status.as_str())
        .bind(volume.previous_status.map(Status::as_str))
        .bind(volume.migration_status.clone())
        .bind(volume.type_id.clone())
        .bind(volume.availability_zone.clone())
        .bind(i64::from(volume.bootable))
        .bind(i64::from(volume.multiattach))
        .bind(volume.readonly.map(i64::from))
        .bind(volume.snapshot_id.clone())
        .bind(volume.source_volid.clone())
        .bind(volume.image_id.clone())
        .bind(json_text(&volume.metadata)?)
        .bind(json_text(&volume.image_metadata)?)
        .bind(volume.upload.clone())
        .bind(volume.head.clone())
        .bind(volume.writing.clone())
        .bind(volume.flat.clone())
        .bind(volume.group_id.clone())
        .bind(volume.key_id.clone())
        .bind(volume.cipher.clone())
        .bind(volume.pending_type.clone())
        .bind(volume.flat_key_id.clone())
        .bind(volume.updated_at)
        .bind(volume.id.clone()))
}

pub async fn insert(tx: &mut Tx, ctx: &Ctx, volume: &Volume) -> Result<()> {
    let text = "INSERT INTO volumes (project_id, user_id, name, description, size, pending_size, status, \
         previous_status, migration_status, type_id, availability_zone, bootable, multiattach, readonly, snapshot_id, \
         source_volid, image_id, metadata, image_metadata, upload, head, writing, flat, group_id, key_id, cipher, \
         pending_type, flat_key_id, updated_at, id, created_at, generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
         $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, 0)";
    bound(text, volume)?.bind(volume.created_at).run(tx).await?;
    event(tx, ctx, "volume.create", volume).await
}

/// Writes a volume that was read in this transaction.
pub async fn update(tx: &mut Tx, ctx: &Ctx, kind: &'static str, volume: &mut Volume) -> Result<()> {
    volume.updated_at = Some(base::time::now());
    let text = "UPDATE volumes SET project_id = $1, user_id = $2, name = $3, description = $4, size = $5, \
         pending_size = $6, status = $7, previous_status = $8, migration_status = $9, type_id = $10, \
         availability_zone = $11, bootable = $12, multiattach = $13, readonly = $14, snapshot_id = $15, \
         source_volid = $16, image_id = $17, metadata = $18, image_metadata = $19, upload = $20, head = $21, \
         writing = $22, flat = $23, group_id = $24, key_id = $25, cipher = $26, pending_type = $27, flat_key_id = $28, \
         updated_at = $29, generation = generation + 1 WHERE id = $30 AND generation = $31";
    if bound(text, volume)?.bind(volume.generation).run(tx).await? == 0 {
        return Err(words::lost_race(&format!("Volume {}", volume.id)));
    }
    volume.generation += 1;
    event(tx, ctx, kind, volume).await
}

/// Reads, changes and writes in one transaction; 404 when it is gone. `change` may run again.
pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    kind: &'static str,
    id: &str,
    change: impl Fn(&mut Volume) -> Result<()> + Sync,
) -> Result<Volume> {
    db::write!(db, |tx| {
        let mut volume = get(tx, id).await?.ok_or_else(|| words::no_volume(id))?;
        change(&mut volume)?;
        update(tx, ctx, kind, &mut volume).await?;
        Ok(volume)
    })
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, volume: &Volume) -> Result<()> {
    sql("DELETE FROM volume_attachments WHERE volume_id = $1").bind(volume.id.clone()).run(tx).await?;
    sql("DELETE FROM volume_transfers WHERE volume_id = $1").bind(volume.id.clone()).run(tx).await?;
    if sql("DELETE FROM volumes WHERE id = $1").bind(volume.id.clone()).run(tx).await? == 0 {
        return Err(words::no_volume(&volume.id));
    }
    event(tx, ctx, "volume.delete", volume).await
}

pub async fn event(tx: &mut Tx, ctx: &Ctx, kind: &'static str, volume: &Volume) -> Result<()> {
    Ok(tx.event(Event::new("cinder", kind, &volume.id, &volume.project_id, ctx)).await?)
}

/// Those that the reconciler has to look at.
pub async fn unsettled(db: &Db) -> Result<Vec<String>> {
    let mut conn = db.read().await?;
    Ok(sql("SELECT id FROM volumes WHERE status IN ('creating', 'extending', 'reverting', 'uploading', 'restoring-backup', \
            'retyping') \
            OR writing IS NOT NULL OR flat IS NOT NULL")
    .rows(&mut conn)
    .await?)
}

/// (volumes, GiB) of a project, or of all.
pub async fn sums(conn: &mut AnyConnection) -> db::Result<(i64, i64)> {
    struct Sums(i64, i64);
    impl FromRow for Sums {
        fn from_row(row: &Row<'_>) -> db::Result<Self> {
            Ok(Sums(row.int("n")?, row.int("gib")?))
        }
    }
    let found: Option<Sums> =
        sql("SELECT COUNT(*) AS n, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS gib FROM volumes")
            .optional(conn)
            .await?;
    Ok(found.map_or((0, 0), |s| (s.0, s.1)))
}

/// Which image each volume was made of is kept with the volume, so nothing else has to be read.
pub fn all_metadata(volumes: &[Volume]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in volumes.iter().flat_map(|volume| &volume.metadata) {
        let values = all.entry(key.clone()).or_default();
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    all
}
