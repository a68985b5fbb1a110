use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{Rule, SPEC, rules};
use crate::plane::{self, Wakes};
use crate::{fault, quotas, rows, security_groups};

pub async fn insert(tx: &mut Tx, rule: &Rule) -> db::Result<()> {
    rows::insert(tx, SPEC.table, &rule.id, rule.columns()).await
}

/// 404 for another project's.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Rule> {
    let rule: Option<Rule> = rows::find(conn, SPEC.table, id).await?;
    rule.filter(|r| ctx.owns(&r.project_id)).ok_or_else(|| fault::security_group_rule_not_found(id))
}

/// Adds rules to one group.
pub async fn create(tx: &mut Tx, ctx: &Ctx, new: &[Rule]) -> Result<Wakes> {
    let Some(first) = new.first() else { return Ok(Wakes::default()) };
    let group = security_groups::store::visible(tx, ctx, &first.security_group_id).await?;
    quotas::store::check(tx, &first.project_id, "security_group_rule", new.len() as i64).await?;
    for rule in new {
        if let Some(remote) = &rule.remote_group {
            security_groups::store::visible(tx, ctx, remote).await?;
        }
        let same: Option<String> =
            sql("SELECT id FROM security_group_rule WHERE security_group_id = $1 AND fingerprint = $2")
                .bind(&rule.security_group_id)
                .bind(rules::fingerprint(rule))
                .optional(tx)
                .await?;
        if let Some(same) = same {
            return Err(rules::exists(&same));
        }
        insert(tx, rule).await?;
        tx.event(Event::new("network", "security_group_rule.create", &rule.id, &rule.project_id, ctx))
            .await?;
    }
    touch_group(tx, &group.standard.id).await?;
    Ok(Wakes::networks(plane::store::networks_using(tx, &group.standard.id).await?))
}

/// A group's revision counts its rules' changes too.
async fn touch_group(tx: &mut Tx, group_id: &str) -> Result<()> {
    sql("UPDATE security_group SET revision = revision + 1, updated_at = $1 WHERE id = $2")
        .bind(base::time::now())
        .bind(group_id)
        .run(tx)
        .await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, rule: &Rule) -> Result<Wakes> {
    rows::delete(tx, SPEC.table, &rule.id).await?;
    touch_group(tx, &rule.security_group_id).await?;
    tx.event(Event::new("network", "security_group_rule.delete", &rule.id, &rule.project_id, ctx)).await?;
    Ok(Wakes::networks(plane::store::networks_using(tx, &rule.security_group_id).await?))
}
