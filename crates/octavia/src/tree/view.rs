//! Nodes as the API shows them.

use serde_json::{Map, Value, json};

use super::store::Twig;
use super::{Node, Noun, Tree};

/// `2026-01-31T12:00:00`.
fn instant(micros: i64) -> Value {
    base::time::seconds_z(micros).trim_end_matches('Z').into()
}

/// Where a view finds what hangs on a node.
pub trait Around {
    /// Ids of the nodes of that kind under this one, in order of creation.
    fn under(&self, noun: Noun, parent_id: &str) -> Vec<&str>;
    /// Ids of listeners that lead to the pool.
    fn listeners_of(&self, pool_id: &str) -> Vec<&str>;
}

impl Around for Tree {
    fn under(&self, noun: Noun, parent_id: &str) -> Vec<&str> {
        if noun == Noun::L7Policy {
            return self.policies_of(parent_id).into_iter().map(|node| node.id.as_str()).collect();
        }
        self.of(noun).filter(|node| node.parent_id == parent_id).map(|node| node.id.as_str()).collect()
    }

    fn listeners_of(&self, pool_id: &str) -> Vec<&str> {
        Tree::listeners_of(self, pool_id).into_iter().map(|node| node.id.as_str()).collect()
    }
}

/// For lists: what hangs on what, by one look.
pub struct Index<'a> {
    children: std::collections::HashMap<&'a str, Vec<&'a Twig>>,
    /// Pool id -> listeners.
    leading: std::collections::HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Index<'a> {
    pub fn new(twigs: &'a [Twig]) -> Self {
        let mut index = Index { children: Default::default(), leading: Default::default() };
        for twig in twigs {
            index.children.entry(&twig.parent_id).or_default().push(twig);
            let listener = match twig.noun {
                Some(Noun::Listener) => &twig.id,
                Some(Noun::L7Policy) => &twig.parent_id,
                _ => continue,
            };
            let leading = index.leading.entry(&twig.pool_id).or_default();
            if !leading.contains(&listener.as_str()) {
                leading.push(listener);
            }
        }
        index
    }
}

impl Around for Index<'_> {
    fn under(&self, noun: Noun, parent_id: &str) -> Vec<&str> {
        let children = self.children.get(parent_id).into_iter().flatten();
        children.filter(|twig| twig.noun == Some(noun)).map(|twig| twig.id.as_str()).collect()
    }

    fn listeners_of(&self, pool_id: &str) -> Vec<&str> {
        self.leading.get(pool_id).cloned().unwrap_or_default()
    }
}

fn ids(all: Vec<&str>) -> Value {
    all.into_iter().map(|id| json!({ "id": id })).collect()
}

fn plain(node: &Node) -> Map<String, Value> {
    let mut view = node.fields.clone();
    // Of our own, and no business of clients.
    view.retain(|key, _| !key.starts_with('_'));
    view.insert("id".into(), node.id.clone().into());
    view.insert("project_id".into(), node.project_id.clone().into());
    view.insert("tenant_id".into(), node.project_id.clone().into());
    view.insert("provisioning_status".into(), node.provisioning.clone().into());
    view.insert("operating_status".into(), node.operating.clone().into());
    view.insert("created_at".into(), instant(node.created_at));
    view.insert("updated_at".into(), node.updated_at.map_or(Value::Null, instant));
    for name in ["name", "description"] {
        if view.get(name).is_some_and(Value::is_null) {
            view.insert(name.into(), "".into());
        }
    }
    view
}

fn or_null(id: &str) -> Value {
    if id.is_empty() { Value::Null } else { id.into() }
}

pub fn one(node: &Node, around: &impl Around) -> Map<String, Value> {
    let mut view = plain(node);
    let mut put = |name: &str, value: Value| drop(view.insert(name.into(), value));
    let balancer = || json!([{"id": node.balancer_id}]);
    match node.noun {
        Noun::LoadBalancer => {
            put("listeners", ids(around.under(Noun::Listener, &node.id)));
            put("pools", ids(around.under(Noun::Pool, &node.id)));
        }
        Noun::Listener => {
            put("loadbalancers", balancer());
            put("default_pool_id", or_null(&node.pool_id));
            put("l7policies", ids(around.under(Noun::L7Policy, &node.id)));
        }
        Noun::Pool => {
            put("loadbalancers", balancer());
            put("listeners", ids(around.listeners_of(&node.id)));
            put("members", ids(around.under(Noun::Member, &node.id)));
            let monitor = around.under(Noun::HealthMonitor, &node.id).first().map_or("", |id| id);
            put("healthmonitor_id", or_null(monitor));
        }
        Noun::HealthMonitor => put("pools", json!([{"id": node.parent_id}])),
        Noun::L7Policy => {
            put("listener_id", node.parent_id.clone().into());
            put("redirect_pool_id", or_null(&node.pool_id));
            put("rules", ids(around.under(Noun::L7Rule, &node.id)));
        }
        Noun::Member | Noun::L7Rule => {}
    }
    view
}

/// What a create of a load balancer answers: everything under it, in full.
pub fn full(tree: &Tree, node: &Node) -> Value {
    let mut view = one(node, tree);
    let all = |noun: Noun, parent: &str| -> Value {
        Around::under(tree, noun, parent)
            .into_iter()
            .filter_map(|id| tree.get(noun, id))
            .map(|node| full(tree, node))
            .collect()
    };
    let mut put = |name: &str, value: Value| drop(view.insert(name.into(), value));
    match node.noun {
        Noun::LoadBalancer => {
            put("listeners", all(Noun::Listener, &node.id));
            put("pools", all(Noun::Pool, &node.id));
        }
        Noun::Listener => put("l7policies", all(Noun::L7Policy, &node.id)),
        Noun::Pool => {
            put("members", all(Noun::Member, &node.id));
            if let Some(monitor) = tree.monitor_of(&node.id) {
                put("healthmonitor", full(tree, monitor));
            }
        }
        Noun::L7Policy => put("rules", all(Noun::L7Rule, &node.id)),
        Noun::Member | Noun::HealthMonitor | Noun::L7Rule => {}
    }
    if matches!(node.noun, Noun::Listener | Noun::Pool) {
        view.remove("loadbalancers");
    }
    if node.noun == Noun::HealthMonitor {
        view.remove("pools");
    }
    Value::Object(view)
}

/// The status tree.
pub fn statuses(tree: &Tree, root: &Node) -> Value {
    let brief = |node: &Node| {
        json!({
            "id": node.id, "name": node.text("name"),
            "provisioning_status": node.provisioning, "operating_status": node.operating,
        })
    };
    let pool = |pool: &Node| {
        let mut view = brief(pool);
        let members: Vec<Value> = tree
            .under(Noun::Member, &pool.id)
            .map(|member| {
                let mut view = brief(member);
                view["address"] = member.fields.get("address").cloned().unwrap_or_default();
                view["protocol_port"] = member.fields.get("protocol_port").cloned().unwrap_or_default();
                view
            })
            .collect();
        view["members"] = members.into();
        if let Some(monitor) = tree.monitor_of(&pool.id) {
            let mut of_monitor = brief(monitor);
            of_monitor["type"] = monitor.text("type").into();
            view["health_monitor"] = of_monitor;
        }
        view
    };
    let mut view = brief(root);
    let listeners: Vec<Value> = tree
        .of(Noun::Listener)
        .map(|listener| {
            let mut view = brief(listener);
            view["pools"] = tree.pools_of(listener).into_iter().map(pool).collect();
            view
        })
        .collect();
    view["listeners"] = listeners.into();
    // Pools that no listener leads to; without them one would see less than there is.
    let alone: Vec<Value> =
        tree.of(Noun::Pool).filter(|p| tree.listeners_of(&p.id).is_empty()).map(pool).collect();
    if !alone.is_empty() {
        view["pools"] = alone.into();
    }
    json!({"statuses": {"loadbalancer": view}})
}
