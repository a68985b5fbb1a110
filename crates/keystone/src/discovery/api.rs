//! / and /v3

use base::{Policy, Rule};
use serde_json::{Value, json};
use web::{Origin, Response};

use crate::listing::MOUNT;

pub static VERSIONS: Policy = Policy::new("identity:get_versions", Rule::Public);

/// What Identity API v3.14 is: the newest. Clients read the major only.
fn version(origin: &Origin) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{}{MOUNT}/v3/", origin.0)}],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json",
        }],
    })
}

pub async fn all(origin: Origin) -> Response {
    web::json(300, &json!({"versions": {"values": [version(&origin)]}}))
}

pub async fn v3(origin: Origin) -> Response {
    web::json(200, &json!({"version": version(&origin)}))
}
