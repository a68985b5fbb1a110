//! `/` and `/v2.1`: the version documents that clients negotiate from. No token needed.

use base::{Microversion, Policy, Rule};
use serde_json::{Value, json};
use web::{Origin, Response, json as answer};

use crate::links::MOUNT;

pub(crate) const MIN: Microversion = Microversion::new(2, 1);
pub(crate) const MAX: Microversion = Microversion::new(2, 104);

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

/// The first API: the same calls, without microversions.
fn legacy(origin: &Origin) -> Value {
    json!({
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
        "links": [{"rel": "self", "href": format!("{}{MOUNT}/v2/", origin.0)}],
    })
}

pub(crate) async fn list(origin: Origin) -> Response {
    answer(200, &json!({"versions": [legacy(&origin), brief(&origin)]}))
}

fn whole(mut version: Value) -> Response {
    let base = if version["id"] == "v2.0" { "2" } else { "2.1" };
    version["media-types"] = json!([{
        "base": "application/json",
        "type": format!("application/vnd.openstack.compute+json;version={base}"),
    }]);
    if let Some(links) = version["links"].as_array_mut() {
        links.push(json!({
            "rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/",
        }));
    }
    answer(200, &json!({"version": version}))
}

pub(crate) async fn show_legacy(origin: Origin) -> Response {
    whole(legacy(&origin))
}

pub(crate) async fn show(origin: Origin) -> Response {
    whole(brief(&origin))
}
