//! Versions.

use std::sync::Arc;

use base::{Microversion, Policy, Rule};
use serde_json::{Value, json};
use web::axum::Extension;
use web::{Origin, Result, Routes};

use crate::{Barbican, SERVICE, refs};

pub mod policy {
    use super::{Policy, Rule};

    pub const VERSIONS: Policy = Policy::new("versions", Rule::Public);
    pub const VERSION: Policy = Policy::new("version", Rule::Unchecked);
}

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes.get("/", &policy::VERSIONS, list).get("/v1", &policy::VERSION, show)
}

/// Clients that ask for no microversion get the form of before there were any.
fn is_old(version: Microversion) -> bool {
    version < Microversion::new(1, 1)
}

fn document(origin: &Origin, version: Microversion) -> Value {
    let links = json!([
        {"rel": "self", "href": refs::href(origin, "")},
        {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
    ]);
    if is_old(version) {
        return json!({
            "id": "v1", "status": "stable", "links": links,
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.key-manager-v1+json"},
            ],
        });
    }
    let (min, max) = SERVICE.microversions.unwrap_or_default();
    json!({
        "id": "v1", "status": "CURRENT", "min_version": min.to_string(), "max_version": max.to_string(),
        "links": links,
    })
}

async fn list(origin: Origin, Extension(version): Extension<Microversion>) -> Result {
    let document = document(&origin, version);
    let versions = if is_old(version) { json!({"values": [document]}) } else { json!([document]) };
    Ok(web::json(300, &json!({"versions": versions})))
}

async fn show(origin: Origin, Extension(version): Extension<Microversion>) -> Result {
    Ok(web::json(200, &json!({"version": document(&origin, version)})))
}
