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
pub const MEMBERS_GET: Policy = Policy::new("get_members", Rule::ProjectReader);
pub const MEMBERS_ADD: Policy = Policy::new("add_member", Rule::ProjectMember);
pub const MEMBERS_MODIFY: Policy = Policy::new("modify_member", Rule::ProjectMember);
pub const MEMBERS_DELETE: Policy = Policy::new("delete_member", Rule::ProjectMember);
pub const ANYONE: Policy = Policy::new("versions", Rule::Public);
pub const SCHEMAS: Policy = Policy::new("schemas", Rule::Authenticated);
