//! Who may manage the catalog.

use base::Error;

use super::Region;
use crate::access::{Policy, Who};

const READERS: &[Who] = &[Who::Admin, Who::SystemReader];
const ANYONE: &[Who] = &[Who::Anyone];
const ADMIN: &[Who] = &[Who::Admin];

pub static LIST_REGIONS: Policy = Policy::new("identity:list_regions", ANYONE);
pub static GET_REGION: Policy = Policy::new("identity:get_region", ANYONE);
pub static CREATE_REGION: Policy = Policy::of_cloud("identity:create_region", ADMIN);
pub static UPDATE_REGION: Policy = Policy::of_cloud("identity:update_region", ADMIN);
pub static DELETE_REGION: Policy = Policy::of_cloud("identity:delete_region", ADMIN);
pub static LIST_SERVICES: Policy = Policy::of_cloud("identity:list_services", READERS);
pub static GET_SERVICE: Policy = Policy::of_cloud("identity:get_service", READERS);
pub static CREATE_SERVICE: Policy = Policy::of_cloud("identity:create_service", ADMIN);
pub static UPDATE_SERVICE: Policy = Policy::of_cloud("identity:update_service", ADMIN);
pub static DELETE_SERVICE: Policy = Policy::of_cloud("identity:delete_service", ADMIN);
pub static LIST_ENDPOINTS: Policy = Policy::of_cloud("identity:list_endpoints", READERS);
pub static GET_ENDPOINT: Policy = Policy::of_cloud("identity:get_endpoint", READERS);
pub static CREATE_ENDPOINT: Policy = Policy::of_cloud("identity:create_endpoint", ADMIN);
pub static UPDATE_ENDPOINT: Policy = Policy::of_cloud("identity:update_endpoint", ADMIN);
pub static DELETE_ENDPOINT: Policy = Policy::of_cloud("identity:delete_endpoint", ADMIN);

pub const INTERFACES: [&str; 3] = ["public", "internal", "admin"];

pub fn check_interface(text: &str) -> Result<(), Error> {
    // adminurl, internalurl and publicurl are the spellings of API v2.
    if INTERFACES.contains(&text) {
        Ok(())
    } else {
        Err(crate::schema::invalid(
            "interface",
            format!("'{text}' is not one of ['admin', 'internal', 'public']"),
        ))
    }
}

/// A region must not be above itself.
pub fn check_parent(id: &str, parent: &str, all: &[Region]) -> Result<(), Error> {
    let mut next = Some(parent);
    while let Some(current) = next {
        if current == id {
            return Err(Error::bad_request(format!(
                "The specified parent region {parent} would create a circular region hierarchy."
            )));
        }
        next = all.iter().find(|r| r.id == current).and_then(|r| r.parent_region_id.as_deref());
    }
    Ok(())
}

/// Only the templates that can be filled in.
pub fn check_url(url: &str) -> Result<(), Error> {
    let refuse = || Error::bad_request(format!("Cannot create an endpoint with an invalid URL: {url}."));
    let mut rest = url;
    while let Some(at) = rest.find(['$', '%']) {
        rest = &rest[at + 1..];
        if let Some(inner) = rest.strip_prefix('(') {
            let (key, after) = inner.split_once(")s").ok_or_else(refuse)?;
            if !["project_id", "tenant_id", "user_id"].contains(&key) {
                return Err(refuse());
            }
            rest = after;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_checked() {
        for good in
            ["http://h/", "http://h/$(project_id)s", "http://h/%(tenant_id)s/$(user_id)s", "http://h/a%20b"]
        {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in ["http://h/$(project_id)", "http://h/$(secret)s", "http://h/%()s"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_have_no_cycles() {
        let region = |id: &str, parent: Option<&str>| Region {
            id: id.into(),
            parent_region_id: parent.map(Into::into),
            description: String::new(),
            extra: Default::default(),
        };
        let all = [region("a", None), region("b", Some("a")), region("c", Some("b"))];
        assert!(check_parent("a", "c", &all).is_err());
        assert!(check_parent("a", "a", &all).is_err());
        assert!(check_parent("c", "a", &all).is_ok());
    }
}
