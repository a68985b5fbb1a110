//! Assignments as rows.

use db::{AnyConnection, FromRow, Row, sql};

use super::{Actor, Assignment, Place};
use crate::projects::Project;

impl FromRow for Assignment {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let (actor_id, target_id) = (row.text("actor_id")?, row.text("target_id")?);
        Ok(Assignment {
            actor: if row.text("actor_kind")? == "user" {
                Actor::User(actor_id)
            } else {
                Actor::Group(actor_id)
            },
            place: match row.text("target_kind")?.as_str() {
                "project" => Place::Project(target_id),
                "domain" => Place::Domain(target_id),
                _ => Place::System,
            },
            role_id: row.text("role_id")?,
            inherited: row.bool("inherited")?,
        })
    }
}

/// The roles that a user has somewhere: their own and their groups', inherited ones too, implied ones not.
pub async fn role_ids(conn: &mut AnyConnection, user_id: &str, place: &Place) -> db::Result<Vec<String>> {
    match place {
        Place::Project(id) => {
            sql("WITH RECURSIVE up (id, parent_id, depth) AS (\
                 SELECT id, parent_id, 0 FROM identity_project WHERE id = $2 \
                 UNION ALL \
                 SELECT p.id, p.parent_id, up.depth + 1 FROM identity_project p JOIN up ON p.id = up.parent_id) \
                 SELECT DISTINCT a.role_id FROM up JOIN identity_assignment a ON a.target_id = up.id \
                 WHERE ((up.depth = 0 AND a.inherited = 0 AND a.target_kind = 'project') \
                 OR (up.depth > 0 AND a.inherited = 1 AND a.target_kind IN ('project', 'domain'))) \
                 AND ((a.actor_kind = 'user' AND a.actor_id = $1) OR (a.actor_kind = 'group' AND a.actor_id IN \
                 (SELECT group_id FROM identity_membership WHERE user_id = $1)))")
            .bind(user_id)
            .bind(id.as_str())
            .rows(conn)
            .await
        }
        Place::Domain(_) | Place::System => {
            sql("SELECT DISTINCT role_id FROM identity_assignment \
                 WHERE target_kind = $2 AND target_id = $3 AND inherited = 0 \
                 AND ((actor_kind = 'user' AND actor_id = $1) OR (actor_kind = 'group' AND actor_id IN \
                 (SELECT group_id FROM identity_membership WHERE user_id = $1)))")
            .bind(user_id)
            .bind(place.kind())
            .bind(place.id())
            .rows(conn)
            .await
        }
    }
}

/// The projects on which a user has a role.
pub async fn projects_of(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Project>> {
    sql("WITH RECURSIVE mine (kind, id, inherited) AS (\
         SELECT DISTINCT target_kind, target_id, inherited FROM identity_assignment \
         WHERE (actor_kind = 'user' AND actor_id = $1) OR (actor_kind = 'group' AND actor_id IN \
         (SELECT group_id FROM identity_membership WHERE user_id = $1))), \
         down (id) AS (\
         SELECT p.id FROM identity_project p JOIN mine ON mine.inherited = 1 AND p.parent_id = mine.id \
         UNION \
         SELECT p.id FROM identity_project p JOIN down ON p.parent_id = down.id) \
         SELECT * FROM identity_project WHERE is_domain = 0 AND (id IN (SELECT id FROM down) \
         OR id IN (SELECT id FROM mine WHERE kind = 'project' AND inherited = 0)) ORDER BY name, id")
    .bind(user_id)
    .rows(conn)
    .await
}

/// The domains on which a user has a role.
pub async fn domains_of(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Project>> {
    sql("SELECT * FROM identity_project WHERE is_domain = 1 AND id IN (\
         SELECT target_id FROM identity_assignment WHERE target_kind = 'domain' AND inherited = 0 \
         AND ((actor_kind = 'user' AND actor_id = $1) OR (actor_kind = 'group' AND actor_id IN \
         (SELECT group_id FROM identity_membership WHERE user_id = $1)))) ORDER BY name, id")
    .bind(user_id)
    .rows(conn)
    .await
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Assignment>> {
    sql("SELECT * FROM identity_assignment \
         ORDER BY target_kind, target_id, actor_kind, actor_id, role_id, inherited")
    .rows(conn)
    .await
}

/// The direct assignments of one actor in one place.
pub async fn of_actor(
    conn: &mut AnyConnection,
    actor: &Actor,
    place: &Place,
    inherited: bool,
) -> db::Result<Vec<String>> {
    sql("SELECT role_id FROM identity_assignment WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 \
         AND target_id = $4 AND inherited = $5")
    .bind(actor.kind())
    .bind(actor.id())
    .bind(place.kind())
    .bind(place.id())
    .bind(i64::from(inherited))
    .rows(conn)
    .await
}

/// (group, user)
pub async fn memberships(conn: &mut AnyConnection) -> db::Result<Vec<(String, String)>> {
    sql("SELECT group_id, user_id FROM identity_membership ORDER BY group_id, user_id").rows(conn).await
}

pub async fn insert(conn: &mut AnyConnection, assignment: &Assignment) -> db::Result<()> {
    sql(
        "INSERT INTO identity_assignment (actor_kind, actor_id, target_kind, target_id, role_id, inherited) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(assignment.actor.kind())
    .bind(assignment.actor.id())
    .bind(assignment.place.kind())
    .bind(assignment.place.id())
    .bind(assignment.role_id.as_str())
    .bind(i64::from(assignment.inherited))
    .run(conn)
    .await?;
    Ok(())
}

/// False when there was none.
pub async fn delete(conn: &mut AnyConnection, assignment: &Assignment) -> db::Result<bool> {
    let gone =
        sql("DELETE FROM identity_assignment WHERE actor_kind = $1 AND actor_id = $2 AND target_kind = $3 \
         AND target_id = $4 AND role_id = $5 AND inherited = $6")
        .bind(assignment.actor.kind())
        .bind(assignment.actor.id())
        .bind(assignment.place.kind())
        .bind(assignment.place.id())
        .bind(assignment.role_id.as_str())
        .bind(i64::from(assignment.inherited))
        .run(conn)
        .await?;
    Ok(gone > 0)
}

/// Application credentials end with their user's last role on their project.
pub async fn drop_orphaned_credentials(conn: &mut AnyConnection, user_id: &str) -> db::Result<()> {
    let projects: Vec<String> =
        sql("SELECT DISTINCT project_id FROM identity_application_credential WHERE user_id = $1")
            .bind(user_id)
            .rows(conn)
            .await?;
    for project in projects {
        if role_ids(conn, user_id, &Place::Project(project.clone())).await?.is_empty() {
            sql("DELETE FROM identity_application_credential WHERE user_id = $1 AND project_id = $2")
                .bind(user_id)
                .bind(project)
                .run(conn)
                .await?;
        }
    }
    Ok(())
}
