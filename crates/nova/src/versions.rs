//! `/` and `/v2.1`: the version documents that clients negotiate from. No token needed.

use base::{Microversion, Policy, Rule};
use serde_json::{Value, json};
use web::{Origin, Response, json as answer};

use crate::links::MOUNT;

pub(crate) const MIN: Microversion = Microversion::new(2, 1);
pub(crate) const MAX: Microversion = Microversion::new(2, 96);

pub(crate) const POLICY: Policy = Policy::new("os_compute_api:versions", Rule::Public);

fn brief(origin: &Origin) -> Value {
    json!({
        "id": "v2.1",
        "status": "CURRENT",
        "version": MAX.to_string(),
        "min_version": MIN.to_string(),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": format!("{}{MOUNT}/v2.1/", origin.0)}],
    })
}

pub(crate) async fn list(origin: Origin) -> Response {
    answer(200, &json!({"versions": [brief(&origin)]}))
}

pub(crate) async fn show(origin: Origin) -> Response {
    let mut version = brief(&origin);
    version["media-types"] = json!([
        {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"},
    ]);
    answer(200, &json!({"version": version}))
}
