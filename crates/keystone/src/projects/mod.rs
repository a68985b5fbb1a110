//! Projects: a tree in each domain. The domain is its root (see [`crate::domains`]).
//!
//! ```text
//! enabled ◄──► disabled      an enabled project has no disabled ancestor, so branches are disabled from their leaves
//! ```

pub mod api;
pub mod rules;
pub mod store;
pub mod tags_api;
mod tree;
pub mod view;

use serde_json::{Map, Value};

/// A project, or a domain when `is_domain`.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    pub id: String,
    pub name: String,
    /// Empty for a domain.
    pub domain_id: String,
    /// None for a domain; the domain for a project at its top.
    pub parent_id: Option<String>,
    pub description: String,
    pub enabled: bool,
    pub is_domain: bool,
    pub tags: Vec<String>,
    pub options: Map<String, Value>,
    pub extra: Map<String, Value>,
    pub generation: i64,
}

impl Project {
    /// The domain at the root of its tree.
    pub fn owning_domain(&self) -> &str {
        if self.is_domain { &self.id } else { &self.domain_id }
    }
}
