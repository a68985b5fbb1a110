//! Roles as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Role;
use crate::listing::url;
use crate::schema::with_extra;

pub fn role(role: &Role, origin: &Origin) -> Value {
    let domain = (!role.domain_id.is_empty()).then_some(&role.domain_id);
    with_extra(
        json!({
        "id": role.id,
        "name": role.name,
        "domain_id": domain,
        "description": role.description,
        "options": role.options,
        "links": {"self": url(origin, &format!("roles/{}", role.id))},
        }),
        &role.extra,
    )
}

/// A role as it appears inside an implication.
pub fn brief(role: &Role, origin: &Origin) -> Value {
    json!({"id": role.id, "name": role.name, "links": {"self": url(origin, &format!("roles/{}", role.id))}})
}
