//! Who has which role where.
//!
//! An assignment gives a user or a group a role on a project, a domain or the system. An inherited one on a domain or a
//! project holds not there but on every project below.

pub mod grants_api;
pub mod list_api;
pub mod rules;
pub mod store;
pub mod view;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Project(String),
    Domain(String),
    System,
}

impl Place {
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Project(_) => "project",
            Place::Domain(_) => "domain",
            Place::System => "system",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Place::Project(id) | Place::Domain(id) => id,
            Place::System => "all",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User(String),
    Group(String),
}

impl Actor {
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::User(_) => "user",
            Actor::Group(_) => "group",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Actor::User(id) | Actor::Group(id) => id,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub actor: Actor,
    pub place: Place,
    pub role_id: String,
    pub inherited: bool,
}
