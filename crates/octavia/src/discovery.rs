//! The versions of the API. Unlike other services' they are told oldest first, and clients rely on it.

use std::sync::Arc;

use serde_json::{Value, json};
use web::{Origin, Routes};

use crate::{MOUNT, Octavia, policy};

/// When each version from 2.0 on came.
const UPDATED: [&str; 28] = [
    "2016-12-11T00:00:00Z",
    "2018-04-20T00:00:00Z",
    "2018-07-31T00:00:00Z",
    "2018-12-18T00:00:00Z",
    "2018-12-19T00:00:00Z",
    "2019-01-21T00:00:00Z",
    "2019-01-25T00:00:00Z",
    "2018-01-25T12:00:00Z",
    "2019-02-12T00:00:00Z",
    "2019-03-04T00:00:00Z",
    "2019-03-05T00:00:00Z",
    "2019-06-24T00:00:00Z",
    "2019-09-11T00:00:00Z",
    "2019-09-13T00:00:00Z",
    "2019-11-10T00:00:00Z",
    "2020-03-10T00:00:00Z",
    "2020-03-15T00:00:00Z",
    "2020-04-29T00:00:00Z",
    "2020-04-29T01:00:00Z",
    "2020-05-12T00:00:00Z",
    "2020-08-02T00:00:00Z",
    "2020-09-03T00:00:00Z",
    "2020-09-04T00:00:00Z",
    "2020-09-07T00:00:00Z",
    "2020-10-15T00:00:00Z",
    "2021-10-02T00:00:00Z",
    "2022-08-29T00:00:00Z",
    "2023-05-05T00:00:00Z",
];

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    routes.get("/", &policy::ANYONE, versions)
}

async fn versions(Origin(origin): Origin) -> web::Result {
    let newest = UPDATED.len() - 1;
    let versions: Vec<Value> = UPDATED
        .iter()
        .enumerate()
        .map(|(minor, updated)| {
            json!({
                "id": format!("v2.{minor}"),
                "status": if minor == newest { "CURRENT" } else { "SUPPORTED" },
                "updated": updated,
                "links": [{"href": format!("{origin}{MOUNT}/v2"), "rel": "self"}],
            })
        })
        .collect();
    Ok(web::json(200, &json!({ "versions": versions })))
}
