//! Host aggregates. With one host their use is its availability zone: an aggregate that has the host and names a zone
//! moves it there.

pub(crate) mod api;
pub(crate) mod store;

use std::collections::BTreeMap;

use base::{Policy, Rule};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aggregate {
    pub number: i64,
    pub id: String,
    pub name: String,
    /// `availability_zone` among them.
    pub metadata: BTreeMap<String, String>,
    pub hosts: Vec<String>,
    pub created_at: i64,
    pub updated_at: Option<i64>,
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-aggregates:index", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-aggregates:show", Rule::Admin);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-aggregates:create", Rule::Admin);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-aggregates:update", Rule::Admin);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-aggregates:delete", Rule::Admin);
    pub const ACTION: Policy = Policy::new("os_compute_api:os-aggregates:set_metadata", Rule::Admin);
    pub const IMAGES: Policy = Policy::new("compute:aggregates:images", Rule::Admin);
}
