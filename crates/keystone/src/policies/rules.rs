//! Who may manage policies, and which one an endpoint has.

use super::{Association, Subject};
use crate::access::{Policy, Who};
use crate::catalog::{Endpoint, Region};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ADMIN: &[Who] = &[Who::Admin];

pub static LIST: Policy = Policy::of_cloud("identity:list_policies", READERS);
pub static GET: Policy = Policy::of_cloud("identity:get_policy", READERS);
pub static CREATE: Policy = Policy::of_cloud("identity:create_policy", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_policy", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_policy", ADMIN);
pub static OF_ENDPOINT: Policy = Policy::of_cloud("identity:get_policy_for_endpoint", READERS);
pub static ENDPOINTS: Policy = Policy::of_cloud("identity:list_endpoints_for_policy", READERS);
pub static CHECK_ASSOCIATION: Policy =
    Policy::of_cloud("identity:check_policy_association_for_endpoint", READERS);
pub static CREATE_ASSOCIATION: Policy =
    Policy::of_cloud("identity:create_policy_association_for_endpoint", ADMIN);
pub static DELETE_ASSOCIATION: Policy =
    Policy::of_cloud("identity:delete_policy_association_for_endpoint", ADMIN);

/// The policy of an endpoint: its own, else its service's in its region or the nearest region above, else its service's.
pub fn policy_of<'a>(
    endpoint: &Endpoint,
    associations: &'a [Association],
    regions: &[Region],
) -> Option<&'a str> {
    let find =
        |wanted: &Subject| associations.iter().find(|a| a.subject == *wanted).map(|a| a.policy_id.as_str());
    let own = find(&Subject { endpoint_id: endpoint.id.clone(), ..Subject::default() });
    if own.is_some() {
        return own;
    }
    let mut region = endpoint.region_id.clone();
    // Regions are a tree, so that this ends.
    while let Some(id) = region {
        let service_id = endpoint.service_id.clone();
        let found = find(&Subject { service_id, region_id: id.clone(), ..Subject::default() });
        if found.is_some() {
            return found;
        }
        region = regions.iter().find(|r| r.id == id).and_then(|r| r.parent_region_id.clone());
    }
    find(&Subject { service_id: endpoint.service_id.clone(), ..Subject::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_policy_holds() {
        let region = |id: &str, parent: Option<&str>| Region {
            id: id.into(),
            parent_region_id: parent.map(Into::into),
            description: String::new(),
            extra: Default::default(),
        };
        let regions = [region("north", None), region("oslo", Some("north"))];
        let endpoint = Endpoint {
            id: "e".into(),
            service_id: "s".into(),
            region_id: Some("oslo".into()),
            interface: "public".into(),
            url: "http://h".into(),
            enabled: true,
            extra: Default::default(),
        };
        let subject = |endpoint: &str, service: &str, region: &str| Subject {
            endpoint_id: endpoint.into(),
            service_id: service.into(),
            region_id: region.into(),
        };
        let mut all: Vec<Association> = Vec::new();
        for (new, name) in [
            (subject("", "s", ""), "service"),
            (subject("", "s", "north"), "above"),
            (subject("", "s", "oslo"), "region"),
            (subject("e", "", ""), "endpoint"),
        ] {
            all.push(Association { subject: new, policy_id: name.into() });
            assert_eq!(policy_of(&endpoint, &all, &regions), Some(name));
        }
        assert_eq!(
            policy_of(
                &endpoint,
                &[Association { subject: subject("", "other", ""), policy_id: "x".into() }],
                &regions
            ),
            None
        );
    }
}
