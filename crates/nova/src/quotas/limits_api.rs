//! `/v2.1/limits`

use std::sync::Arc;

use serde_json::{Map, json};
use web::{Caller, Params, Response, Result, State};

use super::{policy, store};
use crate::Nova;

/// (name in the answer, resource, last microversion)
const NAMES: &[(&str, &str, u16)] = &[
    ("maxTotalInstances", "instances", u16::MAX),
    ("maxTotalCores", "cores", u16::MAX),
    ("maxTotalRAMSize", "ram", u16::MAX),
    ("maxServerMeta", "metadata_items", u16::MAX),
    ("maxImageMeta", "metadata_items", 38),
    ("maxPersonality", "injected_files", 56),
    ("maxPersonalitySize", "injected_file_content_bytes", 56),
    ("maxTotalKeypairs", "key_pairs", u16::MAX),
    ("maxServerGroups", "server_groups", u16::MAX),
    ("maxServerGroupMembers", "server_group_members", u16::MAX),
    ("maxTotalFloatingIps", "floating_ips", 35),
    ("maxSecurityGroups", "security_groups", 35),
    ("maxSecurityGroupRules", "security_group_rules", 35),
];

pub(crate) async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
) -> Result<Response> {
    crate::query::only(&ctx, &params, &["tenant_id"])?;
    let project = match params.get("tenant_id") {
        Some(project) => {
            ctx.authorize(&policy::LIMITS_OTHER, None)?;
            project
        }
        None => ctx.require_project()?,
    };
    let mut conn = nova.db.read().await?;
    let limits = store::limits(&mut conn, Some(project)).await?;
    let used = store::usage(&mut conn, project, None).await?;
    let groups = store::count(&mut conn, "server_groups", project).await?;
    let mut out = Map::new();
    for (name, resource, _) in NAMES.iter().filter(|n| ctx.microversion.minor <= n.2) {
        out.insert((*name).into(), json!(limits.of(resource)));
    }
    out.insert("totalRAMUsed".into(), json!(used.ram));
    out.insert("totalCoresUsed".into(), json!(used.cores));
    out.insert("totalInstancesUsed".into(), json!(used.instances));
    out.insert("totalServerGroupsUsed".into(), json!(groups));
    if !ctx.at_least(2, 36) {
        // Neutron counts these; Nova has answered 0 since nova-network went.
        out.insert("totalFloatingIpsUsed".into(), json!(0));
        out.insert("totalSecurityGroupsUsed".into(), json!(0));
    }
    Ok(web::json(200, &json!({"limits": {"rate": [], "absolute": out}})))
}
