//! Which endpoints a project sees in its catalog: single ones, or groups of all that fit some filters. A project with
//! neither sees every endpoint.

pub mod associations_api;
pub mod groups_api;
pub mod rules;
pub mod store;

use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub struct EndpointGroup {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// `service_id`, `region_id` and `interface`: an endpoint of the group has all of these.
    pub filters: Map<String, Value>,
}
