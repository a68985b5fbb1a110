//! Roles and which of them imply which.

pub mod api;
pub mod implied_api;
pub mod rules;
pub mod store;
pub mod view;

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    pub id: String,
    pub name: String,
    /// Empty for a global role; such of a domain never appear in tokens, but what they imply does.
    pub domain_id: String,
    pub description: Option<String>,
    pub options: Map<String, Value>,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRef {
    pub id: String,
    pub name: String,
}
