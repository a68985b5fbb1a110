//! Projects as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::Project;
use crate::listing::url;
use crate::schema::with_extra;

pub fn project(project: &Project, origin: &Origin) -> Value {
    let domain = (!project.domain_id.is_empty()).then_some(&project.domain_id);
    with_extra(
        json!({
        "id": project.id,
        "name": project.name,
        "domain_id": domain,
        "description": project.description,
        "enabled": project.enabled,
        "parent_id": project.parent_id,
        "is_domain": project.is_domain,
        "tags": project.tags,
        "options": project.options,
        "links": {"self": url(origin, &format!("projects/{}", project.id))},
        }),
        &project.extra,
    )
}
