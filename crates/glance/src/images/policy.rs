//! Who may do what with images, by Glance's own policy names.

use base::{Policy, Rule};

pub const LIST: Policy = Policy::new("get_images", Rule::ProjectReader);
pub const GET: Policy = Policy::new("get_image", Rule::ProjectReader);
pub const CREATE: Policy = Policy::new("add_image", Rule::ProjectMember);
pub const MODIFY: Policy = Policy::new("modify_image", Rule::ProjectMember);
pub const DELETE: Policy = Policy::new("delete_image", Rule::ProjectMember);
pub const PUBLICIZE: Policy = Policy::new("publicize_image", Rule::Admin);
pub const UPLOAD: Policy = Policy::new("upload_image", Rule::ProjectMember);
pub const DOWNLOAD: Policy = Policy::new("download_image", Rule::ProjectMember);
pub const DEACTIVATE: Policy = Policy::new("deactivate", Rule::ProjectMember);
pub const REACTIVATE: Policy = Policy::new("reactivate", Rule::ProjectMember);
pub const COPY: Policy = Policy::new("copy_image", Rule::Admin);
pub const DELETE_LOCATION: Policy = Policy::new("delete_image_location", Rule::Admin);
pub const ADD_LOCATION: Policy = Policy::new("add_image_location", Rule::ProjectMember);
pub const FETCH_LOCATIONS: Policy = Policy::new("fetch_image_location", Rule::Service);
pub const MEMBERS_GET: Policy = Policy::new("get_members", Rule::ProjectReader);
pub const MEMBERS_ADD: Policy = Policy::new("add_member", Rule::ProjectMember);
pub const MEMBERS_MODIFY: Policy = Policy::new("modify_member", Rule::ProjectMember);
pub const MEMBERS_DELETE: Policy = Policy::new("delete_member", Rule::ProjectMember);
pub const TASKS: Policy = Policy::new("tasks_api_access", Rule::Admin);
pub const STORES_DETAIL: Policy = Policy::new("stores_info_detail", Rule::Service);
pub const ANYONE: Policy = Policy::new("versions", Rule::Public);
pub const SCHEMAS: Policy = Policy::new("schemas", Rule::Unchecked);

/// The policy as a route asks for it: whoever may not see an image is told 404 before anything else, so every reader
/// comes as far as `rules.rs`, which asks for the rest.
const fn once_seen(policy: Policy) -> Policy {
    Policy::new(policy.name, Rule::ProjectReader)
}

pub mod seen {
    use super::{Policy, once_seen};

    pub const MODIFY: Policy = once_seen(super::MODIFY);
    pub const DELETE: Policy = once_seen(super::DELETE);
    pub const UPLOAD: Policy = once_seen(super::UPLOAD);
    pub const DOWNLOAD: Policy = once_seen(super::DOWNLOAD);
    pub const DEACTIVATE: Policy = once_seen(super::DEACTIVATE);
    pub const REACTIVATE: Policy = once_seen(super::REACTIVATE);
    pub const DELETE_LOCATION: Policy = once_seen(super::DELETE_LOCATION);
    pub const ADD_LOCATION: Policy = once_seen(super::ADD_LOCATION);
    pub const MEMBERS_ADD: Policy = once_seen(super::MEMBERS_ADD);
    pub const MEMBERS_MODIFY: Policy = once_seen(super::MEMBERS_MODIFY);
    pub const MEMBERS_DELETE: Policy = once_seen(super::MEMBERS_DELETE);
}
