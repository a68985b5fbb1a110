//! Versions and schemas.

pub mod schemas;

use std::sync::Arc;

use base::Error;
use serde_json::{Value, json};
use web::{Origin, Path, Result, Routes};

use crate::Glance;
use crate::images::policy;

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/", &policy::ANYONE, versions_multiple)
        .get("/versions", &policy::ANYONE, versions)
        .get("/v2/schemas/{name}", &policy::SCHEMAS, schema)
        .get("/v2/schemas/metadefs/{name}", &policy::SCHEMAS, metadef_schema)
}

/// As of a Glance with several stores and without a cache: 2.14, 2.16 and 2.18 are the cache's.
fn document(origin: &str) -> Value {
    let version = |minor: u8| {
        let status = if minor == 17 { "CURRENT" } else { "SUPPORTED" };
        json!({
            "id": format!("v2.{minor}"), "status": status,
            "links": [{"rel": "self", "href": format!("{origin}/image/v2/")}],
        })
    };
    let list: Vec<Value> =
        [17, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].into_iter().map(version).collect();
    json!({"versions": list})
}

async fn versions_multiple(Origin(origin): Origin) -> Result {
    Ok(web::json(300, &document(&origin)))
}

async fn versions(Origin(origin): Origin) -> Result {
    Ok(web::json(200, &document(&origin)))
}

async fn schema(Path(name): Path<String>) -> Result {
    found(schemas::of_images(&name))
}

async fn metadef_schema(Path(name): Path<String>) -> Result {
    found(crate::metadefs::schemas::published(&name))
}

fn found(schema: Option<Value>) -> Result {
    match schema {
        Some(schema) => Ok(web::json(200, &schema)),
        None => Err(Error::not_found("The resource could not be found.").into()),
    }
}
