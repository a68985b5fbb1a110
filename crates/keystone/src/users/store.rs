//! Users as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::User;

impl FromRow for User {
    fn from_row(row: &Row) -> db::Result<Self> {
        Ok(User {
            id: row.text("id")?,
            name: row.text("name")?,
            domain_id: row.text("domain_id")?,
            default_project_id: row.opt_text("default_project_id")?,
            enabled: row.bool("enabled")?,
            password_hash: row.opt_text("password_hash")?,
            options: row.json("options")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<User>> {
    sql("SELECT * FROM identity_user WHERE id = $1").bind(id).optional(conn).await
}

pub async fn by_name(conn: &mut AnyConnection, domain_id: &str, name: &str) -> db::Result<Option<User>> {
    sql("SELECT * FROM identity_user WHERE domain_id = $1 AND name = $2")
        .bind(domain_id)
        .bind(name)
        .optional(conn)
        .await
}

pub async fn list(conn: &mut AnyConnection, domain_id: Option<&str>) -> db::Result<Vec<User>> {
    match domain_id {
        Some(domain) => {
            sql("SELECT * FROM identity_user WHERE domain_id = $1 ORDER BY name, id")
                .bind(domain)
                .rows(conn)
                .await
        }
        None => sql("SELECT * FROM identity_user ORDER BY name, id").rows(conn).await,
    }
}

pub async fn insert(conn: &mut AnyConnection, user: &User) -> db::Result<()> {
    sql("INSERT INTO identity_user (id, name, domain_id, default_project_id, enabled, password_hash, \
         password_changed_at, options, extra, generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)")
    .bind(user.id.as_str())
    .bind(user.name.as_str())
    .bind(user.domain_id.as_str())
    .bind(user.default_project_id.clone())
    .bind(i64::from(user.enabled))
    .bind(user.password_hash.clone())
    .bind(base::time::now())
    .bind(json_text(&user.options)?)
    .bind(json_text(&user.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

/// All but the password.
pub async fn update(conn: &mut AnyConnection, user: &User) -> db::Result<()> {
    sql("UPDATE identity_user SET name = $1, default_project_id = $2, enabled = $3, options = $4, extra = $5, \
         generation = generation + 1 WHERE id = $6")
    .bind(user.name.as_str())
    .bind(user.default_project_id.clone())
    .bind(i64::from(user.enabled))
    .bind(json_text(&user.options)?)
    .bind(json_text(&user.extra)?)
    .bind(user.id.as_str())
    .run(conn)
    .await?;
    Ok(())
}

pub async fn set_password(conn: &mut AnyConnection, id: &str, hash: Option<&str>) -> db::Result<()> {
    sql(
        "UPDATE identity_user SET password_hash = $1, password_changed_at = $2, generation = generation + 1 \
         WHERE id = $3",
    )
    .bind(hash.map(str::to_owned))
    .bind(base::time::now())
    .bind(id)
    .run(conn)
    .await?;
    Ok(())
}

/// The user and all that was theirs.
pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    for statement in [
        "DELETE FROM identity_assignment WHERE actor_kind = 'user' AND actor_id = $1",
        "DELETE FROM identity_membership WHERE user_id = $1",
        "DELETE FROM identity_application_credential WHERE user_id = $1",
        "DELETE FROM identity_access_rule WHERE user_id = $1",
        "DELETE FROM identity_credential WHERE user_id = $1",
        "DELETE FROM identity_user WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}
