//! Version document, resource classes, traits.

use std::sync::Arc;

use base::{Policy, Rule};
use serde_json::json;
use web::{Caller, Result, Routes};

use crate::Placement;

const VERSIONS: Policy = Policy::new("placement:versions", Rule::Public);
const CLASSES: Policy = Policy::new("placement:resource_classes:list", Rule::Admin);
const TRAITS: Policy = Policy::new("placement:traits:list", Rule::Admin);

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/", &VERSIONS, versions)
        .get("/resource_classes", &CLASSES, classes)
        .get("/traits", &TRAITS, traits)
}

async fn versions() -> Result {
    Ok(web::json(
        200,
        &json!({"versions": [{
            "id": "v1.0", "max_version": "1.39", "min_version": "1.0", "status": "CURRENT",
            "links": [{"rel": "self", "href": ""}],
        }]}),
    ))
}

pub const CLASS_NAMES: [&str; 3] = ["VCPU", "MEMORY_MB", "DISK_GB"];

async fn classes() -> Result {
    let list: Vec<_> = CLASS_NAMES
        .iter()
        .map(|name| json!({"name": name, "links": [{"rel": "self", "href": format!("/placement/resource_classes/{name}")}]}))
        .collect();
    Ok(web::json(200, &json!({"resource_classes": list})))
}

async fn traits(Caller(_): Caller) -> Result {
    // No provider carries a trait.
    Ok(web::json(200, &json!({"traits": []})))
}
