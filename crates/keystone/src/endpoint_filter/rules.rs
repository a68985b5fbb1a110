//! Who may filter catalogs, and what a group holds.

use std::collections::{HashMap, HashSet};

use base::Error;
use serde_json::{Map, Value};

use super::EndpointGroup;
use crate::access::{Policy, Who};
use crate::catalog::Endpoint;
use crate::catalog::rules::check_interface;
use crate::errors::expecting;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static LIST: Policy = Policy::of_cloud("identity:list_endpoint_groups", READERS);
pub static GET: Policy = Policy::of_cloud("identity:get_endpoint_group", READERS);
pub static CREATE: Policy = Policy::of_cloud("identity:create_endpoint_group", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_endpoint_group", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_endpoint_group", ADMIN);
pub static PROJECTS_OF_GROUP: Policy =
    Policy::of_cloud("identity:list_projects_associated_with_endpoint_group", READERS);
pub static ENDPOINTS_OF_GROUP: Policy =
    Policy::of_cloud("identity:list_endpoints_associated_with_endpoint_group", READERS);
pub static GROUP_IN_PROJECT: Policy = Policy::of_cloud("identity:get_endpoint_group_in_project", READERS);
pub static GROUPS_OF_PROJECT: Policy = Policy::of_cloud("identity:list_endpoint_groups_for_project", READERS);
pub static ADD_GROUP: Policy = Policy::of_cloud("identity:add_endpoint_group_to_project", ADMIN);
pub static REMOVE_GROUP: Policy = Policy::of_cloud("identity:remove_endpoint_group_from_project", ADMIN);
pub static PROJECTS_OF_ENDPOINT: Policy = Policy::of_cloud("identity:list_projects_for_endpoint", READERS);
pub static CHECK_ENDPOINT: Policy = Policy::of_cloud("identity:check_endpoint_in_project", READERS);
pub static ENDPOINTS_OF_PROJECT: Policy = Policy::of_cloud("identity:list_endpoints_for_project", READERS);
pub static ADD_ENDPOINT: Policy = Policy::of_cloud("identity:add_endpoint_to_project", ADMIN);
pub static REMOVE_ENDPOINT: Policy = Policy::of_cloud("identity:remove_endpoint_from_project", ADMIN);

const KEYS: [&str; 3] = ["service_id", "region_id", "interface"];

pub fn check_filters(filters: &Map<String, Value>) -> Result<(), Error> {
    if filters.is_empty() {
        return Err(Error::bad_request("filters field is required and cannot be empty"));
    }
    if filters.keys().any(|key| !KEYS.contains(&key.as_str())) {
        return Err(expecting(&KEYS.join(" or "), "endpoint_group"));
    }
    match filters.get("interface") {
        None => Ok(()),
        Some(value) => check_interface(value.as_str().unwrap_or_default()),
    }
}

pub fn holds(group: &EndpointGroup, endpoint: &Endpoint) -> bool {
    group.filters.iter().all(|(key, wanted)| {
        let has = match key.as_str() {
            "service_id" => Some(endpoint.service_id.as_str()),
            "region_id" => endpoint.region_id.as_deref(),
            _ => Some(endpoint.interface.as_str()),
        };
        has == wanted.as_str()
    })
}

/// The endpoints of each project that does not see all: ids by project.
pub fn visible(
    single: Vec<(String, String)>,
    grouped: Vec<(String, String)>,
    groups: &[EndpointGroup],
    endpoints: &[Endpoint],
) -> HashMap<String, HashSet<String>> {
    let mut seen: HashMap<String, HashSet<String>> = HashMap::new();
    for (endpoint, project) in single {
        seen.entry(project).or_default().insert(endpoint);
    }
    for (group, project) in grouped {
        let Some(group) = groups.iter().find(|g| g.id == group) else { continue };
        let fitting = endpoints.iter().filter(|e| holds(group, e)).map(|e| e.id.clone());
        seen.entry(project).or_default().extend(fitting);
    }
    // A filter that nothing fits is none, as in Keystone.
    seen.retain(|_, ids| !ids.is_empty());
    seen
}
