//! Projects and domains as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::Project;
use crate::errors::not_found;

impl FromRow for Project {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Project {
            id: row.text("id")?,
            name: row.text("name")?,
            domain_id: row.text("domain_id")?,
            parent_id: row.opt_text("parent_id")?,
            description: row.text("description")?,
            enabled: row.bool("enabled")?,
            is_domain: row.bool("is_domain")?,
            tags: row.json("tags")?,
            options: row.json("options")?,
            extra: row.json("extra")?,
            generation: row.int("generation")?,
        })
    }
}

/// A project or a domain.
pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Project>> {
    sql("SELECT * FROM identity_project WHERE id = $1").bind(id).optional(conn).await
}

pub async fn require(conn: &mut AnyConnection, id: &str) -> Result<Project, base::Error> {
    get(conn, id).await?.ok_or_else(|| not_found("project", id))
}

pub async fn by_name(conn: &mut AnyConnection, domain_id: &str, name: &str) -> db::Result<Option<Project>> {
    sql("SELECT * FROM identity_project WHERE domain_id = $1 AND name = $2 AND is_domain = 0")
        .bind(domain_id)
        .bind(name)
        .optional(conn)
        .await
}

/// Every project, or every one of a domain; not the domains themselves.
pub async fn list(conn: &mut AnyConnection, domain_id: Option<&str>) -> db::Result<Vec<Project>> {
    match domain_id {
        Some(domain) => {
            sql("SELECT * FROM identity_project WHERE is_domain = 0 AND domain_id = $1 ORDER BY name, id")
                .bind(domain)
                .rows(conn)
                .await
        }
        None => sql("SELECT * FROM identity_project WHERE is_domain = 0 ORDER BY name, id").rows(conn).await,
    }
}

/// The ancestors, nearest first: the domain comes last.
pub async fn ancestors(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<Project>> {
    let mut found: Vec<Project> = Vec::new();
    let mut next = get(conn, id).await?.and_then(|p| p.parent_id);
    // The tree is a few levels deep, by rule.
    while let Some(parent) = next {
        let Some(project) = get(conn, &parent).await? else { break };
        next = project.parent_id.clone();
        found.push(project);
    }
    Ok(found)
}

/// Everything below, breadth first.
pub async fn subtree(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<Project>> {
    let mut found = children(conn, id).await?;
    let mut at = 0;
    while at < found.len() {
        let more = children(conn, &found[at].id.clone()).await?;
        found.extend(more);
        at += 1;
    }
    Ok(found)
}

pub async fn children(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<Project>> {
    sql("SELECT * FROM identity_project WHERE parent_id = $1 ORDER BY name, id").bind(id).rows(conn).await
}

pub async fn insert(conn: &mut AnyConnection, project: &Project) -> db::Result<()> {
    sql("INSERT INTO identity_project (id, name, domain_id, parent_id, description, enabled, is_domain, tags, \
         options, extra, generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)")
    .bind(project.id.as_str())
    .bind(project.name.as_str())
    .bind(project.domain_id.as_str())
    .bind(project.parent_id.clone())
    .bind(project.description.as_str())
    .bind(i64::from(project.enabled))
    .bind(i64::from(project.is_domain))
    .bind(json_text(&project.tags)?)
    .bind(json_text(&project.options)?)
    .bind(json_text(&project.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, project: &Project) -> db::Result<()> {
    sql("UPDATE identity_project SET name = $1, description = $2, enabled = $3, tags = $4, options = $5, \
         extra = $6, generation = generation + 1 WHERE id = $7")
    .bind(project.name.as_str())
    .bind(project.description.as_str())
    .bind(i64::from(project.enabled))
    .bind(json_text(&project.tags)?)
    .bind(json_text(&project.options)?)
    .bind(json_text(&project.extra)?)
    .bind(project.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

/// The project and all that was about it. For a domain's own users, groups and roles see `domains::store`.
pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_assignment WHERE target_id = $1 AND target_kind IN ('project', 'domain')",
        "DELETE FROM identity_application_credential WHERE project_id = $1",
        "DELETE FROM identity_credential WHERE project_id = $1",
        "DELETE FROM identity_trust WHERE project_id = $1",
        "DELETE FROM identity_limit WHERE owner_id = $1",
        "DELETE FROM identity_oauth_token WHERE project_id = $1",
        "DELETE FROM identity_project_endpoint WHERE project_id = $1",
        "DELETE FROM identity_project_endpoint_group WHERE project_id = $1",
        "DELETE FROM identity_domain_option WHERE domain_id = $1",
        "UPDATE identity_user SET default_project_id = NULL WHERE default_project_id = $1",
        "DELETE FROM identity_project WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}
