use std::collections::HashSet;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{Rule, SPEC, rules};
use crate::plane::{self, Wakes};
use crate::rows::{self, Where, texts};
use crate::{address_groups, quotas, request, security_groups};

pub async fn insert(tx: &mut Tx, rule: &Rule) -> db::Result<()> {
    rows::insert(tx, SPEC.table, &rule.id, rule.columns()).await
}

/// 404 for another project's.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Rule> {
    request::visible(conn, ctx, id).await
}

/// Which of the groups of these rules are their projects' default ones.
pub async fn default_groups(conn: &mut AnyConnection, rules: &[Rule]) -> Result<HashSet<String>> {
    let mut conditions = Where::of("is_default", 1);
    if rules.len() <= 200 {
        conditions.among("id", texts(rules.iter().map(|r| &r.security_group_id)));
    }
    let ids: Vec<String> = conditions.statement("SELECT id FROM security_group", "").rows(conn).await?;
    Ok(ids.into_iter().collect())
}

/// Adds rules to one group.
pub async fn create(tx: &mut Tx, ctx: &Ctx, new: &[Rule]) -> Result<Wakes> {
    let Some(first) = new.first() else { return Ok(Wakes::default()) };
    let group =
        security_groups::store::owned(tx, ctx, &first.security_group_id, "create_security_group_rule")
            .await?;
    quotas::store::check(tx, &first.project_id, "security_group_rule", new.len() as i64).await?;
    for rule in new {
        if let Some(remote) = &rule.remote_group {
            security_groups::store::visible(tx, ctx, remote).await?;
        }
        if let Some(remote) = &rule.remote_address_group {
            request::visible::<address_groups::AddressGroup>(tx, ctx, remote).await?;
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
    rows::touch(tx, security_groups::SPEC.table, group_id).await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, rule: &Rule) -> Result<Wakes> {
    rows::delete(tx, SPEC.table, &rule.id).await?;
    touch_group(tx, &rule.security_group_id).await?;
    tx.event(Event::new("network", "security_group_rule.delete", &rule.id, &rule.project_id, ctx)).await?;
    Ok(Wakes::networks(plane::store::networks_using(tx, &rule.security_group_id).await?))
}
