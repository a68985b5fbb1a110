//! Quotas: how many of each noun a project may have. Nobody is limited until an admin says so.

pub mod api;
pub mod store;

use crate::tree::Noun;

/// As bodies call them, and the names that older clients write.
pub const RESOURCES: [(&str, &str, Noun); 7] = [
    ("loadbalancer", "load_balancer", Noun::LoadBalancer),
    ("listener", "listener", Noun::Listener),
    ("member", "member", Noun::Member),
    ("pool", "pool", Noun::Pool),
    ("healthmonitor", "health_monitor", Noun::HealthMonitor),
    ("l7policy", "l7policy", Noun::L7Policy),
    ("l7rule", "l7rule", Noun::L7Rule),
];

pub const UNLIMITED: i64 = -1;
