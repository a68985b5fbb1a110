//! Who may manage groups.

use super::Group;
use crate::access::{Policy, Target, Who};
use crate::users::User;

const READERS: &[Who] = &[Who::Admin, Who::SystemReader, Who::DomainReader];
const MANAGERS: &[Who] = &[Who::Admin, Who::DomainManager];

pub static LIST: Policy = Policy::new("identity:list_groups", READERS);
pub static GET: Policy = Policy::new("identity:get_group", READERS);
pub static LIST_OF_USER: Policy = Policy::new(
    "identity:list_groups_for_user",
    &[Who::Admin, Who::SystemReader, Who::DomainReader, Who::Owner],
);
pub static CREATE: Policy = Policy::new("identity:create_group", MANAGERS);
pub static UPDATE: Policy = Policy::new("identity:update_group", MANAGERS);
pub static DELETE: Policy = Policy::new("identity:delete_group", MANAGERS);
pub static LIST_USERS: Policy = Policy::new("identity:list_users_in_group", READERS);
pub static CHECK_USER: Policy = Policy::new("identity:check_user_in_group", READERS);
pub static ADD_USER: Policy = Policy::new("identity:add_user_to_group", MANAGERS);
pub static REMOVE_USER: Policy = Policy::new("identity:remove_user_from_group", MANAGERS);

pub fn target(group: &Group) -> Target<'_> {
    Target::domain(&group.domain_id)
}

/// A domain's people may pair only a group and a user that are both of it.
pub fn membership_target<'a>(group: &'a Group, user: &User) -> Target<'a> {
    if group.domain_id == user.domain_id { target(group) } else { Target::default() }
}
