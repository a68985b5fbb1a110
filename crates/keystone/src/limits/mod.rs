//! Unified limits: what a service lets every project have of a resource (registered limits), and what it lets one
//! project or domain have instead (limits). Keystone keeps them; services ask for them.

pub mod api;
pub mod registered_api;
pub mod rules;
pub mod store;
pub mod view;

#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredLimit {
    pub id: String,
    pub service_id: String,
    /// Empty: any region.
    pub region_id: String,
    pub resource_name: String,
    pub default_limit: i64,
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub id: String,
    pub owner: Owner,
    pub resource_limit: i64,
    pub description: Option<String>,
    /// The registered limit that it stands in for.
    pub registered: RegisteredLimit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Project(String),
    Domain(String),
}

impl Owner {
    pub fn kind(&self) -> &'static str {
        match self {
            Owner::Project(_) => "project",
            Owner::Domain(_) => "domain",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Owner::Project(id) | Owner::Domain(id) => id,
        }
    }
}
