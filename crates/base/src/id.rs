//! Ids in OpenStack's two spellings.

use uuid::Uuid;

/// With dashes: servers, networks, images and most others.
pub fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// 32 hex digits without dashes: Keystone's projects, users, roles.
pub fn hex() -> String {
    Uuid::new_v4().simple().to_string()
}

/// `req-<uuid>`, the value of X-Openstack-Request-Id.
pub fn request_id() -> String {
    format!("req-{}", Uuid::new_v4())
}

/// Either spelling.
pub fn is_uuid(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}
