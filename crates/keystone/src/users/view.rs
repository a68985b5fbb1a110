//! Users as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::User;
use crate::listing::url;
use crate::schema::with_extra;

pub fn user(user: &User, origin: &Origin) -> Value {
    let mut view = json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "password_expires_at": user.password_expires_at.map(base::time::micros_naive),
        "options": user.options,
        "links": {"self": url(origin, &format!("users/{}", user.id))},
    });
    if let Some(project) = &user.default_project_id {
        view["default_project_id"] = json!(project);
    }
    with_extra(view, &user.extra)
}
