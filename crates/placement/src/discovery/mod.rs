//! The version document.

use std::sync::Arc;

use base::{Policy, Rule};
use serde_json::json;
use web::{Result, Routes};

use crate::Placement;

const VERSIONS: Policy = Policy::new("placement:versions", Rule::Public);

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.get("/", &VERSIONS, versions)
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
