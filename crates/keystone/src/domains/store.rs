//! Domains as rows of the project table.

use base::Error;
use db::{AnyConnection, sql};

use super::rules;
use crate::errors::not_found;
use crate::projects::{self, Project};
use crate::{groups, roles, users};

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Project>> {
    Ok(projects::store::get(conn, id).await?.filter(|p| p.is_domain))
}

pub async fn require(conn: &mut AnyConnection, id: &str) -> Result<Project, Error> {
    get(conn, id).await?.ok_or_else(|| not_found("domain", id))
}

pub async fn by_name(conn: &mut AnyConnection, name: &str) -> db::Result<Option<Project>> {
    sql("SELECT * FROM identity_project WHERE is_domain = 1 AND name = $1").bind(name).optional(conn).await
}

pub async fn list(conn: &mut AnyConnection) -> db::Result<Vec<Project>> {
    sql("SELECT * FROM identity_project WHERE is_domain = 1 ORDER BY name, id").rows(conn).await
}

/// The domain with all that it owns.
pub async fn delete(conn: &mut AnyConnection, domain: &Project) -> Result<(), Error> {
    rules::check_delete(domain)?;
    for project in projects::store::list(conn, Some(&domain.id)).await? {
        projects::store::delete(conn, &project.id).await?;
    }
    for user in users::store::list(conn, Some(&domain.id)).await? {
        users::store::delete(conn, &user.id).await?;
    }
    for group in groups::store::list(conn, Some(&domain.id)).await? {
        groups::store::delete(conn, &group.id).await?;
    }
    let own: Vec<String> =
        sql("SELECT id FROM identity_role WHERE domain_id = $1").bind(domain.id.as_str()).rows(conn).await?;
    for role in own {
        roles::store::delete(conn, &role).await?;
    }
    projects::store::delete(conn, &domain.id).await?;
    Ok(())
}
