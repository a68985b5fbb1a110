//! SQL of groups.

use base::{Ctx, Result};
use db::{AnyConnection, Event, FromRow, Row, Tx, json_text, sql};

use super::Group;
use crate::volumes::Volume;

impl FromRow for Group {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Group {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            name: row.opt_text("name")?,
            description: row.opt_text("description")?,
            status: row.text("status")?,
            availability_zone: row.text("availability_zone")?,
            group_type: row.text("group_type")?,
            volume_types: row.json("volume_types")?,
            group_snapshot_id: row.opt_text("group_snapshot_id")?,
            source_group_id: row.opt_text("source_group_id")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Group>> {
    sql("SELECT * FROM volume_groups WHERE id = $1").bind(id.to_owned()).optional(conn).await
}

/// None: of all projects.
pub async fn list(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<Group>> {
    match project {
        None => sql("SELECT * FROM volume_groups").rows(conn).await,
        Some(project) => {
            sql("SELECT * FROM volume_groups WHERE project_id = $1").bind(project.to_owned()).rows(conn).await
        }
    }
}

/// In the order of their making.
pub async fn volumes(conn: &mut AnyConnection, group: &str) -> db::Result<Vec<Volume>> {
    sql("SELECT * FROM volumes WHERE group_id = $1 ORDER BY created_at, id")
        .bind(group.to_owned())
        .rows(conn)
        .await
}

/// (group, volume) of all groups of a project, or of all projects.
pub async fn members(conn: &mut AnyConnection, project: Option<&str>) -> db::Result<Vec<(String, String)>> {
    match project {
        None => sql("SELECT group_id, id FROM volumes WHERE group_id IS NOT NULL").rows(conn).await,
        Some(project) => {
            sql("SELECT group_id, id FROM volumes WHERE group_id IS NOT NULL AND project_id = $1")
                .bind(project.to_owned())
                .rows(conn)
                .await
        }
    }
}

/// New, or in place of the one with this id.
pub async fn write(tx: &mut Tx, ctx: &Ctx, kind: &'static str, one: &Group) -> Result<()> {
    sql("INSERT INTO volume_groups (id, project_id, user_id, name, description, status, availability_zone, group_type, \
         volume_types, group_snapshot_id, source_group_id, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, \
         status = excluded.status")
    .bind(one.id.clone())
    .bind(one.project_id.clone())
    .bind(one.user_id.clone())
    .bind(one.name.clone())
    .bind(one.description.clone())
    .bind(one.status.clone())
    .bind(one.availability_zone.clone())
    .bind(one.group_type.clone())
    .bind(json_text(&one.volume_types)?)
    .bind(one.group_snapshot_id.clone())
    .bind(one.source_group_id.clone())
    .bind(one.created_at)
    .run(tx)
    .await?;
    Ok(tx.event(Event::new("cinder", kind, &one.id, &one.project_id, ctx)).await?)
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, one: &Group) -> Result<()> {
    if sql("DELETE FROM volume_groups WHERE id = $1").bind(one.id.clone()).run(tx).await? == 0 {
        return Err(super::none(&one.id));
    }
    Ok(tx.event(Event::new("cinder", "group.delete", &one.id, &one.project_id, ctx)).await?)
}
