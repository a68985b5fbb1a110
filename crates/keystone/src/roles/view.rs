//! Roles as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Role;
use crate::listing::url;

pub fn role(role: &Role, origin: &Origin) -> Value {
    let domain = (!role.domain_id.is_empty()).then_some(&role.domain_id);
    let mut view = json!({
        "id": role.id,
        "name": role.name,
        "domain_id": domain,
        "description": role.description,
        "options": role.options,
        "links": {"self": url(origin, &format!("roles/{}", role.id))},
    });
    for (key, value) in &role.extra {
        view[key] = value.clone();
    }
    view
}

/// A role as it appears inside an implication.
pub fn brief(role: &Role, origin: &Origin) -> Value {
    json!({"id": role.id, "name": role.name, "links": {"self": url(origin, &format!("roles/{}", role.id))}})
}
