use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::Rule;

pub fn view(rule: &Rule) -> Map<String, Value> {
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
    view.insert("description".into(), json!(rule.description));
    view.insert("created_at".into(), json!(base::time::seconds_z(rule.created_at)));
    view.insert("updated_at".into(), json!(base::time::seconds_z(rule.updated_at)));
    view.insert("revision_number".into(), json!(rule.revision));
    view.insert("project_id".into(), json!(rule.project_id));
    view
}
