//! Groups and their incoming rules as JSON.

use neutron::{GroupRule, GroupView};
use serde_json::{Value, json};

/// `known`: the groups that rules may name.
pub(crate) fn group(group: &GroupView, known: &[GroupView]) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "tenant_id": group.project_id,
        "description": group.description,
        "rules": group.rules.iter().filter_map(|r| rule(r, &group.id, known)).collect::<Vec<_>>(),
    })
}

/// The old API knew incoming traffic only.
pub(crate) fn rule(rule: &GroupRule, parent: &str, known: &[GroupView]) -> Option<Value> {
    if rule.direction != "ingress" {
        return None;
    }
    let protocol = Some(&*rule.protocol).filter(|p| !p.is_empty());
    let remote = rule.remote_group.as_ref().and_then(|id| known.iter().find(|g| g.id == *id));
    let range = match (&rule.remote_group, &*rule.remote_prefix) {
        (Some(_), _) => json!({}),
        (None, "") if rule.ethertype == "IPv6" => json!({"cidr": "::/0"}),
        (None, "") => json!({"cidr": "0.0.0.0/0"}),
        (None, cidr) => json!({"cidr": cidr}),
    };
    // A rule for any protocol, or for all ports of one, has no numbers of its own.
    let (from, to) = match (rule.ports, protocol) {
        ((None, None), Some("tcp" | "udp")) => (Some(1), Some(65535)),
        ((None, None), Some(_)) => (Some(-1), Some(-1)),
        (ports, _) => ports,
    };
    Some(json!({
        "id": rule.id,
        "parent_group_id": parent,
        "ip_protocol": protocol,
        "from_port": from,
        "to_port": to,
        "ip_range": range,
        "group": remote.map_or_else(|| json!({}), |g| json!({"name": g.name, "tenant_id": g.project_id})),
    }))
}
