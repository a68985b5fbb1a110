//! Who may manage domains.

use base::Error;

use crate::access::{Policy, Who};
use crate::projects::Project;

pub static LIST: Policy =
    Policy::new("identity:list_domains", &[Who::Admin, Who::SystemReader, Who::DomainReader]);
pub static GET: Policy = Policy::new("identity:get_domain", &[Who::Admin, Who::SystemReader, Who::InDomain]);
pub static CREATE: Policy = Policy::of_cloud("identity:create_domain", &[Who::Admin]);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_domain", &[Who::Admin]);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_domain", &[Who::Admin]);

pub fn check_delete(domain: &Project) -> Result<(), Error> {
    if domain.enabled {
        return Err(Error::forbidden("Cannot delete a domain that is enabled, please disable it first."));
    }
    Ok(())
}
