//! A load balancer and all that hangs on it, as one tree of nodes: it is read in one statement, judged whole and given to
//! the host whole.
//!
//! ```text
//! load balancer ─┬─ listener ── l7policy ── l7rule         provisioning_status
//!                └─ pool ─┬─ member                          PENDING_CREATE ─┐
//!                         └─ health monitor                  PENDING_UPDATE ─┼─► ACTIVE, or ERROR
//!                                                            PENDING_DELETE ─┴─► gone
//! ```
//! While anything of it is pending, the load balancer is locked: that is what its own PENDING_UPDATE says. What the host
//! refuses of a change is ERROR alone: the load balancer is ACTIVE again, with all else of it ([`crate::plane::attempts`]).

pub mod change;
pub mod handlers;
pub mod pages;
pub mod store;
pub mod view;

use std::collections::BTreeSet;

use base::Result;
use db::{FromRow, Row};
use serde_json::{Value, json};

use crate::fault;
use crate::policy::{self, Set};
use crate::request::{Fields, Look};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    LoadBalancer,
    Listener,
    Pool,
    Member,
    HealthMonitor,
    L7Policy,
    L7Rule,
}

impl Noun {
    pub const ALL: [Noun; 7] = [
        Noun::LoadBalancer,
        Noun::Listener,
        Noun::Pool,
        Noun::Member,
        Noun::HealthMonitor,
        Noun::L7Policy,
        Noun::L7Rule,
    ];

    /// As messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "Load Balancer",
            Noun::Listener => "Listener",
            Noun::Pool => "Pool",
            Noun::Member => "Member",
            Noun::HealthMonitor => "Health Monitor",
            Noun::L7Policy => "L7 Policy",
            Noun::L7Rule => "L7 Rule",
        }
    }

    /// As bodies call one; also what rows and quotas say.
    pub fn member(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "loadbalancer",
            Noun::Listener => "listener",
            Noun::Pool => "pool",
            Noun::Member => "member",
            Noun::HealthMonitor => "healthmonitor",
            Noun::L7Policy => "l7policy",
            Noun::L7Rule => "rule",
        }
    }

    pub fn collection(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "loadbalancers",
            Noun::Listener => "listeners",
            Noun::Pool => "pools",
            Noun::Member => "members",
            Noun::HealthMonitor => "healthmonitors",
            Noun::L7Policy => "l7policies",
            Noun::L7Rule => "rules",
        }
    }

    pub fn policies(self) -> &'static Set {
        match self {
            Noun::LoadBalancer => &policy::LOAD_BALANCER,
            Noun::Listener => &policy::LISTENER,
            Noun::Pool => &policy::POOL,
            Noun::Member => &policy::MEMBER,
            Noun::HealthMonitor => &policy::HEALTH_MONITOR,
            Noun::L7Policy => &policy::L7POLICY,
            Noun::L7Rule => &policy::L7RULE,
        }
    }

    pub fn create_event(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "loadbalancer.create",
            Noun::Listener => "listener.create",
            Noun::Pool => "pool.create",
            Noun::Member => "member.create",
            Noun::HealthMonitor => "healthmonitor.create",
            Noun::L7Policy => "l7policy.create",
            Noun::L7Rule => "l7rule.create",
        }
    }

    pub fn update_event(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "loadbalancer.update",
            Noun::Listener => "listener.update",
            Noun::Pool => "pool.update",
            Noun::Member => "member.update",
            Noun::HealthMonitor => "healthmonitor.update",
            Noun::L7Policy => "l7policy.update",
            Noun::L7Rule => "l7rule.update",
        }
    }

    pub fn delete_event(self) -> &'static str {
        match self {
            Noun::LoadBalancer => "loadbalancer.delete",
            Noun::Listener => "listener.delete",
            Noun::Pool => "pool.delete",
            Noun::Member => "member.delete",
            Noun::HealthMonitor => "healthmonitor.delete",
            Noun::L7Policy => "l7policy.delete",
            Noun::L7Rule => "l7rule.delete",
        }
    }

    fn read(text: &str) -> Option<Noun> {
        Noun::ALL.into_iter().find(|noun| noun.member() == text)
    }
}

pub const ACTIVE: &str = "ACTIVE";
pub const ERROR: &str = "ERROR";
pub const PENDING_CREATE: &str = "PENDING_CREATE";
pub const PENDING_UPDATE: &str = "PENDING_UPDATE";
pub const PENDING_DELETE: &str = "PENDING_DELETE";

pub const ONLINE: &str = "ONLINE";
pub const OFFLINE: &str = "OFFLINE";
pub const DEGRADED: &str = "DEGRADED";
pub const DRAINING: &str = "DRAINING";
pub const NO_MONITOR: &str = "NO_MONITOR";

/// Of a node whose change may yet be refused: what it was when it was last served.
const SERVED: &str = "_served";
/// Of a load balancer that was there once.
const MADE: &str = "_made";

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub id: String,
    pub noun: Noun,
    pub project_id: String,
    pub balancer_id: String,
    /// The node that it hangs on; '' for a load balancer.
    pub parent_id: String,
    /// A listener's default pool, a policy's pool; ''.
    pub pool_id: String,
    pub provisioning: String,
    pub operating: String,
    pub created_at: i64,
    pub updated_at: Option<i64>,
    pub generation: i64,
    pub fields: Fields,
}

impl FromRow for Node {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Node {
            id: row.text("id")?,
            // Written by `store` alone.
            noun: Noun::read(&row.text("kind")?).unwrap_or(Noun::LoadBalancer),
            project_id: row.text("project_id")?,
            balancer_id: row.text("balancer_id")?,
            parent_id: row.text("parent_id")?,
            pool_id: row.text("pool_id")?,
            provisioning: row.text("provisioning_status")?,
            operating: row.text("operating_status")?,
            created_at: row.int("created_at")?,
            updated_at: row.opt_int("updated_at")?,
            generation: row.int("generation")?,
            fields: row.json("body")?,
        })
    }
}

impl Node {
    pub fn new(noun: Noun, project_id: &str, balancer_id: &str, parent_id: &str, fields: Fields) -> Node {
        let id = base::id::uuid();
        Node {
            balancer_id: if noun == Noun::LoadBalancer { id.clone() } else { balancer_id.into() },
            id,
            noun,
            project_id: project_id.into(),
            parent_id: parent_id.into(),
            pool_id: String::new(),
            provisioning: PENDING_CREATE.into(),
            operating: OFFLINE.into(),
            created_at: base::time::now(),
            updated_at: None,
            generation: 0,
            fields,
        }
    }

    pub fn is_up(&self) -> bool {
        self.fields.flag("admin_state_up")
    }

    /// What no two nodes with the same parent have.
    pub fn unique_key(&self) -> Option<String> {
        match self.noun {
            Noun::Member => {
                let port = self.fields.number("protocol_port").unwrap_or_default();
                Some(format!("{} {port}", self.fields.text("address")))
            }
            Noun::HealthMonitor => Some("monitor".into()),
            _ => None,
        }
    }

    pub fn text(&self, field: &str) -> &str {
        self.fields.text(field)
    }

    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.into(), value.into());
    }

    /// Remembers what is served until the host has taken what it is changed to.
    pub fn remember(&mut self, before: &Node) {
        let served = match before.provisioning.as_str() {
            ACTIVE => Some(json!({"fields": before.fields, "pool_id": before.pool_id})),
            _ => before.fields.get(SERVED).cloned(),
        };
        if let Some(served) = served {
            self.fields.insert(SERVED.into(), served);
        }
    }

    /// The host has taken it. False: that was known.
    pub fn settle(&mut self) -> bool {
        match self.noun {
            Noun::LoadBalancer => self.fields.insert(MADE.into(), true.into()).is_none(),
            _ => self.fields.remove(SERVED).is_some(),
        }
    }

    /// Whether the host has ever taken this load balancer.
    pub fn was_made(&self) -> bool {
        self.fields.contains_key(MADE)
    }

    /// As it was last served; None: never.
    fn served(&self) -> Option<Node> {
        let served = self.fields.get(SERVED)?;
        let fields = served.get("fields")?.as_object()?.clone();
        let pool_id = served.get("pool_id")?.as_str()?.to_owned();
        Some(Node { fields, pool_id, ..self.clone() })
    }
}

/// All nodes of one load balancer, in order of creation.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    pub fn root(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.noun == Noun::LoadBalancer)
    }

    pub fn get(&self, noun: Noun, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.noun == noun && node.id == id)
    }

    /// 404 with the noun's own name.
    pub fn find(&self, noun: Noun, id: &str) -> Result<&Node> {
        self.get(noun, id).ok_or_else(|| fault::not_found(noun.title(), id))
    }

    pub fn of(&self, noun: Noun) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.noun == noun)
    }

    pub fn under<'a>(&'a self, noun: Noun, parent_id: &'a str) -> impl Iterator<Item = &'a Node> {
        self.of(noun).filter(move |node| node.parent_id == parent_id)
    }

    /// A listener's policies by position.
    pub fn policies_of(&self, listener_id: &str) -> Vec<&Node> {
        let of = |policy: &&Node| policy.parent_id == listener_id;
        let mut policies: Vec<&Node> = self.of(Noun::L7Policy).filter(of).collect();
        policies.sort_by_key(|policy| policy.fields.number("position"));
        policies
    }

    /// Listeners that lead to the pool, by default or by a policy.
    pub fn listeners_of(&self, pool_id: &str) -> Vec<&Node> {
        self.of(Noun::Listener)
            .filter(|listener| {
                listener.pool_id == pool_id
                    || self.under(Noun::L7Policy, &listener.id).any(|policy| policy.pool_id == pool_id)
            })
            .collect()
    }

    /// Pools that a listener leads to.
    pub fn pools_of(&self, listener: &Node) -> Vec<&Node> {
        self.of(Noun::Pool)
            .filter(|pool| self.listeners_of(&pool.id).iter().any(|one| one.id == listener.id))
            .collect()
    }

    /// The nodes that are busy along with this one: its pool, its listeners.
    pub fn affected(&self, noun: Noun, id: &str, parent_id: &str) -> Vec<String> {
        let listeners =
            |pool: &str| self.listeners_of(pool).into_iter().map(|node| node.id.clone()).collect::<Vec<_>>();
        match noun {
            Noun::LoadBalancer | Noun::Listener => Vec::new(),
            Noun::Pool => listeners(id),
            Noun::Member | Noun::HealthMonitor => {
                let mut all = listeners(parent_id);
                all.push(parent_id.to_owned());
                all
            }
            Noun::L7Policy => vec![parent_id.to_owned()],
            Noun::L7Rule => {
                let listener = self.get(Noun::L7Policy, parent_id).map(|policy| policy.parent_id.clone());
                listener.into_iter().chain([parent_id.to_owned()]).collect()
            }
        }
    }

    /// With these nodes as they were last served, or not there.
    pub fn without(&self, ids: &BTreeSet<String>) -> Tree {
        let nodes = self.nodes.iter();
        let nodes =
            nodes.filter_map(|node| if ids.contains(&node.id) { node.served() } else { Some(node.clone()) });
        Tree { nodes: nodes.collect() }
    }

    pub fn monitor_of(&self, pool_id: &str) -> Option<&Node> {
        self.of(Noun::HealthMonitor).find(|monitor| monitor.parent_id == pool_id)
    }

    /// The node and all that hangs on it.
    pub fn whole(&self, id: &str) -> Vec<String> {
        let mut ids = vec![id.to_owned()];
        let mut at = 0;
        while let Some(parent) = ids.get(at).cloned() {
            ids.extend(self.nodes.iter().filter(|node| node.parent_id == parent).map(|node| node.id.clone()));
            at += 1;
        }
        ids
    }
}
