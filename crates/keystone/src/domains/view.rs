//! Domains as JSON.

use serde_json::{Value, json};
use web::Origin;

use crate::listing::url;
use crate::projects::Project;
use crate::schema::with_extra;

pub fn domain(domain: &Project, origin: &Origin) -> Value {
    with_extra(
        json!({
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": domain.tags,
        "options": domain.options,
        "links": {"self": url(origin, &format!("domains/{}", domain.id))},
        }),
        &domain.extra,
    )
}
