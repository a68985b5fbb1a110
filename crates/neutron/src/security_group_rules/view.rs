use std::collections::HashSet;

use async_trait::async_trait;
use base::{Ctx, Result};
use db::AnyConnection;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{Rule, SPEC, store};
use crate::Neutron;
use crate::networks::rules::limited_to;
use crate::request::{Resource, Spec, View};
use crate::rows::{Bind, Where};

/// A rule is seen by its owner and by its group's.
#[async_trait]
impl Resource for Rule {
    const SPEC: &'static Spec = &SPEC;

    fn scope(ctx: &Ctx, conditions: &mut Where) {
        if let Some(project) = limited_to(ctx) {
            conditions.and(
                "project_id = ? OR security_group_id IN (SELECT id FROM security_group WHERE project_id = ?)",
                vec![Bind::Text(project); 2],
            );
        }
    }

    async fn views(_: &Neutron, conn: &mut AnyConnection, _: &Ctx, rows: Vec<Self>) -> Result<Vec<View>> {
        let default: HashSet<String> = store::default_groups(conn, &rows).await?;
        Ok(rows.iter().map(|r| view(r, default.contains(&r.security_group_id))).collect())
    }
}

pub fn view(rule: &Rule, of_default: bool) -> Map<String, Value> {
    let text = |t: &str| if t.is_empty() { Value::Null } else { json!(t) };
    let normalized = rule.remote_prefix.parse::<IpNet>().map(|n| n.trunc().to_string()).ok();
    let mut view = Map::with_capacity(18);
    view.insert("id".into(), json!(rule.id));
    view.insert("tenant_id".into(), json!(rule.project_id));
    view.insert("security_group_id".into(), json!(rule.security_group_id));
    view.insert("ethertype".into(), json!(rule.ethertype));
    view.insert("direction".into(), json!(rule.direction));
    view.insert("protocol".into(), text(&rule.protocol));
    view.insert("port_range_min".into(), json!(rule.port_min));
    view.insert("port_range_max".into(), json!(rule.port_max));
    view.insert("remote_ip_prefix".into(), text(&rule.remote_prefix));
    view.insert("remote_group_id".into(), json!(rule.remote_group));
    view.insert("normalized_cidr".into(), json!(normalized));
    view.insert("remote_address_group_id".into(), json!(rule.remote_address_group));
    view.insert("belongs_to_default_sg".into(), json!(of_default));
    view.insert("description".into(), json!(rule.description));
    view.insert("created_at".into(), json!(base::time::seconds_z(rule.created_at)));
    view.insert("updated_at".into(), json!(base::time::seconds_z(rule.updated_at)));
    view.insert("revision_number".into(), json!(rule.revision));
    view.insert("project_id".into(), json!(rule.project_id));
    view
}
