//! Endpoint groups and associations as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::EndpointGroup;
use crate::projects::Project;

impl FromRow for EndpointGroup {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(EndpointGroup {
            id: row.text("id")?,
            name: row.text("name")?,
            description: row.opt_text("description")?,
            filters: row.json("filters")?,
        })
    }
}

pub async fn groups(conn: &mut AnyConnection) -> db::Result<Vec<EndpointGroup>> {
    sql("SELECT * FROM identity_endpoint_group ORDER BY name, id").rows(conn).await
}

pub async fn group(conn: &mut AnyConnection, id: &str) -> db::Result<Option<EndpointGroup>> {
    sql("SELECT * FROM identity_endpoint_group WHERE id = $1").bind(id).optional(conn).await
}

pub async fn groups_of_project(conn: &mut AnyConnection, project_id: &str) -> db::Result<Vec<EndpointGroup>> {
    sql("SELECT g.* FROM identity_endpoint_group g JOIN identity_project_endpoint_group p \
         ON p.endpoint_group_id = g.id WHERE p.project_id = $1 ORDER BY g.name, g.id")
    .bind(project_id)
    .rows(conn)
    .await
}

pub async fn insert(conn: &mut AnyConnection, group: &EndpointGroup) -> db::Result<()> {
    sql("INSERT INTO identity_endpoint_group (id, name, description, filters) VALUES ($1, $2, $3, $4)")
        .bind(group.id.as_str())
        .bind(group.name.as_str())
        .bind(group.description.clone())
        .bind(json_text(&group.filters)?)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, group: &EndpointGroup) -> db::Result<()> {
    sql("UPDATE identity_endpoint_group SET name = $1, description = $2, filters = $3 WHERE id = $4")
        .bind(group.name.as_str())
        .bind(group.description.clone())
        .bind(json_text(&group.filters)?)
        .bind(group.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_project_endpoint_group WHERE endpoint_group_id = $1")
        .bind(id)
        .run(conn)
        .await?;
    sql("DELETE FROM identity_endpoint_group WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

/// (group, project)
pub async fn grouped(conn: &mut AnyConnection) -> db::Result<Vec<(String, String)>> {
    sql("SELECT endpoint_group_id, project_id FROM identity_project_endpoint_group \
         ORDER BY project_id, endpoint_group_id")
    .rows(conn)
    .await
}

/// (endpoint, project)
pub async fn single(conn: &mut AnyConnection) -> db::Result<Vec<(String, String)>> {
    sql("SELECT endpoint_id, project_id FROM identity_project_endpoint ORDER BY project_id, endpoint_id")
        .rows(conn)
        .await
}

pub async fn projects_of_group(conn: &mut AnyConnection, group_id: &str) -> db::Result<Vec<Project>> {
    sql("SELECT p.* FROM identity_project p JOIN identity_project_endpoint_group g ON g.project_id = p.id \
         WHERE g.endpoint_group_id = $1 ORDER BY p.name, p.id")
    .bind(group_id)
    .rows(conn)
    .await
}

pub async fn projects_of_endpoint(conn: &mut AnyConnection, endpoint_id: &str) -> db::Result<Vec<Project>> {
    sql("SELECT p.* FROM identity_project p JOIN identity_project_endpoint e ON e.project_id = p.id \
         WHERE e.endpoint_id = $1 ORDER BY p.name, p.id")
    .bind(endpoint_id)
    .rows(conn)
    .await
}

pub async fn add_group(conn: &mut AnyConnection, group_id: &str, project_id: &str) -> db::Result<()> {
    sql("INSERT INTO identity_project_endpoint_group (endpoint_group_id, project_id) VALUES ($1, $2)")
        .bind(group_id)
        .bind(project_id)
        .run(conn)
        .await?;
    Ok(())
}

/// False when it was not there.
pub async fn remove_group(conn: &mut AnyConnection, group_id: &str, project_id: &str) -> db::Result<bool> {
    let gone =
        sql("DELETE FROM identity_project_endpoint_group WHERE endpoint_group_id = $1 AND project_id = $2")
            .bind(group_id)
            .bind(project_id)
            .run(conn)
            .await?;
    Ok(gone > 0)
}

pub async fn add_endpoint(conn: &mut AnyConnection, endpoint_id: &str, project_id: &str) -> db::Result<()> {
    sql("INSERT INTO identity_project_endpoint (endpoint_id, project_id) VALUES ($1, $2)")
        .bind(endpoint_id)
        .bind(project_id)
        .run(conn)
        .await?;
    Ok(())
}

/// False when it was not there.
pub async fn remove_endpoint(
    conn: &mut AnyConnection,
    endpoint_id: &str,
    project_id: &str,
) -> db::Result<bool> {
    let gone = sql("DELETE FROM identity_project_endpoint WHERE endpoint_id = $1 AND project_id = $2")
        .bind(endpoint_id)
        .bind(project_id)
        .run(conn)
        .await?;
    Ok(gone > 0)
}
