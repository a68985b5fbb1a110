//! Groups of users. What is assigned to a group is assigned to its members.

pub mod api;
pub mod members_api;
pub mod rules;
pub mod store;
pub mod view;

use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub domain_id: String,
    pub description: String,
    pub extra: Map<String, Value>,
}
