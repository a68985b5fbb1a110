//! SQL of snapshots.

use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Sql, Tx, json_text, sql};

use super::Snapshot;
use crate::keys::Keys;
use crate::quotas::{self, More};
use crate::volumes::{self, Volume};
use crate::{group_snapshots, layers, words};

impl FromRow for Snapshot {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Snapshot {
            id: row.text("id")?,
            volume_id: row.text("volume_id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            size: row.int("size")?,
            status: row.text("status")?,
            progress: row.text("progress")?,
            type_id: row.text("type_id")?,
            layer: row.text("layer")?,
            group_snapshot_id: row.opt_text("group_snapshot_id")?,
            metadata: row.json("metadata")?,
            created_at: row.int("created_at")?,
            updated_at: row.opt_int("updated_at")?,
            generation: row.int("generation")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Snapshot>> {
    sql("SELECT * FROM volume_snapshots WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Snapshot>> {
    match project {
        None => sql("SELECT * FROM volume_snapshots").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_snapshots WHERE project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

/// The newest first.
pub async fn of_volume(conn: &mut AnyConnection, volume: &str) -> db::Result<Vec<Snapshot>> {
    sql("SELECT * FROM volume_snapshots WHERE volume_id = $1 ORDER BY created_at DESC, id DESC")
        .bind(volume.to_owned())
        .rows(conn)
        .await
}

/// In the order of their making.
pub async fn of_group_snapshot(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<Snapshot>> {
    sql("SELECT * FROM volume_snapshots WHERE group_snapshot_id = $1 ORDER BY created_at, id")
        .bind(id.to_owned())
        .rows(conn)
        .await
}

fn bound(text: &'static str, snapshot: &Snapshot) -> db::Result<Sql<'static>> {
    Ok(sql(text)
        .bind(snapshot.volume_id.clone())
        .bind(snapshot.project_id.clone())
        .bind(snapshot.user_id.clone())
        .bind(snapshot.name.clone())
        .bind(snapshot.description.clone())
        .bind(snapshot.size)
        .bind(snapshot.status.clone())
        .bind(snapshot.progress.clone())
        .bind(snapshot.type_id.clone())
        .bind(snapshot.layer.clone())
        .bind(snapshot.group_snapshot_id.clone())
        .bind(json_text(&snapshot.metadata)?)
        .bind(snapshot.updated_at)
        .bind(snapshot.id.clone()))
}

pub async fn insert(tx: &mut Tx, ctx: &Ctx, snapshot: &Snapshot) -> Result<()> {
    let text = "INSERT INTO volume_snapshots (volume_id, project_id, user_id, name, description, size, status, progress, \
         type_id, layer, group_snapshot_id, metadata, updated_at, id, created_at, generation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0)";
    bound(text, snapshot)?.bind(snapshot.created_at).run(tx).await?;
    event(tx, ctx, "snapshot.create", snapshot).await
}

pub struct NewSnapshot<'a> {
    pub id: &'a str,
    pub project: &'a str,
    pub name: &'a Option<String>,
    pub description: &'a Option<String>,
    pub metadata: &'a BTreeMap<String, String>,
    pub group_snapshot: Option<&'a str>,
}

/// A snapshot of a volume that was read in this transaction, within the project's quota. Whoever commits wakes
/// `snapshot/<id>`.
pub async fn make(
    tx: &mut Tx,
    keys: &Keys,
    ctx: &Ctx,
    mut volume: Volume,
    new: NewSnapshot<'_>,
    in_use: bool,
) -> Result<Snapshot> {
    crate::services::check_thawed(tx).await?;
    volumes::rules::may_snapshot(&volume, in_use)?;
    keys.check(tx, volume.key_id.as_deref()).await?;
    let kind = crate::types::store::get(tx, &volume.type_id).await?;
    let kind = kind.ok_or_else(|| words::no_type(&volume.type_id))?;
    let more = More { snapshots: 1, gib: volume.size, ..More::default() };
    quotas::store::take(tx, new.project, &kind, more, volume.size).await?;
    let layer = volumes::freeze::freeze(tx, &mut volume).await?;
    volumes::store::update(tx, ctx, "volume.snapshot", &mut volume).await?;
    let snapshot = Snapshot {
        id: new.id.into(),
        volume_id: volume.id.clone(),
        project_id: new.project.into(),
        user_id: ctx.user_id().into(),
        name: new.name.clone(),
        description: new.description.clone(),
        size: volume.size,
        status: "creating".into(),
        progress: "0%".into(),
        type_id: volume.type_id.clone(),
        layer,
        group_snapshot_id: new.group_snapshot.map(Into::into),
        metadata: new.metadata.clone(),
        created_at: base::time::now(),
        updated_at: None,
        generation: 0,
    };
    insert(tx, ctx, &snapshot).await?;
    Ok(snapshot)
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, kind: &'static str, snapshot: &mut Snapshot) -> Result<()> {
    snapshot.updated_at = Some(base::time::now());
    let text = "UPDATE volume_snapshots SET volume_id = $1, project_id = $2, user_id = $3, name = $4, description = $5, \
         size = $6, status = $7, progress = $8, type_id = $9, layer = $10, group_snapshot_id = $11, \
         metadata = $12, updated_at = $13, generation = generation + 1 WHERE id = $14 AND generation = $15";
    if bound(text, snapshot)?.bind(snapshot.generation).run(tx).await? == 0 {
        return Err(words::lost_race(&format!("Snapshot {}", snapshot.id)));
    }
    snapshot.generation += 1;
    event(tx, ctx, kind, snapshot).await
}

pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    kind: &'static str,
    id: &str,
    change: impl Fn(&mut Snapshot) -> Result<()> + Sync,
) -> Result<Snapshot> {
    db::write!(db, |tx| {
        let mut snapshot = get(tx, id).await?.ok_or_else(|| words::no_snapshot(id))?;
        change(&mut snapshot)?;
        update(tx, ctx, kind, &mut snapshot).await?;
        Ok(snapshot)
    })
}

/// The row goes at once; the layer's file goes when nothing stands on it.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, snapshot: &Snapshot) -> Result<()> {
    sql("DELETE FROM volume_snapshots WHERE id = $1").bind(snapshot.id.clone()).run(tx).await?;
    layers::store::release(tx, &snapshot.layer).await?;
    event(tx, ctx, "snapshot.delete", snapshot).await
}

async fn event(tx: &mut Tx, ctx: &Ctx, kind: &'static str, snapshot: &Snapshot) -> Result<()> {
    Ok(tx.event(Event::new("cinder", kind, &snapshot.id, &snapshot.project_id, ctx)).await?)
}

/// Its volume writes into the new layer: the snapshot is what it was.
pub async fn finish(db: &Db, ctx: &Ctx, id: &str) -> Result<()> {
    db::write!(db, |tx| {
        let Some(mut snapshot) = get(tx, id).await? else { return Ok(()) };
        if snapshot.status == "creating" {
            snapshot.status = "available".into();
            snapshot.progress = "100%".into();
            update(tx, ctx, "snapshot.created", &mut snapshot).await?;
            if let Some(whole) = &snapshot.group_snapshot_id {
                group_snapshots::store::follow(tx, whole).await?;
            }
        }
        Ok::<_, base::Error>(())
    })
}

/// Both at rest again after a revert.
pub async fn finish_revert(tx: &mut Tx, ctx: &Ctx, volume: &mut Volume) -> Result<()> {
    for mut snapshot in of_volume(tx, &volume.id).await? {
        if snapshot.status == "restoring" {
            snapshot.status = "available".into();
            update(tx, ctx, "snapshot.restored", &mut snapshot).await?;
        }
    }
    volume.status = volumes::Status::Available;
    volume.previous_status = None;
    volumes::store::update(tx, ctx, "volume.revert", volume).await
}

pub async fn unsettled(db: &Db) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM volume_snapshots WHERE status = 'creating'").rows(&mut *db.read().await?).await?)
}
