//! Application credentials and access rules as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::{AccessRule, ApplicationCredential};

impl FromRow for ApplicationCredential {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(ApplicationCredential {
            id: row.text("id")?,
            name: row.text("name")?,
            user_id: row.text("user_id")?,
            project_id: row.text("project_id")?,
            description: row.opt_text("description")?,
            secret_hash: row.text("secret_hash")?,
            expires_at: row.opt_int("expires_at")?,
            unrestricted: row.bool("unrestricted")?,
            role_ids: row.json("role_ids")?,
            access_rule_ids: row.json("access_rule_ids")?,
        })
    }
}

impl FromRow for AccessRule {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(AccessRule {
            id: row.text("id")?,
            service: row.text("service")?,
            path: row.text("path")?,
            method: row.text("method")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<ApplicationCredential>> {
    sql("SELECT * FROM identity_application_credential WHERE id = $1").bind(id).optional(conn).await
}

pub async fn by_name(
    conn: &mut AnyConnection,
    user_id: &str,
    name: &str,
) -> db::Result<Option<ApplicationCredential>> {
    sql("SELECT * FROM identity_application_credential WHERE user_id = $1 AND name = $2")
        .bind(user_id)
        .bind(name)
        .optional(conn)
        .await
}

pub async fn of_user(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<ApplicationCredential>> {
    sql("SELECT * FROM identity_application_credential WHERE user_id = $1 ORDER BY name, id")
        .bind(user_id)
        .rows(conn)
        .await
}

pub async fn insert(conn: &mut AnyConnection, credential: &ApplicationCredential) -> db::Result<()> {
    sql("INSERT INTO identity_application_credential (id, name, user_id, project_id, description, secret_hash, \
         expires_at, unrestricted, role_ids, access_rule_ids) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(credential.id.as_str())
    .bind(credential.name.as_str())
    .bind(credential.user_id.as_str())
    .bind(credential.project_id.as_str())
    .bind(credential.description.clone())
    .bind(credential.secret_hash.as_str())
    .bind(credential.expires_at)
    .bind(i64::from(credential.unrestricted))
    .bind(json_text(&credential.role_ids)?)
    .bind(json_text(&credential.access_rule_ids)?)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_application_credential WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

pub async fn rules_of_user(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<AccessRule>> {
    sql("SELECT * FROM identity_access_rule WHERE user_id = $1 ORDER BY service, path, method")
        .bind(user_id)
        .rows(conn)
        .await
}

/// In the order asked.
pub async fn rules(conn: &mut AnyConnection, ids: &[String]) -> db::Result<Vec<AccessRule>> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(
            sql("SELECT * FROM identity_access_rule WHERE id = $1")
                .bind(id.as_str())
                .optional::<AccessRule>(conn)
                .await?,
        );
    }
    Ok(found)
}

/// The user's rule of that content, made when it is new.
pub async fn ensure_rule(
    conn: &mut AnyConnection,
    user_id: &str,
    service: &str,
    path: &str,
    method: &str,
) -> db::Result<AccessRule> {
    let found = sql("SELECT * FROM identity_access_rule WHERE user_id = $1 AND service = $2 AND path = $3 \
         AND method = $4")
    .bind(user_id)
    .bind(service)
    .bind(path)
    .bind(method)
    .optional(conn)
    .await?;
    if let Some(rule) = found {
        return Ok(rule);
    }
    let rule = AccessRule {
        id: base::id::hex(),
        service: service.to_owned(),
        path: path.to_owned(),
        method: method.to_owned(),
    };
    sql("INSERT INTO identity_access_rule (id, user_id, service, path, method) VALUES ($1, $2, $3, $4, $5)")
        .bind(rule.id.as_str())
        .bind(user_id)
        .bind(service)
        .bind(path)
        .bind(method)
        .run(conn)
        .await?;
    Ok(rule)
}

pub async fn delete_rule(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_access_rule WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}
