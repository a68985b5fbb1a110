//! Roles and implications as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::Role;

impl FromRow for Role {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Role {
            id: row.text("id")?,
            name: row.text("name")?,
            domain_id: row.text("domain_id")?,
            description: row.opt_text("description")?,
            options: row.json("options")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Role>> {
    sql("SELECT * FROM identity_role ORDER BY name, id").rows(conn).await
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Role>> {
    sql("SELECT * FROM identity_role WHERE id = $1").bind(id).optional(conn).await
}

pub async fn insert(conn: &mut AnyConnection, role: &Role) -> db::Result<()> {
    sql("INSERT INTO identity_role (id, name, domain_id, description, options, extra) \
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(role.id.as_str())
    .bind(role.name.as_str())
    .bind(role.domain_id.as_str())
    .bind(role.description.clone())
    .bind(json_text(&role.options)?)
    .bind(json_text(&role.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, role: &Role) -> db::Result<()> {
    sql("UPDATE identity_role SET name = $1, description = $2, options = $3, extra = $4 WHERE id = $5")
        .bind(role.name.as_str())
        .bind(role.description.clone())
        .bind(json_text(&role.options)?)
        .bind(json_text(&role.extra)?)
        .bind(role.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_assignment WHERE role_id = $1",
        "DELETE FROM identity_implied_role WHERE prior_id = $1",
        "DELETE FROM identity_implied_role WHERE implied_id = $1",
        "DELETE FROM identity_role WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}

/// (prior, implied)
pub async fn implications(conn: &mut AnyConnection) -> db::Result<Vec<(String, String)>> {
    sql("SELECT prior_id, implied_id FROM identity_implied_role ORDER BY prior_id, implied_id")
        .rows(conn)
        .await
}

pub async fn imply(conn: &mut AnyConnection, prior: &str, implied: &str) -> db::Result<()> {
    sql("INSERT INTO identity_implied_role (prior_id, implied_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(prior)
        .bind(implied)
        .run(conn)
        .await?;
    Ok(())
}

/// False when it was not implied.
pub async fn unimply(conn: &mut AnyConnection, prior: &str, implied: &str) -> db::Result<bool> {
    let gone = sql("DELETE FROM identity_implied_role WHERE prior_id = $1 AND implied_id = $2")
        .bind(prior)
        .bind(implied)
        .run(conn)
        .await?;
    Ok(gone > 0)
}
