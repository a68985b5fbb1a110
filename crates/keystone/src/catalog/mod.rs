//! Where everything is: regions, services and their endpoints, and the catalog in tokens made of them.

pub mod endpoints_api;
pub mod regions_api;
mod render;
pub mod rules;
pub mod services_api;
pub mod store;
pub mod view;

pub use render::Catalog;
use serde_json::{Map, Value};

#[derive(Debug, Clone)]
pub struct Region {
    pub id: String,
    pub parent_region_id: Option<String>,
    pub description: String,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct ServiceEntry {
    pub id: String,
    pub kind: String,
    pub enabled: bool,
    pub name: Option<String>,
    pub description: Option<String>,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: String,
    pub service_id: String,
    pub region_id: Option<String>,
    /// public, internal or admin.
    pub interface: String,
    /// May hold `$(project_id)s` and the like.
    pub url: String,
    pub enabled: bool,
    pub extra: Map<String, Value>,
}
