//! Which objects can be shared, and by whom.

use base::{Ctx, Error, Result};
use serde_json::Value;

use super::{EVERYBODY, EXTERNAL, RbacPolicy, SHARED};
use crate::fault;
use crate::plane::Wakes;
use crate::request::Input;

/// (object type, its table, what each project that uses an object is found by)
pub const OBJECTS: &[(&str, &str, &str)] = &[
    ("network", "network", "SELECT project_id FROM port WHERE network_id = $1"),
    (
        "security_group",
        "security_group",
        "SELECT p.project_id FROM port p JOIN port_security_group b ON b.port_id = p.id \
         WHERE b.security_group_id = $1",
    ),
    (
        "qos_policy",
        "qos_policy",
        "SELECT project_id FROM network WHERE qos_policy_id = $1 \
         UNION SELECT project_id FROM port WHERE qos_policy_id = $1 \
         UNION SELECT project_id FROM floating_ip WHERE qos_policy_id = $1",
    ),
    ("address_scope", "address_scope", "SELECT project_id FROM subnet_pool WHERE address_scope_id = $1"),
    ("subnetpool", "subnet_pool", "SELECT project_id FROM subnet WHERE subnetpool_id = $1"),
    (
        "address_group",
        "address_group",
        "SELECT project_id FROM security_group_rule WHERE remote_address_group_id = $1",
    ),
];

pub fn object(kind: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    OBJECTS.iter().find(|(name, ..)| *name == kind)
}

/// The body's `target_project`, by either of its names.
pub fn target(ctx: &Ctx, input: &Input, verb: &str) -> Result<Option<String>> {
    let Some(value) = input.value("target_project").or_else(|| input.value("target_tenant")) else {
        return Ok(None);
    };
    let target = value.as_str().filter(|t| *t == EVERYBODY || base::id::is_uuid(t)).ok_or_else(|| {
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Null => "None".into(),
            other => other.to_string(),
        };
        fault::invalid_input(format!("'{shown}' is not a valid target project ID; expected a UUID or '*'"))
    })?;
    // What everybody sees is the operator's to say.
    if target == EVERYBODY && !ctx.is_admin() {
        return Err(fault::policy(&format!("{verb}_rbac_policy:target_tenant")));
    }
    Ok(Some(target.into()))
}

pub fn create(ctx: &Ctx, input: &Input) -> Result<RbacPolicy> {
    let text = |name| input.text(name).unwrap_or_default();
    let kind = text("object_type").trim().to_lowercase();
    if object(&kind).is_none() {
        return Err(fault::invalid_input(format!("'{kind}' is not a valid RBAC object type")));
    }
    let actions: &[&str] = if kind == "network" { &[SHARED, EXTERNAL] } else { &[SHARED] };
    let action = text("action");
    if !actions.contains(&action) {
        let listed: Vec<String> = actions.iter().map(|a| format!("'{a}'")).collect();
        return Err(fault::invalid_input(format!(
            "Invalid action '{action}' for object type '{kind}'. Valid actions: [{}]",
            listed.join(", ")
        )));
    }
    let target = target(ctx, input, "create")?.ok_or_else(|| {
        fault::http_bad_request("Failed to parse request. Required attribute 'target_tenant' not specified")
    })?;
    let policy = RbacPolicy::new(&input.owner(ctx)?, (&kind, text("object_id")), action, &target);
    Ok(RbacPolicy { by_admin: ctx.is_admin(), ..policy })
}

/// Only who owns an object shares it.
pub fn may_share(ctx: &Ctx, policy: &RbacPolicy, owner: &str) -> Result<()> {
    if ctx.owns(owner) {
        return Ok(());
    }
    let what = if policy.object_type == "network" { "networks" } else { "objects" };
    Err(fault::invalid_input(format!("Only admins can manipulate policies on {what} they do not own")))
}

/// Whom a policy's coming or going touches: this machine's end of an external network.
pub fn wakes(policy: &RbacPolicy) -> Wakes {
    if policy.action == EXTERNAL { Wakes::network(&policy.object_id) } else { Wakes::default() }
}

/// What the object needs is not shared with the target.
pub fn not_reachable(policy: &RbacPolicy) -> Error {
    fault::invalid(
        "RbacPolicyInitError",
        format!(
            "Failed to create RBAC policy on object {} because target project doesn't have access to associated \
             address scope..",
            policy.object_id
        ),
    )
}

pub fn duplicate() -> Error {
    fault::conflict("DuplicateRbacPolicy", "An RBAC policy already exists with those values.".into())
}

pub fn in_use(policy: &RbacPolicy) -> Error {
    fault::conflict(
        "RbacPolicyInUse",
        format!(
            "RBAC policy on object {} cannot be removed because other objects depend on it.\nDetails: Unable to \
             reconfigure sharing settings for {} {}. Multiple projects are using it.",
            policy.object_id, policy.object_type, policy.object_id
        ),
    )
}
