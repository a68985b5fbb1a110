//! Who may see and set limits.

use base::{Auth, Scope};

use super::Owner;
use crate::access::{Policy, Who};

const ANYONE: &[Who] = &[Who::Anyone];
const ADMIN: &[Who] = &[Who::Admin];

pub static GET_MODEL: Policy = Policy::new("identity:get_limit_model", ANYONE);
/// Each sees what is theirs.
pub static LIST: Policy = Policy::new("identity:list_limits", ANYONE);
pub static GET: Policy =
    Policy::new("identity:get_limit", &[Who::Admin, Who::SystemReader, Who::ForDomain, Who::InProject]);
pub static CREATE: Policy = Policy::of_cloud("identity:create_limits", ADMIN);
pub static UPDATE: Policy = Policy::of_cloud("identity:update_limit", ADMIN);
pub static DELETE: Policy = Policy::of_cloud("identity:delete_limit", ADMIN);

pub static LIST_REGISTERED: Policy = Policy::new("identity:list_registered_limits", ANYONE);
pub static GET_REGISTERED: Policy = Policy::new("identity:get_registered_limit", ANYONE);
pub static CREATE_REGISTERED: Policy = Policy::of_cloud("identity:create_registered_limits", ADMIN);
pub static UPDATE_REGISTERED: Policy = Policy::of_cloud("identity:update_registered_limit", ADMIN);
pub static DELETE_REGISTERED: Policy = Policy::of_cloud("identity:delete_registered_limit", ADMIN);

/// -1 is "no limit".
pub const MIN: i64 = -1;
pub const MAX: i64 = 0x7FFF_FFFF;

/// Is a limit in this caller's list? `domain` is the owner's: itself, or that of the project.
pub fn visible(auth: &Auth, owner: &Owner, domain: &str) -> bool {
    if auth.is_admin && !matches!(auth.scope, Scope::Domain(_)) || auth.has_role("service") {
        return true;
    }
    match &auth.scope {
        Scope::System => true,
        Scope::Domain(own) => auth.is_admin || own.id == domain,
        Scope::Project(own) => *owner == Owner::Project(own.id.clone()),
        Scope::Unscoped => false,
    }
}
