//! SQL of transfers.

use base::{Ctx, Error, Result};
use db::{AnyConnection, Db, FromRow, Row, sql};

use super::Transfer;
use crate::keys::Keys;
use crate::quotas::{self, More};
use crate::volumes::{self, Status};
use crate::words::{invalid_snapshot, invalid_volume, no_volume};
use crate::{policy, snapshots, types};

impl FromRow for Transfer {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Transfer {
            id: row.text("id")?,
            volume_id: row.text("volume_id")?,
            project_id: row.text("project_id")?,
            name: row.opt_text("name")?,
            salt: row.text("salt")?,
            hash: row.text("hash")?,
            no_snapshots: row.bool("no_snapshots")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Transfer>> {
    sql("SELECT * FROM volume_transfers WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Transfer>> {
    match project {
        None => sql("SELECT * FROM volume_transfers").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_transfers WHERE project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

/// `transfer` with its volume's project, which is known only now.
pub async fn create(db: &Db, ctx: &Ctx, transfer: &Transfer) -> Result<Transfer> {
    db::write!(db, |tx| {
        let mut volume = volumes::load(tx, ctx, &transfer.volume_id).await?;
        ctx.authorize(&policy::TRANSFER_CREATE, Some(&volume.project_id))?;
        if volume.status != Status::Available {
            return Err(invalid_volume("status must be available"));
        }
        if volume.key_id.is_some() && !ctx.at_least(3, 70) {
            return Err(invalid_volume("transferring encrypted volume is not supported"));
        }
        if volume.key_id.is_some() && transfer.no_snapshots {
            return Err(invalid_volume(
                "transferring an encrypted volume without its snapshots is not supported",
            ));
        }
        if !transfer.no_snapshots {
            for snapshot in snapshots::store::of_volume(tx, &volume.id).await? {
                if snapshot.status != "available" {
                    let text = format!("snapshot: {} status must be available", snapshot.id);
                    return Err(invalid_snapshot(text));
                }
            }
        }
        let made = Transfer { project_id: volume.project_id.clone(), ..transfer.clone() };
        volume.status = Status::AwaitingTransfer;
        volumes::store::update(tx, ctx, "volume.offer", &mut volume).await?;
        sql("INSERT INTO volume_transfers (id, volume_id, project_id, name, salt, hash, no_snapshots, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(made.id.clone())
        .bind(made.volume_id.clone())
        .bind(made.project_id.clone())
        .bind(made.name.clone())
        .bind(made.salt.clone())
        .bind(made.hash.clone())
        .bind(i64::from(made.no_snapshots))
        .bind(made.created_at)
        .run(tx)
        .await?;
        Ok(made)
    })
}

async fn end(tx: &mut db::Tx, id: &str) -> Result<()> {
    let gone = sql("DELETE FROM volume_transfers WHERE id = $1").bind(id.to_owned()).run(tx).await?;
    if gone == 0 { Err(none(id)) } else { Ok(()) }
}

pub fn none(id: &str) -> Error {
    Error::not_found(format!("Transfer {id} could not be found."))
}

pub async fn delete(db: &Db, ctx: &Ctx, transfer: &Transfer) -> Result<()> {
    db::write!(db, |tx| {
        end(tx, &transfer.id).await?;
        let Some(mut volume) = volumes::store::get(tx, &transfer.volume_id).await? else { return Ok(()) };
        if volume.status == Status::AwaitingTransfer {
            volume.status = Status::Available;
            volumes::store::update(tx, ctx, "volume.withdraw", &mut volume).await?;
        }
        Ok::<_, Error>(())
    })
}

/// The volume is `project`'s from now on, and so are its key, and its snapshots unless they were kept out. They leave the
/// donor's groups, through which the donor would reach their data.
pub async fn accept(db: &Db, keys: &Keys, ctx: &Ctx, transfer: &Transfer, project: &str) -> Result<()> {
    db::write!(db, |tx| {
        end(tx, &transfer.id).await?;
        let id = &transfer.volume_id;
        let mut volume = volumes::store::get(tx, id).await?.ok_or_else(|| no_volume(id))?;
        if volume.status != Status::AwaitingTransfer {
            return Err(invalid_volume(format!(
                "Volume status must be awaiting-transfer, but the status is {}.",
                volume.status.as_str()
            )));
        }
        let kind = types::store::get(tx, &volume.type_id).await?;
        let kind = kind.ok_or_else(|| crate::words::no_type(&volume.type_id))?;
        let more = More { volumes: 1, gib: volume.size, ..More::default() };
        quotas::store::take(tx, project, &kind, more, volume.size).await?;
        if let Some(old) = volume.key_id.take() {
            volume.key_id = Some(keys.copy(tx, ctx, &old).await?);
            keys.remove(tx, ctx, Some(&old)).await?;
        }
        if volume.project_id != project {
            volume.group_id = None;
        }
        volume.project_id = project.into();
        volume.user_id = ctx.user_id().into();
        volume.status = Status::Available;
        volumes::store::update(tx, ctx, "volume.accept", &mut volume).await?;
        let all = snapshots::store::of_volume(tx, id).await?;
        for mut snapshot in all.into_iter().filter(|_| !transfer.no_snapshots) {
            let more = More { snapshots: 1, gib: snapshot.size, ..More::default() };
            quotas::store::take(tx, project, &kind, more, snapshot.size).await?;
            if snapshot.project_id != project {
                snapshot.group_snapshot_id = None;
            }
            snapshot.project_id = project.into();
            snapshot.user_id = ctx.user_id().into();
            snapshots::store::update(tx, ctx, "snapshot.accept", &mut snapshot).await?;
        }
        Ok(())
    })
}
