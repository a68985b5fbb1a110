//! Groups and memberships as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::Group;
use crate::users::User;

impl FromRow for Group {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Group {
            id: row.text("id")?,
            name: row.text("name")?,
            domain_id: row.text("domain_id")?,
            description: row.text("description")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Group>> {
    sql("SELECT * FROM identity_group WHERE id = $1").bind(id).optional(conn).await
}

pub async fn list(conn: &mut AnyConnection, domain_id: Option<&str>) -> db::Result<Vec<Group>> {
    match domain_id {
        Some(domain) => {
            sql("SELECT * FROM identity_group WHERE domain_id = $1 ORDER BY name, id")
                .bind(domain)
                .rows(conn)
                .await
        }
        None => sql("SELECT * FROM identity_group ORDER BY name, id").rows(conn).await,
    }
}

pub async fn of_user(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Group>> {
    sql("SELECT g.* FROM identity_group g JOIN identity_membership m ON m.group_id = g.id \
         WHERE m.user_id = $1 ORDER BY g.name, g.id")
    .bind(user_id)
    .rows(conn)
    .await
}

pub async fn insert(conn: &mut AnyConnection, group: &Group) -> db::Result<()> {
    sql("INSERT INTO identity_group (id, name, domain_id, description, extra) VALUES ($1, $2, $3, $4, $5)")
        .bind(group.id.as_str())
        .bind(group.name.as_str())
        .bind(group.domain_id.as_str())
        .bind(group.description.as_str())
        .bind(json_text(&group.extra)?)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, group: &Group) -> db::Result<()> {
    sql("UPDATE identity_group SET name = $1, description = $2, extra = $3 WHERE id = $4")
        .bind(group.name.as_str())
        .bind(group.description.as_str())
        .bind(json_text(&group.extra)?)
        .bind(group.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_assignment WHERE actor_kind = 'group' AND actor_id = $1",
        "DELETE FROM identity_membership WHERE group_id = $1",
        "DELETE FROM identity_group WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}

pub async fn users(conn: &mut AnyConnection, group_id: &str) -> db::Result<Vec<User>> {
    sql("SELECT u.* FROM identity_user u JOIN identity_membership m ON m.user_id = u.id \
         WHERE m.group_id = $1 ORDER BY u.name, u.id")
    .bind(group_id)
    .rows(conn)
    .await
}

pub async fn has_user(conn: &mut AnyConnection, group_id: &str, user_id: &str) -> db::Result<bool> {
    sql("SELECT user_id FROM identity_membership WHERE group_id = $1 AND user_id = $2")
        .bind(group_id)
        .bind(user_id)
        .exists(conn)
        .await
}

pub async fn add_user(conn: &mut AnyConnection, group_id: &str, user_id: &str) -> db::Result<()> {
    sql("INSERT INTO identity_membership (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(group_id)
        .bind(user_id)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn remove_user(conn: &mut AnyConnection, group_id: &str, user_id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_membership WHERE group_id = $1 AND user_id = $2")
        .bind(group_id)
        .bind(user_id)
        .run(conn)
        .await?;
    Ok(())
}
