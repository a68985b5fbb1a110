//! Domains as JSON.

use serde_json::{Value, json};
use web::Origin;

use crate::listing::url;
use crate::projects::Project;

pub fn domain(domain: &Project, origin: &Origin) -> Value {
    let mut view = json!({
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": domain.tags,
        "options": domain.options,
        "links": {"self": url(origin, &format!("domains/{}", domain.id))},
    });
    for (key, value) in &domain.extra {
        view[key] = value.clone();
    }
    view
}
