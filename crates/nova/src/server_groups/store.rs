//! Rows of server groups; membership is a column of the servers.

use std::collections::HashMap;

use base::{Ctx, Error, Result};
use db::{Conn, Db, Event, FromRow, Row, sql};

use super::ServerGroup;

impl FromRow for ServerGroup {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(ServerGroup {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            user_id: row.text("user_id")?,
            name: row.text("name")?,
            policy: row.text("policy")?,
            max_server_per_host: row.opt_int("max_server_per_host")?,
            created_at: row.int("created_at")?,
        })
    }
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found(format!("Instance group {id} could not be found."))
}

pub(crate) async fn get(conn: &mut Conn, id: &str) -> Result<Option<ServerGroup>> {
    Ok(sql(
        "SELECT id, project_id, user_id, name, policy, max_server_per_host, created_at FROM server_groups \
            WHERE id = $1",
    )
    .bind(id)
    .optional(conn)
    .await?)
}

/// `project` None: of all projects.
pub(super) async fn list(conn: &mut Conn, project: Option<&str>) -> Result<Vec<ServerGroup>> {
    Ok(sql(
        "SELECT id, project_id, user_id, name, policy, max_server_per_host, created_at FROM server_groups \
            WHERE ($1 = '' OR project_id = $1) ORDER BY created_at, id",
    )
    .bind(project.unwrap_or_default())
    .rows(conn)
    .await?)
}

struct Member {
    group: String,
    server: String,
}

impl FromRow for Member {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Member { group: row.text("group_id")?, server: row.text("id")? })
    }
}

/// Group id -> its living servers.
pub(super) async fn members(conn: &mut Conn, project: Option<&str>) -> Result<HashMap<String, Vec<String>>> {
    let rows: Vec<Member> = sql("SELECT group_id, id FROM servers WHERE group_id IS NOT NULL \
                                 AND deleted_at IS NULL AND ($1 = '' OR project_id = $1) ORDER BY created_at, id")
    .bind(project.unwrap_or_default())
    .rows(conn)
    .await?;
    let mut map: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows {
        map.entry(row.group).or_default().push(row.server);
    }
    Ok(map)
}

pub(super) async fn members_of(conn: &mut Conn, group: &str) -> Result<Vec<String>> {
    Ok(sql("SELECT id FROM servers WHERE group_id = $1 AND deleted_at IS NULL ORDER BY created_at, id")
        .bind(group)
        .rows(conn)
        .await?)
}

pub(super) async fn create(db: &Db, ctx: &Ctx, group: &ServerGroup, limit: i64) -> Result<()> {
    db::write!(db, |tx| {
        let count = sql("SELECT COUNT(*) FROM server_groups WHERE project_id = $1")
            .bind(&*group.project_id)
            .number(tx)
            .await?;
        if limit >= 0 && count >= limit {
            return Err(Error::forbidden("Quota exceeded, too many server groups."));
        }
        sql("INSERT INTO server_groups (id, project_id, user_id, name, policy, max_server_per_host, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&*group.id)
        .bind(&*group.project_id)
        .bind(&*group.user_id)
        .bind(&*group.name)
        .bind(&*group.policy)
        .bind(group.max_server_per_host)
        .bind(group.created_at)
        .run(tx)
        .await?;
        tx.event(Event::new("nova", "server_group.create", &group.id, &group.project_id, ctx)).await?;
        Ok(())
    })
}

/// Its members live on without it.
pub(super) async fn delete(db: &Db, ctx: &Ctx, group: &ServerGroup) -> Result<()> {
    db::write!(db, |tx| {
        if sql("DELETE FROM server_groups WHERE id = $1").bind(&*group.id).run(tx).await? == 0 {
            return Err(not_found(&group.id));
        }
        sql("UPDATE servers SET group_id = NULL, generation = generation + 1 WHERE group_id = $1")
            .bind(&*group.id)
            .run(tx)
            .await?;
        tx.event(Event::new("nova", "server_group.delete", &group.id, &group.project_id, ctx)).await?;
        Ok(())
    })
}
