//! SQL of backups.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, Event, FromRow, Row, Tx, json_text, sql};

use super::{Backup, load, none};
use crate::keys::Keys;
use crate::layers::{self, Layer};
use crate::messages::{self, Trouble};
use crate::quotas::{self, More};
use crate::volumes::{self, Status, Volume};
use crate::words::{invalid_input, invalid_snapshot, invalid_volume};
use crate::{policy, snapshots, types};

impl FromRow for Backup {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Backup {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            volume_id: row.text("volume_id")?,
            snapshot_id: row.opt_text("snapshot_id")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            container: row.opt_text("container")?,
            size: row.int("size")?,
            status: row.text("status")?,
            fail_reason: row.opt_text("fail_reason")?,
            bootable: row.bool("bootable")?,
            image_metadata: row.json("image_metadata")?,
            metadata: row.json("metadata")?,
            volume_metadata: row.json("volume_metadata")?,
            parent: row.opt_text("parent")?,
            layer: row.text("layer")?,
            key_id: row.opt_text("key_id")?,
            source: row.opt_text("source")?,
            data_at: row.int("data_at")?,
            created_at: row.int("created_at")?,
            updated_at: row.opt_int("updated_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Backup>> {
    sql("SELECT * FROM volume_backups WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Backup>> {
    match project {
        None => sql("SELECT * FROM volume_backups").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_backups WHERE project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

pub async fn unsettled(db: &Db) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM volume_backups WHERE status = 'creating'").rows(&mut *db.read().await?).await?)
}

async fn event(tx: &mut Tx, ctx: &Ctx, kind: &'static str, one: &Backup) -> Result<()> {
    Ok(tx.event(Event::new("cinder", kind, &one.id, &one.project_id, ctx)).await?)
}

/// New, or in place of the one with this id.
async fn write(tx: &mut Tx, one: &Backup) -> Result<()> {
    sql("INSERT INTO volume_backups (id, project_id, user_id, volume_id, snapshot_id, name, description, container, size, \
         status, fail_reason, bootable, image_metadata, metadata, layer, source, data_at, created_at, updated_at, \
         volume_metadata, parent, key_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
         $16, $17, $18, $19, $20, $21, $22) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, \
         status = excluded.status, fail_reason = excluded.fail_reason, metadata = excluded.metadata, \
         source = excluded.source, updated_at = excluded.updated_at")
    .bind(one.id.clone())
    .bind(one.project_id.clone())
    .bind(one.user_id.clone())
    .bind(one.volume_id.clone())
    .bind(one.snapshot_id.clone())
    .bind(one.name.clone())
    .bind(one.description.clone())
    .bind(one.container.clone())
    .bind(one.size)
    .bind(one.status.clone())
    .bind(one.fail_reason.clone())
    .bind(i64::from(one.bootable))
    .bind(json_text(&one.image_metadata)?)
    .bind(json_text(&one.metadata)?)
    .bind(one.layer.clone())
    .bind(one.source.clone())
    .bind(one.data_at)
    .bind(one.created_at)
    .bind(one.updated_at)
    .bind(json_text(&one.volume_metadata)?)
    .bind(one.parent.clone())
    .bind(one.key_id.clone())
    .run(tx)
    .await?;
    Ok(())
}

pub async fn edit(
    db: &Db,
    ctx: &Ctx,
    id: &str,
    change: impl Fn(&mut Backup) -> Result<()> + Sync,
) -> Result<Backup> {
    db::write!(db, |tx| {
        let mut one = get(tx, id).await?.ok_or_else(|| none(id))?;
        change(&mut one)?;
        one.updated_at = Some(base::time::now());
        write(tx, &one).await?;
        event(tx, ctx, "backup.update", &one).await?;
        Ok(one)
    })
}

/// An incremental backup stands on so many others at most: then comes a whole copy again, so that a restored volume does not
/// read through ever more layers.
const DIFFERENCES: usize = 8;

/// What may be asked for besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Also {
    /// Of a volume in use.
    pub force: bool,
    pub incremental: bool,
    /// The driver can make a layer of what differs.
    pub differences: bool,
}

/// The newest one that another could stand on.
async fn newest(conn: &mut AnyConnection, project: &str, volume: &str) -> Result<Option<Backup>> {
    Ok(sql("SELECT * FROM volume_backups WHERE volume_id = $1 AND project_id = $2 AND status = 'available' \
            ORDER BY data_at DESC, created_at DESC, id DESC LIMIT 1")
    .bind(volume.to_owned())
    .bind(project.to_owned())
    .optional(conn)
    .await?)
}

/// Ids of those on which others stand.
pub async fn parents(conn: &mut AnyConnection) -> db::Result<std::collections::HashSet<String>> {
    let all: Vec<String> =
        sql("SELECT DISTINCT parent FROM volume_backups WHERE parent IS NOT NULL").rows(conn).await?;
    Ok(all.into_iter().collect())
}

/// `wanted` with what is known of its volume.
pub async fn create(db: &Db, keys: &Keys, ctx: &Ctx, wanted: &Backup, also: Also) -> Result<Backup> {
    let force = also.force;
    db::write!(db, |tx| {
        let mut volume = volumes::load(tx, ctx, &wanted.volume_id).await?;
        ctx.authorize(&policy::BACKUP_CREATE, Some(&volume.project_id))?;
        let mut one = wanted.clone();
        let mut below = None;
        if also.incremental {
            let parent = newest(tx, &one.project_id, &volume.id).await?;
            let parent = parent.ok_or_else(|| {
                Error::bad_request("Invalid backup: No backups available to do an incremental backup.")
            })?;
            if also.differences && layers::store::chain(tx, &parent.layer).await?.len() < DIFFERENCES {
                below = Some(parent.layer);
            }
            one.parent = Some(parent.id);
        }
        if let Some(id) = &wanted.snapshot_id {
            let mut snapshot = snapshots::load(tx, ctx, id).await?;
            if snapshot.volume_id != volume.id {
                return Err(invalid_volume("Snapshot does not belong to the given volume."));
            }
            if snapshot.status != "available" {
                return Err(invalid_snapshot(format!(
                    "Snapshot to be backed up must be available, but the current status is \"{}\".",
                    snapshot.status
                )));
            }
            one.source = Some(snapshot.layer.clone());
            one.size = snapshot.size;
            one.data_at = snapshot.created_at;
            snapshot.status = "backing-up".into();
            snapshots::store::update(tx, ctx, "snapshot.backup", &mut snapshot).await?;
        } else {
            match volume.status {
                Status::Available => one.source = Some(volume.head.clone()),
                Status::InUse if force => one.source = Some(volumes::freeze::freeze(tx, &mut volume).await?),
                Status::InUse => {
                    return Err(invalid_volume("Backing up an in-use volume must use the force flag."));
                }
                other => {
                    return Err(invalid_volume(format!(
                        "Volume to be backed up must be available or in-use, but the current status is \"{}\".",
                        other.as_str()
                    )));
                }
            }
            one.size = volume.size;
            volume.previous_status = Some(volume.status);
            volume.status = Status::BackingUp;
            volumes::store::update(tx, ctx, "volume.backup", &mut volume).await?;
        }
        let kind = types::store::get(tx, &volume.type_id).await?;
        let kind = kind.ok_or_else(|| crate::words::no_type(&volume.type_id))?;
        let more = More { backups: 1, backup_gib: one.size, ..More::default() };
        quotas::store::take(tx, &one.project_id, &kind, more, one.size).await?;
        one.bootable = volume.bootable;
        one.image_metadata = volume.image_metadata;
        one.volume_metadata = volume.metadata;
        if let Some(key) = &volume.key_id {
            one.key_id = Some(keys.copy(tx, ctx, key).await?);
        }
        let bytes = volumes::gib(one.size);
        // An encrypted one is whole, under its own key.
        let below = below.filter(|_| volume.cipher.is_none());
        let layer = below.map_or_else(|| Layer::copy(bytes), |below| Layer::over(&below, bytes));
        let layer = layer.locked(volume.cipher);
        layers::store::insert(tx, &layer).await?;
        one.layer = layer.id;
        write(tx, &one).await?;
        event(tx, ctx, "backup.create", &one).await?;
        Ok(one)
    })
}

/// What it was being made of is at rest again.
async fn free(tx: &mut Tx, ctx: &Ctx, made: &Backup) -> Result<()> {
    if let Some(mut volume) = volumes::store::get(tx, &made.volume_id).await?
        && volume.status == Status::BackingUp
        && made.snapshot_id.is_none()
    {
        volume.status = volume.previous_status.take().unwrap_or(Status::Available);
        volumes::store::update(tx, ctx, "volume.backup", &mut volume).await?;
    }
    if let Some(id) = &made.snapshot_id
        && let Some(mut snapshot) = snapshots::store::get(tx, id).await?
        && snapshot.status == "backing-up"
    {
        snapshot.status = "available".into();
        snapshots::store::update(tx, ctx, "snapshot.backup", &mut snapshot).await?;
    }
    Ok(())
}

/// The copy has been made, or cannot be; what it was made of is free again.
pub async fn finish(db: &Db, ctx: &Ctx, made: &Backup, ok: bool) -> Result<()> {
    db::write!(db, |tx| {
        free(tx, ctx, made).await?;
        let Some(mut one) = get(tx, &made.id).await?.filter(|one| one.status == "creating") else {
            return Ok(());
        };
        one.source = None;
        one.updated_at = Some(base::time::now());
        one.status = if ok { "available" } else { "error" }.into();
        if ok {
            layers::store::set_ready(tx, &[one.layer.clone()]).await?;
        } else {
            one.fail_reason = Some("The copy could not be made.".into());
            messages::store::add(tx, ctx, &Trouble::backup(&one.id, &one.project_id)).await?;
        }
        write(tx, &one).await?;
        event(tx, ctx, "backup.done", &one).await
    })
}

/// Answers the layer that may go.
pub async fn delete(db: &Db, keys: &Keys, ctx: &Ctx, id: &str, force: bool) -> Result<String> {
    db::write!(db, |tx| {
        let one = load(tx, ctx, id).await?;
        ctx.authorize(&policy::BACKUP_DELETE, Some(&one.project_id))?;
        if !force && !["available", "error"].contains(&one.status.as_str()) {
            return Err(Error::bad_request("Invalid backup: Backup status must be available or error"));
        }
        if sql("SELECT 1 FROM volume_backups WHERE parent = $1").bind(id).exists(tx).await? {
            return Err(Error::bad_request("Invalid backup: Incremental backups exist for this backup."));
        }
        sql("DELETE FROM volume_backups WHERE id = $1").bind(id).run(tx).await?;
        layers::store::release(tx, &one.layer).await?;
        keys.remove(tx, ctx, one.key_id.as_deref()).await?;
        if one.status == "creating" {
            free(tx, ctx, &one).await?;
        }
        event(tx, ctx, "backup.delete", &one).await?;
        Ok(one.layer)
    })
}

/// The volume's data is the backup's from now on. Answers the layer that may go, and the volume's name.
pub async fn restore(
    db: &Db,
    keys: &Keys,
    ctx: &Ctx,
    id: &str,
    volume_id: &str,
) -> Result<(String, Option<String>)> {
    db::write!(db, |tx| {
        let one = load(tx, ctx, id).await?;
        ctx.authorize(&policy::BACKUP_RESTORE, Some(&one.project_id))?;
        if one.status != "available" {
            return Err(Error::bad_request("Invalid backup: Backup status must be available"));
        }
        let mut volume = volumes::load(tx, ctx, volume_id).await?;
        ctx.authorize(&policy::BACKUP_RESTORE, Some(&volume.project_id))?;
        if volume.status != Status::Available {
            return Err(invalid_volume("Volume to be restored to must be available"));
        }
        if volume.size < one.size {
            return Err(invalid_volume(format!(
                "volume size {} is too small to restore backup of size {}.",
                volume.size, one.size
            )));
        }
        if !crate::attachments::store::of_volume(tx, volume_id).await?.is_empty() {
            return Err(invalid_input("The volume is attached."));
        }
        take_key(tx, keys, ctx, &one, &mut volume).await?;
        let head = Layer::over(&one.layer, volume.bytes()).locked(volume.cipher.clone());
        layers::store::insert(tx, &head).await?;
        let old = std::mem::replace(&mut volume.head, head.id);
        volume.status = Status::RestoringBackup;
        volume.bootable = one.bootable;
        volume.image_metadata = one.image_metadata;
        volume.metadata.extend(one.volume_metadata);
        volumes::store::update(tx, ctx, "volume.restore", &mut volume).await?;
        layers::store::release(tx, &old).await?;
        Ok((old, volume.name))
    })
}

/// The volume's layers stand on the backup's from now on, so its key has to be the same.
async fn take_key(tx: &mut Tx, keys: &Keys, ctx: &Ctx, one: &Backup, volume: &mut Volume) -> Result<()> {
    let Some(wanted) = &one.key_id else { return Ok(()) };
    let Some(own) = volume.key_id.clone() else {
        return Err(invalid_volume(format!(
            "Backup {} is of an encrypted volume, and volume {} is not encrypted.",
            one.id, volume.id
        )));
    };
    if keys.are_same(tx, wanted, &own).await? {
        return Ok(());
    }
    if !snapshots::store::of_volume(tx, &volume.id).await?.is_empty() {
        return Err(invalid_volume(format!(
            "Volume {} has snapshots, which another key than the backup's opens.",
            volume.id
        )));
    }
    volume.key_id = Some(keys.copy(tx, ctx, wanted).await?);
    keys.remove(tx, ctx, Some(&own)).await
}

/// A row for data that is there. The admin who brings it says whose it is: the project that is asked in.
pub async fn import(db: &Db, keys: &Keys, ctx: &Ctx, told: &Backup) -> Result<Backup> {
    db::write!(db, |tx| {
        if get(tx, &told.id).await?.is_some() {
            return Err(Error::bad_request("Invalid backup: Backup already exists in database."));
        }
        let layer = layers::store::get(tx, &told.layer).await?;
        let known: Option<Backup> = sql("SELECT * FROM volume_backups WHERE layer = $1 LIMIT 1")
            .bind(&told.layer)
            .optional(tx)
            .await?;
        // Any other layer is a volume's or a snapshot's, maybe of somebody else.
        let whole = layer.filter(|layer| known.is_some() && layer.state == layers::State::Ready);
        if whole.is_none_or(|layer| layer.bytes > volumes::gib(told.size)) {
            return Err(Error::bad_request("Invalid backup: The data of this backup is not here."));
        }
        let mut one = told.clone();
        if let Some(key) = known.and_then(|known| known.key_id) {
            one.key_id = Some(keys.copy(tx, ctx, &key).await?);
        }
        if let Some(parent) = &one.parent
            && get(tx, parent).await?.is_none()
        {
            one.parent = None;
        }
        let kind = types::default_of(tx, &one.project_id).await?;
        let more = More { backups: 1, backup_gib: one.size, ..More::default() };
        quotas::store::take(tx, &one.project_id, &kind, more, one.size).await?;
        write(tx, &one).await?;
        event(tx, ctx, "backup.import", &one).await?;
        Ok(one)
    })
}
