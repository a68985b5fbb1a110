//! Policies and their associations as rows.

use base::Error;
use db::{AnyConnection, FromRow, Row, json_text, sql};

use super::{Association, PolicyBlob, Subject};
use crate::errors::not_found;

impl FromRow for PolicyBlob {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(PolicyBlob {
            id: row.text("id")?,
            kind: row.text("type")?,
            blob: row.text("blob")?,
            extra: row.json("extra")?,
        })
    }
}

impl FromRow for Association {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let subject = Subject {
            endpoint_id: row.text("endpoint_id")?,
            service_id: row.text("service_id")?,
            region_id: row.text("region_id")?,
        };
        Ok(Association { subject, policy_id: row.text("policy_id")? })
    }
}

pub async fn all(conn: &mut AnyConnection) -> db::Result<Vec<PolicyBlob>> {
    sql("SELECT * FROM identity_policy ORDER BY id").rows(conn).await
}

pub async fn get(conn: &mut AnyConnection, id: &str) -> db::Result<Option<PolicyBlob>> {
    sql("SELECT * FROM identity_policy WHERE id = $1").bind(id).optional(conn).await
}

pub async fn require(conn: &mut AnyConnection, id: &str) -> Result<PolicyBlob, Error> {
    get(conn, id).await?.ok_or_else(|| not_found("policy", id))
}

pub async fn insert(conn: &mut AnyConnection, policy: &PolicyBlob) -> db::Result<()> {
    sql("INSERT INTO identity_policy (id, type, blob, extra) VALUES ($1, $2, $3, $4)")
        .bind(policy.id.as_str())
        .bind(policy.kind.as_str())
        .bind(policy.blob.as_str())
        .bind(json_text(&policy.extra)?)
        .run(conn)
        .await?;
    Ok(())
}

pub async fn update(conn: &mut AnyConnection, policy: &PolicyBlob) -> db::Result<()> {
    sql("UPDATE identity_policy SET type = $1, blob = $2, extra = $3 WHERE id = $4")
        .bind(policy.kind.as_str())
        .bind(policy.blob.as_str())
        .bind(json_text(&policy.extra)?)
        .bind(policy.id.as_str())
        .run(conn)
        .await?;
    Ok(())
}

pub async fn delete(conn: &mut AnyConnection, id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_policy_association WHERE policy_id = $1").bind(id).run(conn).await?;
    sql("DELETE FROM identity_policy WHERE id = $1").bind(id).run(conn).await?;
    Ok(())
}

pub async fn associations(conn: &mut AnyConnection) -> db::Result<Vec<Association>> {
    sql("SELECT * FROM identity_policy_association ORDER BY policy_id").rows(conn).await
}

/// In place of whichever policy was there.
pub async fn associate(conn: &mut AnyConnection, subject: &Subject, policy_id: &str) -> db::Result<()> {
    sql("INSERT INTO identity_policy_association (endpoint_id, service_id, region_id, policy_id) \
         VALUES ($1, $2, $3, $4) \
         ON CONFLICT (endpoint_id, service_id, region_id) DO UPDATE SET policy_id = excluded.policy_id")
    .bind(subject.endpoint_id.as_str())
    .bind(subject.service_id.as_str())
    .bind(subject.region_id.as_str())
    .bind(policy_id)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn dissociate(conn: &mut AnyConnection, subject: &Subject, policy_id: &str) -> db::Result<()> {
    sql("DELETE FROM identity_policy_association WHERE endpoint_id = $1 AND service_id = $2 AND region_id = $3 \
         AND policy_id = $4")
    .bind(subject.endpoint_id.as_str())
    .bind(subject.service_id.as_str())
    .bind(subject.region_id.as_str())
    .bind(policy_id)
    .run(conn)
    .await?;
    Ok(())
}
