//! SQL of groups' snapshots.

use base::{Ctx, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, sql};

use super::GroupSnapshot;

impl FromRow for GroupSnapshot {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(GroupSnapshot {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            group_id: row.text("group_id")?,
            group_type: row.text("group_type")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            status: row.text("status")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<GroupSnapshot>> {
    sql("SELECT * FROM volume_group_snapshots WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<GroupSnapshot>> {
    match project {
        None => sql("SELECT * FROM volume_group_snapshots").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_group_snapshots WHERE project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

pub async fn has_any(conn: &mut AnyConnection, group: &str) -> db::Result<bool> {
    sql("SELECT 1 FROM volume_group_snapshots WHERE group_id = $1").bind(group.to_owned()).exists(conn).await
}

/// New, or in place of the one with this id.
pub async fn write(tx: &mut Tx, ctx: &Ctx, kind: &'static str, one: &GroupSnapshot) -> Result<()> {
    sql("INSERT INTO volume_group_snapshots (id, project_id, user_id, group_id, group_type, name, description, status, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (id) DO UPDATE SET status = excluded.status")
    .bind(one.id.clone())
    .bind(one.project_id.clone())
    .bind(one.user_id.clone())
    .bind(one.group_id.clone())
    .bind(one.group_type.clone())
    .bind(one.name.clone())
    .bind(one.description.clone())
    .bind(one.status.clone())
    .bind(one.created_at)
    .run(tx)
    .await?;
    Ok(tx.event(Event::new("cinder", kind, &one.id, &one.project_id, ctx)).await?)
}

/// One of its snapshots has been made: when it was the last one, all is there.
pub async fn follow(tx: &mut Tx, id: &str) -> Result<()> {
    sql("UPDATE volume_group_snapshots SET status = 'available' WHERE id = $1 AND status = 'creating' \
         AND NOT EXISTS (SELECT 1 FROM volume_snapshots s WHERE s.group_snapshot_id = $1 AND s.status = 'creating')")
    .bind(id.to_owned())
    .run(tx)
    .await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, one: &GroupSnapshot) -> Result<()> {
    if sql("DELETE FROM volume_group_snapshots WHERE id = $1").bind(one.id.clone()).run(tx).await? == 0 {
        return Err(super::none(&one.id));
    }
    Ok(tx.event(Event::new("cinder", "group_snapshot.delete", &one.id, &one.project_id, ctx)).await?)
}
