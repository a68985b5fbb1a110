use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, json_text, sql};

use super::Acl;

/// `of`: a secret's id or a container's.
pub async fn find(conn: &mut AnyConnection, of: &str) -> Result<Option<Acl>> {
    Ok(sql("SELECT project_access, users, created_at, updated_at FROM secret_acl \
            WHERE of_id = $1 AND operation = 'read'")
    .bind(of)
    .optional(conn)
    .await?)
}

pub async fn put(tx: &mut Tx, ctx: &Ctx, of: &str, project: &str, acl: &Acl) -> Result<()> {
    remove(tx, of).await?;
    sql("INSERT INTO secret_acl (of_id, operation, project_access, users, created_at, updated_at) \
         VALUES ($1, 'read', $2, $3, $4, $5)")
    .bind(of)
    .bind(i64::from(acl.project_access))
    .bind(json_text(&acl.users)?)
    .bind(acl.created_at)
    .bind(acl.updated_at)
    .run(tx)
    .await?;
    tx.event(Event::new("key-manager", "acl.update", of, project, ctx)).await?;
    Ok(())
}

pub async fn remove(tx: &mut Tx, of: &str) -> Result<bool> {
    Ok(sql("DELETE FROM secret_acl WHERE of_id = $1").bind(of).run(tx).await? > 0)
}
