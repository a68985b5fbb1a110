//! Regions, services and endpoints as JSON.

use serde_json::{Value, json};
use web::Origin;

use super::{Endpoint, Region, ServiceEntry};
use crate::listing::url;
use crate::schema::with_extra;

pub fn region(region: &Region, origin: &Origin) -> Value {
    let view = json!({
        "id": region.id,
        "description": region.description,
        "parent_region_id": region.parent_region_id,
        "links": {"self": url(origin, &format!("regions/{}", region.id))},
    });
    with_extra(view, &region.extra)
}

pub fn service(service: &ServiceEntry, origin: &Origin) -> Value {
    let mut view = json!({
        "id": service.id,
        "type": service.kind,
        "enabled": service.enabled,
        "links": {"self": url(origin, &format!("services/{}", service.id))},
    });
    if let Some(name) = &service.name {
        view["name"] = json!(name);
    }
    if let Some(description) = &service.description {
        view["description"] = json!(description);
    }
    with_extra(view, &service.extra)
}

pub fn endpoint(endpoint: &Endpoint, origin: &Origin) -> Value {
    let view = json!({
        "id": endpoint.id,
        "interface": endpoint.interface,
        "region": endpoint.region_id,
        "region_id": endpoint.region_id,
        "service_id": endpoint.service_id,
        "url": endpoint.url,
        "enabled": endpoint.enabled,
        "links": {"self": url(origin, &format!("endpoints/{}", endpoint.id))},
    });
    with_extra(view, &endpoint.extra)
}
