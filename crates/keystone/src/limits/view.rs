//! Limits as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::{Limit, Owner, RegisteredLimit};
use crate::listing::url;

fn region(registered: &RegisteredLimit) -> Option<&str> {
    Some(registered.region_id.as_str()).filter(|id| !id.is_empty())
}

pub fn registered(limit: &RegisteredLimit, origin: &Origin) -> Value {
    json!({
        "id": limit.id,
        "service_id": limit.service_id,
        "region_id": region(limit),
        "resource_name": limit.resource_name,
        "default_limit": limit.default_limit,
        "description": limit.description,
        "links": {"self": url(origin, &format!("registered_limits/{}", limit.id))},
    })
}

pub fn limit(limit: &Limit, origin: &Origin) -> Value {
    let (project, domain) = match &limit.owner {
        Owner::Project(id) => (Some(id), None),
        Owner::Domain(id) => (None, Some(id)),
    };
    json!({
        "id": limit.id,
        "project_id": project,
        "domain_id": domain,
        "service_id": limit.registered.service_id,
        "region_id": region(&limit.registered),
        "resource_name": limit.registered.resource_name,
        "resource_limit": limit.resource_limit,
        "description": limit.description,
        "links": {"self": url(origin, &format!("limits/{}", limit.id))},
    })
}
