use std::collections::HashMap;

use base::{Ctx, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{DEFAULT, SPEC, SecurityGroup};
use crate::plane::{self, Wakes};
use crate::rows::{self, Where, texts};
use crate::security_group_rules::{self as rules, Rule};
use crate::standard::Standard;
use crate::{default_rules, fault, quotas, rbac, request};

/// 404 for one that the caller may not see.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<SecurityGroup> {
    request::visible(conn, ctx, id).await
}

/// 403 for one that is shared with the caller and not his.
pub async fn owned(conn: &mut AnyConnection, ctx: &Ctx, id: &str, rule: &str) -> Result<SecurityGroup> {
    let group = visible(conn, ctx, id).await?;
    if ctx.owns(&group.standard.project_id) { Ok(group) } else { Err(fault::policy(rule)) }
}

/// Refuses while ports have it.
pub async fn unused(conn: &mut AnyConnection, id: &str) -> Result<()> {
    let used = sql("SELECT port_id FROM port_security_group WHERE security_group_id = $1 LIMIT 1")
        .bind(id)
        .exists(conn)
        .await?;
    if used {
        return Err(fault::conflict("SecurityGroupInUse", format!("Security Group {id} in use.")));
    }
    Ok(())
}

/// Checks that the caller may use all of these groups, and on one port; the answer is free of repetitions.
pub async fn check(conn: &mut AnyConnection, ctx: &Ctx, ids: &[String]) -> Result<Vec<String>> {
    let mut found: Vec<SecurityGroup> = Vec::new();
    for id in ids {
        let group = visible(conn, ctx, id).await?;
        if !found.iter().any(|f| f.standard.id == group.standard.id) {
            found.push(group);
        }
    }
    if found.iter().any(|group| group.stateful) && found.iter().any(|group| !group.stateful) {
        return Err(fault::conflict(
            "SecurityGroupConflict",
            "Error Cannot apply both stateful and stateless security groups on the same port at the same time while \
             attempting the operation."
                .into(),
        ));
    }
    let mut ids: Vec<String> = found.into_iter().map(|group| group.standard.id).collect();
    ids.sort();
    Ok(ids)
}

pub async fn default_of(conn: &mut AnyConnection, project_id: &str) -> Result<Option<String>> {
    Ok(sql("SELECT id FROM security_group WHERE project_id = $1 AND is_default = 1")
        .bind(project_id)
        .optional(conn)
        .await?)
}

/// The project's default group, made if it is not there yet.
pub async fn default_group(tx: &mut Tx, ctx: &Ctx, project_id: &str) -> Result<String> {
    if let Some(id) = default_of(tx, project_id).await? {
        return Ok(id);
    }
    let group = SecurityGroup {
        standard: Standard::new(project_id, DEFAULT, "Default security group"),
        is_default: true,
        stateful: true,
        shared: false,
    };
    insert(tx, ctx, &group).await?;
    Ok(group.standard.id)
}

/// The group with the rules that every new one has.
async fn insert(tx: &mut Tx, ctx: &Ctx, group: &SecurityGroup) -> Result<Vec<Rule>> {
    let s = &group.standard;
    rows::insert(tx, SPEC.table, &s.id, group.columns()).await?;
    let first = default_rules::store::for_group(tx, group).await?;
    for rule in &first {
        rules::store::insert(tx, rule).await?;
    }
    tx.event(Event::new("network", "security_group.create", &s.id, &s.project_id, ctx)).await?;
    Ok(first)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, group: &SecurityGroup) -> Result<Vec<Rule>> {
    let project = &group.standard.project_id;
    default_group(tx, ctx, project).await?;
    quotas::store::check(tx, project, "security_group", 1).await?;
    let made = insert(tx, ctx, group).await?;
    quotas::store::check(tx, project, "security_group_rule", 0).await?;
    Ok(made)
}

/// Group id -> its rules.
pub async fn rules_of(
    conn: &mut AnyConnection,
    groups: &[SecurityGroup],
) -> Result<HashMap<String, Vec<Rule>>> {
    let mut conditions = Where::default();
    if groups.len() <= 200 {
        conditions.among("security_group_id", texts(groups.iter().map(|g| &g.standard.id)));
    }
    let mut map: HashMap<String, Vec<Rule>> = HashMap::new();
    for rule in conditions.rows::<Rule>(conn, rules::SPEC.table).await? {
        map.entry(rule.security_group_id.clone()).or_default().push(rule);
    }
    Ok(map)
}

pub async fn update(tx: &mut Tx, ctx: &Ctx, group: &SecurityGroup, seen: i64) -> Result<()> {
    let s = &group.standard;
    rows::update(tx, SPEC.table, &s.id, seen, group.columns()).await?;
    tx.event(Event::new("network", "security_group.update", &s.id, &s.project_id, ctx)).await?;
    Ok(())
}

/// Rules of other groups that refer to it go with it.
pub async fn delete(tx: &mut Tx, ctx: &Ctx, group: &SecurityGroup) -> Result<Wakes> {
    let s = &group.standard;
    if group.is_default && !ctx.is_admin() {
        return Err(fault::conflict(
            "SecurityGroupCannotRemoveDefault",
            "Insufficient rights for removing default security group.".into(),
        ));
    }
    unused(tx, &s.id).await?;
    rbac::store::forget(tx, &s.id).await?;
    let wakes = Wakes::networks(plane::store::networks_referring(tx, &s.id).await?);
    rows::delete(tx, SPEC.table, &s.id).await?;
    tx.event(Event::new("network", "security_group.delete", &s.id, &s.project_id, ctx)).await?;
    Ok(wakes)
}
