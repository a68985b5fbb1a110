//! Limits as rows.

use db::{AnyConnection, FromRow, Row, sql};

use super::{Limit, Owner, RegisteredLimit};

impl FromRow for RegisteredLimit {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(RegisteredLimit {
            id: row.text("id")?,
            service_id: row.text("service_id")?,
            region_id: row.text("region_id")?,
            resource_name: row.text("resource_name")?,
            default_limit: row.int("default_limit")?,
            description: row.opt_text("description")?,
        })
    }
}

impl FromRow for Limit {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let owner_id = row.text("owner_id")?;
        Ok(Limit {
            id: row.text("limit_id")?,
            owner: if row.text("owner_kind")? == "project" {
                Owner::Project(owner_id)
            } else {
                Owner::Domain(owner_id)
            },
            resource_limit: row.int("resource_limit")?,
            description: row.opt_text("limit_description")?,
            registered: RegisteredLimit::from_row(row)?,
        })
    }
}

/// A limit with the domain of its owner.
pub struct Placed {
    pub limit: Limit,
    pub domain_id: String,
}

impl FromRow for Placed {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Placed { limit: Limit::from_row(row)?, domain_id: row.text("owner_domain")? })
    }
}

pub async fn registered(conn: &mut AnyConnection) -> db::Result<Vec<RegisteredLimit>> {
    sql("SELECT * FROM identity_registered_limit ORDER BY service_id, resource_name, region_id")
        .rows(conn)
        .await
}

pub async fn get_registered(conn: &mut AnyConnection, id: &str) -> db::Result<Option<RegisteredLimit>> {
    sql("SELECT * FROM identity_registered_limit WHERE id = $1").bind(id).optional(conn).await
}

pub async fn find_registered(
    conn: &mut AnyConnection,
    service_id: &str,
    region_id: &str,
    resource_name: &str,
) -> db::Result<Option<RegisteredLimit>> {
    sql("SELECT * FROM identity_registered_limit \
         WHERE service_id = $1 AND region_id = $2 AND resource_name = $3")
    .bind(service_id)
    .bind(region_id)
    .bind(resource_name)
    .optional(conn)
    .await
}

pub async fn insert_registered(conn: &mut AnyConnection, limit: &RegisteredLimit) -> db::Result<()> {
    sql("INSERT INTO identity_registered_limit (id, service_id, region_id, resource_name, default_limit, \
         description) VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(limit.id.as_str())
    .bind(limit.service_id.as_str())
    .bind(limit.region_id.as_str())
    .bind(limit.resource_name.as_str())
    .bind(limit.default_limit)
    .bind(limit.description.clone())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update_registered(conn: &mut AnyConnection, limit: &RegisteredLimit) -> db::Result<()> {
    sql("UPDATE identity_registered_limit SET service_id = $1, region_id = $2, resource_name = $3, \
         default_limit = $4, description = $5 WHERE id = $6")
    .bind(limit.service_id.as_str())
    .bind(limit.region_id.as_str())
    .bind(limit.resource_name.as_str())
    .bind(limit.default_limit)
    .bind(limit.description.clone())
    .bind(limit.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete_registered(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_registered_limit WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

/// Is there a limit in its place somewhere?
pub async fn is_referenced(conn: &mut AnyConnection, registered_id: &str) -> db::Result<bool> {
    sql("SELECT id FROM identity_limit WHERE registered_limit_id = $1 LIMIT 1")
        .bind(registered_id)
        .exists(conn)
        .await
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Placed>> {
    sql("SELECT r.*, l.id AS limit_id, l.owner_kind, l.owner_id, l.resource_limit, \
         l.description AS limit_description, \
         CASE WHEN l.owner_kind = 'domain' THEN l.owner_id ELSE COALESCE(p.domain_id, '') END AS owner_domain \
         FROM identity_limit l JOIN identity_registered_limit r ON r.id = l.registered_limit_id \
         LEFT JOIN identity_project p ON p.id = l.owner_id \
         ORDER BY l.owner_id, r.service_id, r.resource_name, r.region_id")
    .rows(conn)
    .await
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Placed>> {
    sql("SELECT r.*, l.id AS limit_id, l.owner_kind, l.owner_id, l.resource_limit, \
         l.description AS limit_description, \
         CASE WHEN l.owner_kind = 'domain' THEN l.owner_id ELSE COALESCE(p.domain_id, '') END AS owner_domain \
         FROM identity_limit l JOIN identity_registered_limit r ON r.id = l.registered_limit_id \
         LEFT JOIN identity_project p ON p.id = l.owner_id WHERE l.id = $1")
    .bind(id)
    .optional(conn)
    .await
}

pub async fn insert(conn: &mut AnyConnection, limit: &Limit) -> db::Result<()> {
    sql("INSERT INTO identity_limit (id, registered_limit_id, owner_kind, owner_id, resource_limit, description) \
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(limit.id.as_str())
    .bind(limit.registered.id.as_str())
    .bind(limit.owner.kind())
    .bind(limit.owner.id())
    .bind(limit.resource_limit)
    .bind(limit.description.clone())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, limit: &Limit) -> db::Result<()> {
    sql("UPDATE identity_limit SET resource_limit = $1, description = $2 WHERE id = $3")
        .bind(limit.resource_limit)
        .bind(limit.description.clone())
        .bind(limit.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_limit WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}
