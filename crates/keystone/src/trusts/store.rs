//! Trusts as rows.

use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::Trust;

impl FromRow for Trust {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Trust {
            id: row.text("id")?,
            trustor_user_id: row.text("trustor_user_id")?,
            trustee_user_id: row.text("trustee_user_id")?,
            project_id: row.opt_text("project_id")?,
            impersonation: row.bool("impersonation")?,
            role_ids: row.json("role_ids")?,
            expires_at: row.opt_int("expires_at")?,
            remaining_uses: row.opt_int("remaining_uses")?,
            redelegated_trust_id: row.opt_text("redelegated_trust_id")?,
            redelegation_count: row.int("redelegation_count")?,
            extra: row.json("extra")?,
        })
    }
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<Trust>> {
    sql("SELECT * FROM identity_trust WHERE id = $1").bind(id).optional(conn).await
}

/// A trust and those that it comes from, nearest first; empty when one of them is gone.
pub async fn pedigree(conn: &mut AnyConnection, id: &str) -> db::Result<Vec<Trust>> {
    let mut chain: Vec<Trust> = Vec::new();
    let mut next = Some(id.to_owned());
    while let Some(id) = next {
        let Some(trust) = get(conn, &id).await? else { return Ok(Vec::new()) };
        next = trust.redelegated_trust_id.clone();
        chain.push(trust);
    }
    Ok(chain)
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<Trust>> {
    sql("SELECT * FROM identity_trust ORDER BY id").rows(conn).await
}

pub async fn of_trustor(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Trust>> {
    sql("SELECT * FROM identity_trust WHERE trustor_user_id = $1 ORDER BY id").bind(user_id).rows(conn).await
}

pub async fn of_trustee(conn: &mut AnyConnection, user_id: &str) -> db::Result<Vec<Trust>> {
    sql("SELECT * FROM identity_trust WHERE trustee_user_id = $1 ORDER BY id").bind(user_id).rows(conn).await
}

pub async fn insert(conn: &mut AnyConnection, trust: &Trust) -> db::Result<()> {
    sql("INSERT INTO identity_trust (id, trustor_user_id, trustee_user_id, project_id, impersonation, role_ids, \
         expires_at, remaining_uses, redelegated_trust_id, redelegation_count, extra) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
    .bind(trust.id.as_str())
    .bind(trust.trustor_user_id.as_str())
    .bind(trust.trustee_user_id.as_str())
    .bind(trust.project_id.clone())
    .bind(i64::from(trust.impersonation))
    .bind(json_text(&trust.role_ids)?)
    .bind(trust.expires_at)
    .bind(trust.remaining_uses)
    .bind(trust.redelegated_trust_id.clone())
    .bind(trust.redelegation_count)
    .bind(json_text(&trust.extra)?)
    .run(conn)
    .await?;
    Ok(())
}

/// Takes one use; false when none was left.
pub async fn consume(conn: &mut AnyConnection, id: &str) -> db::Result<bool> {
    let taken = sql("UPDATE identity_trust SET remaining_uses = remaining_uses - 1 \
         WHERE id = $1 AND remaining_uses > 0")
    .bind(id)
    .run(conn)
    .await?;
    Ok(taken > 0)
}

/// With all that was redelegated from it.
pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("WITH RECURSIVE down (id) AS (SELECT id FROM identity_trust WHERE id = $1 UNION \
         SELECT t.id FROM identity_trust t JOIN down ON t.redelegated_trust_id = down.id) \
         DELETE FROM identity_trust WHERE id IN (SELECT id FROM down)")
    .bind(id)
    .run(conn)
    .await?;
    Ok(())
}
