//! Users as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::User;

impl FromRow for User {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(User {
            id: row.text("id")?,
            name: row.text("name")?,
            domain_id: row.text("domain_id")?,
            default_project_id: row.opt_text("default_project_id")?,
            enabled: row.bool("enabled")?,
            password_hash: row.opt_text("password_hash")?,
            password_changed_at: row.opt_int("password_changed_at")?,
            password_expires_at: row.opt_int("password_expires_at")?,
            failed_logins: row.int("failed_logins")?,
            failed_login_at: row.opt_int("failed_login_at")?,
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

/// Without a password: see [`set_password`].
pub async fn insert(conn: &mut AnyConnection, user: &User) -> db::Result<()> {
    sql("INSERT INTO identity_user (id, name, domain_id, default_project_id, enabled, options, extra, generation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0)")
    .bind(user.id.as_str())
    .bind(user.name.as_str())
    .bind(user.domain_id.as_str())
    .bind(user.default_project_id.clone())
    .bind(i64::from(user.enabled))
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

pub struct NewPassword {
    /// None: the user cannot log in by one.
    pub hash: Option<String>,
    pub expires_at: Option<i64>,
    /// How many to remember, this one included.
    pub history: u32,
}

pub async fn set_password(conn: &mut AnyConnection, id: &str, password: &NewPassword) -> db::Result<()> {
    let now = base::time::now();
    sql("UPDATE identity_user SET password_hash = $1, password_changed_at = $2, password_expires_at = $3, \
         failed_logins = 0, failed_login_at = NULL, generation = generation + 1 WHERE id = $4")
    .bind(password.hash.clone())
    .bind(now)
    .bind(password.expires_at)
    .bind(id)
    .run(conn)
    .await?;
    if let Some(hash) = password.hash.clone().filter(|_| password.history > 0) {
        sql("INSERT INTO identity_password (user_id, created_at, password_hash) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(now)
            .bind(hash)
            .run(conn)
            .await?;
    }
    sql("DELETE FROM identity_password WHERE user_id = $1 AND created_at NOT IN \
         (SELECT created_at FROM identity_password WHERE user_id = $1 ORDER BY created_at DESC LIMIT $2)")
    .bind(id)
    .bind(i64::from(password.history))
    .run(conn)
    .await?;
    Ok(())
}

/// The hashes of passwords that a user has had, as far as they are remembered.
pub async fn passwords(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<String>> {
    sql("SELECT password_hash FROM identity_password WHERE user_id = $1 ORDER BY created_at DESC")
        .bind(id)
        .rows(conn)
        .await
}

/// A wrong password. `fresh`: the first after a lock-out that is over.
pub async fn count_failure(conn: &mut AnyConnection, id: &str, fresh: bool) -> db::Result<()> {
    sql("UPDATE identity_user SET failed_logins = CASE WHEN $1 = 1 THEN 1 ELSE failed_logins + 1 END, \
         failed_login_at = $2 WHERE id = $3")
    .bind(i64::from(fresh))
    .bind(base::time::now())
    .bind(id)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn forget_failures(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("UPDATE identity_user SET failed_logins = 0, failed_login_at = NULL WHERE id = $1")
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
        "DELETE FROM identity_trust WHERE trustor_user_id = $1 OR trustee_user_id = $1",
        "DELETE FROM identity_password WHERE user_id = $1",
        "DELETE FROM identity_oauth_token WHERE authorizing_user_id = $1",
        "DELETE FROM identity_user WHERE id = $1",
    ] {
        sql(statement).bind(id).run(conn).await?;
    }
    Ok(())
}
