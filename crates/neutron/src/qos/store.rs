use std::collections::HashMap;

use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{QosPolicy, QosRule, rules};
use crate::fault;
use crate::plane::Wakes;
use crate::request;
use crate::rows::{self, Where, texts};

/// Refuses a policy that the caller may not use; '' is none.
pub async fn usable(conn: &mut AnyConnection, ctx: &Ctx, policy_id: &str) -> Result<()> {
    if !policy_id.is_empty() {
        request::visible::<QosPolicy>(conn, ctx, policy_id).await?;
    }
    Ok(())
}

/// Refuses to take away a policy that somebody else put there and that is not shared; '' is none.
pub async fn may_remove(conn: &mut AnyConnection, ctx: &Ctx, policy_id: &str) -> Result<()> {
    usable(conn, ctx, policy_id).await.map_err(|error| match error.is_not_found() {
        true => Error::forbidden(format!(
            "Failed to remove provided policy {policy_id} because you are not authorized."
        ))
        .code("PolicyRemoveAuthorizationError"),
        false => error,
    })
}

/// The project's default policy; '' for none.
pub async fn default_of(conn: &mut AnyConnection, project_id: &str) -> Result<String> {
    let id: Option<String> = sql("SELECT id FROM qos_policy WHERE project_id = $1 AND is_default = 1")
        .bind(project_id)
        .optional(conn)
        .await?;
    Ok(id.unwrap_or_default())
}

/// Policy id -> its rules.
pub async fn rules_of(
    conn: &mut AnyConnection,
    policies: &[QosPolicy],
) -> Result<HashMap<String, Vec<QosRule>>> {
    let mut conditions = Where::default();
    if policies.len() <= 200 {
        conditions.among("qos_policy_id", texts(policies.iter().map(|p| &p.standard.id)));
    }
    let mut map: HashMap<String, Vec<QosRule>> = HashMap::new();
    for rule in conditions.rows::<QosRule>(conn, "qos_rule").await? {
        map.entry(rule.qos_policy_id.clone()).or_default().push(rule);
    }
    Ok(map)
}

/// Rules of one policy.
pub async fn of_policy(conn: &mut AnyConnection, policy_id: &str) -> Result<Vec<QosRule>> {
    Ok(Where::of("qos_policy_id", policy_id).rows(conn, "qos_rule").await?)
}

pub async fn find_rule(conn: &mut AnyConnection, id: &str, kind: &str) -> Result<Option<QosRule>> {
    let rule: Option<QosRule> = rows::find(conn, "qos_rule", id).await?;
    Ok(rule.filter(|r| r.kind == kind))
}

pub async fn create_rule(tx: &mut Tx, ctx: &Ctx, policy: &QosPolicy, rule: &QosRule) -> Result<Wakes> {
    rules::check(rule, &of_policy(tx, &rule.qos_policy_id).await?)?;
    rows::insert(tx, "qos_rule", &rule.id, rule.columns()).await?;
    changed(tx, ctx, policy).await
}

pub async fn update_rule(tx: &mut Tx, ctx: &Ctx, policy: &QosPolicy, rule: &QosRule) -> Result<Wakes> {
    rules::check(rule, &of_policy(tx, &rule.qos_policy_id).await?)?;
    sql("UPDATE qos_rule SET direction = $1, max_kbps = $2, max_burst_kbps = $3, min_kbps = $4, dscp_mark = $5, \
         max_kpps = $6, max_burst_kpps = $7, min_kpps = $8 WHERE id = $9")
    .bind(&rule.direction)
    .bind(rule.max_kbps)
    .bind(rule.max_burst_kbps)
    .bind(rule.min_kbps)
    .bind(rule.dscp_mark)
    .bind(rule.max_kpps)
    .bind(rule.max_burst_kpps)
    .bind(rule.min_kpps)
    .bind(&rule.id)
    .run(tx)
    .await?;
    changed(tx, ctx, policy).await
}

pub async fn delete_rule(tx: &mut Tx, ctx: &Ctx, policy: &QosPolicy, rule: &QosRule) -> Result<Wakes> {
    rows::delete(tx, "qos_rule", &rule.id).await?;
    changed(tx, ctx, policy).await
}

/// A policy's revision counts its rules' changes too.
async fn changed(tx: &mut Tx, ctx: &Ctx, policy: &QosPolicy) -> Result<Wakes> {
    let s = &policy.standard;
    rows::touch(tx, "qos_policy", &s.id).await?;
    tx.event(Event::new("network", "qos_policy.update", &s.id, &s.project_id, ctx)).await?;
    wakes(tx, &s.id).await
}

/// Who has to look again when the policy changes: networks that have it or ports with it, routers that carry floating
/// IPs with it or have it at their gateway.
pub async fn wakes(conn: &mut AnyConnection, policy_id: &str) -> Result<Wakes> {
    let networks: Vec<String> = sql("SELECT id FROM network WHERE qos_policy_id = $1 \
         UNION SELECT network_id FROM port WHERE qos_policy_id = $1")
    .bind(policy_id)
    .rows(conn)
    .await?;
    let routers: Vec<String> =
        sql("SELECT router_id FROM floating_ip WHERE qos_policy_id = $1 AND router_id <> '' \
         UNION SELECT id FROM router WHERE gateway_qos_policy_id = $1")
        .bind(policy_id)
        .rows(conn)
        .await?;
    let mut wakes = Wakes::networks(networks);
    wakes.routers.extend(routers);
    Ok(wakes)
}

pub async fn check_unused(conn: &mut AnyConnection, policy_id: &str) -> Result<()> {
    let users: [(&str, &'static str); 4] = [
        ("network", "SELECT id FROM network WHERE qos_policy_id = $1 LIMIT 1"),
        ("port", "SELECT id FROM port WHERE qos_policy_id = $1 LIMIT 1"),
        ("floatingip", "SELECT id FROM floating_ip WHERE qos_policy_id = $1 LIMIT 1"),
        ("router", "SELECT id FROM router WHERE gateway_qos_policy_id = $1 LIMIT 1"),
    ];
    for (kind, statement) in users {
        let user: Option<String> = sql(statement).bind(policy_id).optional(conn).await?;
        if let Some(user) = user {
            return Err(fault::conflict(
                "QosPolicyInUse",
                format!("QoS Policy {policy_id} is used by {kind} {user}."),
            ));
        }
    }
    Ok(())
}

/// One default policy for each project.
pub async fn check_default(
    conn: &mut AnyConnection,
    before: Option<&QosPolicy>,
    policy: &QosPolicy,
) -> Result<()> {
    let project = &policy.standard.project_id;
    if policy.is_default
        && before.is_none_or(|b| !b.is_default)
        && !default_of(conn, project).await?.is_empty()
    {
        return Err(fault::conflict(
            "QoSPolicyDefaultAlreadyExists",
            format!("A default QoS policy exists for project {project}."),
        ));
    }
    Ok(())
}
