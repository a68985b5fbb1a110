use std::collections::HashSet;

use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql, sql_built};

use super::{EVERYBODY, EXTERNAL, RbacPolicy, SHARED, SPEC, rules};
use crate::rows::{self, Where};
use crate::{fault, quotas};

/// Ids of the objects of a type (first value) that a project (second value) was given.
pub const GRANTED: &str =
    "(SELECT object_id FROM rbac_policy WHERE object_type = ? AND target_project IN ('*', ?))";

/// Projects that use the external network: by gateways and floating IPs.
const EXTERNAL_USERS: &str = "SELECT r.project_id FROM port g JOIN router r ON r.id = g.device_id \
     WHERE g.network_id = $1 AND g.device_owner = 'network:router_gateway' \
     UNION SELECT project_id FROM floating_ip WHERE floating_network_id = $1";

/// Ids of the objects of this type that are shared with the caller's project.
pub async fn granted(conn: &mut AnyConnection, ctx: &Ctx, kind: &str) -> Result<HashSet<String>> {
    let ids: Vec<String> = sql("SELECT object_id FROM rbac_policy WHERE object_type = $1 AND action = $2 \
         AND target_project IN ('*', $3)")
    .bind(kind)
    .bind(SHARED)
    .bind(ctx.project().map_or("", |p| p.id.as_str()))
    .rows(conn)
    .await?;
    Ok(ids.into_iter().collect())
}

/// Whether one object is open to the caller's project by this action.
pub async fn is_granted(conn: &mut AnyConnection, ctx: &Ctx, object_id: &str, action: &str) -> Result<bool> {
    Ok(sql("SELECT id FROM rbac_policy WHERE object_id = $1 AND action = $2 AND target_project IN ('*', $3)")
        .bind(object_id)
        .bind(action)
        .bind(ctx.project().map_or("", |p| p.id.as_str()))
        .exists(conn)
        .await?)
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, policy: &RbacPolicy) -> Result<()> {
    quotas::store::check(tx, &policy.project_id, "rbac_policy", 1).await?;
    let (_, table, _) = object(policy)?;
    let owner: Option<String> = sql_built(format!("SELECT project_id FROM {table} WHERE id = $1"))
        .bind(&policy.object_id)
        .optional(tx)
        .await?;
    let missing = || {
        Error::not_found(format!("{} {} could not be found.", policy.object_type, policy.object_id))
            .code("ObjectNotFound")
    };
    let owner = owner.ok_or_else(missing)?;
    let visible = ctx.owns(&owner) || is_granted(tx, ctx, &policy.object_id, SHARED).await?;
    if !visible {
        return Err(missing());
    }
    rules::may_share(ctx, policy, &owner)?;
    if policy.object_type == "subnetpool" {
        check_scope(tx, policy).await?;
    }
    insert(tx, policy).await?;
    touch(tx, policy).await?;
    tx.event(Event::new("network", "rbac_policy.create", &policy.id, &policy.project_id, ctx)).await?;
    Ok(())
}

/// A pool is of use only to whom its address scope is open as well.
async fn check_scope(tx: &mut Tx, policy: &RbacPolicy) -> Result<()> {
    let closed = sql("SELECT p.id FROM subnet_pool p WHERE p.id = $1 AND p.address_scope_id <> '' \
         AND NOT EXISTS (SELECT 1 FROM rbac_policy r WHERE r.object_id = p.address_scope_id \
         AND r.target_project IN ('*', $2))")
    .bind(&policy.object_id)
    .bind(&policy.target_project)
    .exists(tx)
    .await?;
    if closed { Err(rules::not_reachable(policy)) } else { Ok(()) }
}

async fn insert(tx: &mut Tx, policy: &RbacPolicy) -> Result<()> {
    rows::insert(tx, SPEC.table, &policy.id, policy.columns())
        .await
        .map_err(|e| if db::is_unique(&e) { rules::duplicate() } else { e.into() })?;
    settle(tx, policy).await
}

/// Leads a policy to another project.
pub async fn update(tx: &mut Tx, ctx: &Ctx, before: &RbacPolicy, target: &str) -> Result<RbacPolicy> {
    if target == before.target_project {
        return Ok(before.clone());
    }
    let by_admin = before.by_admin && ctx.is_admin();
    let after = RbacPolicy { target_project: target.into(), by_admin, ..before.clone() };
    // Of who uses a shared object Neutron does not ask whether the new target lets them go on.
    if target != EVERYBODY {
        check_users(tx, before, Some(target).filter(|_| before.action == EXTERNAL)).await?;
    }
    sql("UPDATE rbac_policy SET target_project = $1, by_admin = $2 WHERE id = $3")
        .bind(target)
        .bind(i64::from(by_admin))
        .bind(&before.id)
        .run(tx)
        .await
        .map_err(|e| if db::is_unique(&e) { rules::duplicate() } else { e.into() })?;
    settle(tx, &after).await?;
    touch(tx, &after).await?;
    tx.event(Event::new("network", "rbac_policy.update", &before.id, &before.project_id, ctx)).await?;
    Ok(after)
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, policy: &RbacPolicy) -> Result<()> {
    rows::delete(tx, SPEC.table, &policy.id).await?;
    check_users(tx, policy, None).await?;
    settle(tx, policy).await?;
    touch(tx, policy).await?;
    tx.event(Event::new("network", "rbac_policy.delete", &policy.id, &policy.project_id, ctx)).await?;
    Ok(())
}

fn object(policy: &RbacPolicy) -> Result<&'static (&'static str, &'static str, &'static str)> {
    rules::object(&policy.object_type).ok_or_else(|| {
        fault::invalid_input(format!("'{}' is not a valid RBAC object type", policy.object_type))
    })
}

/// Refuses when somebody uses the object whom no policy lets any more, without this one.
/// `instead`: whom it will be for.
async fn check_users(tx: &mut Tx, gone: &RbacPolicy, instead: Option<&str>) -> Result<()> {
    let (_, table, users) = object(gone)?;
    let is_default = sql("SELECT id FROM network WHERE id = $1 AND is_default = 1");
    if gone.action == EXTERNAL
        && gone.target_project == EVERYBODY
        && is_default.bind(&gone.object_id).exists(tx).await?
    {
        // Everybody's way out is not closed by the way.
        return Err(rules::in_use(gone));
    }
    let users = if gone.action == EXTERNAL { EXTERNAL_USERS } else { users };
    let mut using: Vec<String> = sql(users).bind(&gone.object_id).rows(tx).await?;
    using.retain(|p| !p.is_empty() && (gone.target_project == EVERYBODY || *p == gone.target_project));
    if using.is_empty() {
        return Ok(());
    }
    let mut allowed: Vec<String> =
        sql("SELECT target_project FROM rbac_policy WHERE object_id = $1 AND action = $2 AND id <> $3")
            .bind(&gone.object_id)
            .bind(&gone.action)
            .bind(&gone.id)
            .rows(tx)
            .await?;
    let owner: Option<String> = sql_built(format!("SELECT project_id FROM {table} WHERE id = $1"))
        .bind(&gone.object_id)
        .optional(tx)
        .await?;
    allowed.extend(instead.map(Into::into));
    // Neutron counts the owner of all but networks among those who use what everybody may.
    if gone.object_type == "network" || gone.target_project != EVERYBODY {
        allowed.extend(owner);
    }
    let covered = |project: &String| allowed.iter().any(|a| a == EVERYBODY || a == project);
    if using.iter().all(covered) { Ok(()) } else { Err(rules::in_use(gone)) }
}

/// Whether an admin made this network external.
pub async fn is_external_by_admin(conn: &mut AnyConnection, network_id: &str) -> Result<bool> {
    Ok(sql("SELECT id FROM rbac_policy WHERE object_id = $1 AND action = $2 AND by_admin = 1")
        .bind(network_id)
        .bind(EXTERNAL)
        .exists(conn)
        .await?)
}

/// An object's revision counts the changes of its policies.
async fn touch(tx: &mut Tx, policy: &RbacPolicy) -> Result<()> {
    let (_, table, _) = object(policy)?;
    rows::touch(tx, table, &policy.object_id).await?;
    Ok(())
}

/// The object's own row says what the policies for everybody say.
async fn settle(tx: &mut Tx, policy: &RbacPolicy) -> Result<()> {
    let (_, table, _) = object(policy)?;
    if policy.action == EXTERNAL {
        sql("UPDATE network SET external = CASE WHEN EXISTS \
             (SELECT 1 FROM rbac_policy r WHERE r.object_id = network.id AND r.action = $2) THEN 1 ELSE 0 END \
             WHERE id = $1")
        .bind(&policy.object_id)
        .bind(EXTERNAL)
        .run(tx)
        .await?;
        return Ok(());
    }
    sql_built(format!(
        "UPDATE {table} SET shared = (SELECT COUNT(*) FROM rbac_policy r \
         WHERE r.object_id = {table}.id AND r.action = $2 AND r.target_project = $3) WHERE id = $1"
    ))
    .bind(policy.object_id.clone())
    .bind(SHARED)
    .bind(EVERYBODY)
    .run(tx)
    .await?;
    Ok(())
}

/// Opens an object to everybody or closes it again, as the `shared` and `router:external` of its own call say. The row
/// is the caller's to write.
pub async fn open(tx: &mut Tx, owner: &str, object: (&str, &str), action: &str, is_open: bool) -> Result<()> {
    let mut conditions = Where::of("object_id", object.1);
    conditions.and("action = ?", [action.into()]);
    let existing: Vec<RbacPolicy> = conditions.statement("SELECT * FROM rbac_policy", "").rows(tx).await?;
    let everybody = existing.iter().find(|p| p.target_project == EVERYBODY);
    match (everybody, is_open) {
        (None, true) => insert(tx, &RbacPolicy::new(owner, object, action, EVERYBODY)).await,
        // A network that is not external any more is so for nobody.
        (_, false) if action == EXTERNAL => {
            for policy in &existing {
                rows::delete(tx, SPEC.table, &policy.id).await?;
            }
            Ok(())
        }
        (Some(policy), false) => {
            rows::delete(tx, SPEC.table, &policy.id).await?;
            check_users(tx, policy, None).await.map_err(|_| {
                fault::conflict(
                    "InvalidSharedSetting",
                    format!(
                        "Unable to reconfigure sharing settings for {} {}. Multiple projects are using it.",
                        object.0, object.1
                    ),
                )
            })
        }
        _ => Ok(()),
    }
}

/// The policies of an object that goes.
pub async fn forget(tx: &mut Tx, object_id: &str) -> Result<()> {
    sql("DELETE FROM rbac_policy WHERE object_id = $1").bind(object_id).run(tx).await?;
    Ok(())
}
