//! Versions, schemas and what the store can do.

use std::sync::Arc;

use base::Error;
use serde_json::{Value, json};
use web::{Origin, Path, Result, Routes};

use crate::Glance;
use crate::images::policy;
use crate::images::rules::{CONTAINER_FORMATS, DISK_FORMATS};

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/", &policy::ANYONE, versions_multiple)
        .get("/versions", &policy::ANYONE, versions)
        .get("/v2/schemas/{name}", &policy::SCHEMAS, schema)
        .get("/v2/info/import", &policy::SCHEMAS, import)
        .get("/v2/info/stores", &policy::SCHEMAS, stores)
}

/// Newest first. v2.16 added image tasks' list, v2.17 the store's name; no later call is served.
fn document(origin: &str) -> Value {
    let version = |id: &str, status: &str| json!({"id": id, "status": status, "links": [{"rel": "self", "href": format!("{origin}/image/v2/")}]});
    let mut list = vec![version("v2.9", "CURRENT")];
    list.extend((0..=7).rev().filter(|n| *n != 6).map(|n| version(&format!("v2.{n}"), "SUPPORTED")));
    json!({"versions": list})
}

async fn versions_multiple(Origin(origin): Origin) -> Result {
    Ok(web::json(300, &document(&origin)))
}

async fn versions(Origin(origin): Origin) -> Result {
    Ok(web::json(200, &document(&origin)))
}

async fn import() -> Result {
    Ok(web::json(
        200,
        &json!({"import-methods": {"description": "Import methods available.", "type": "array", "value": []}}),
    ))
}

async fn stores() -> Result {
    Ok(web::json(
        200,
        &json!({"stores": [{"id": "file", "default": "true", "description": "files on this machine"}]}),
    ))
}

async fn schema(Path(name): Path<String>) -> Result {
    let list = |name: &str, item: Value| {
        json!({
            "name": name,
            "properties": {
                name: {"items": item, "type": "array"},
                "schema": {"type": "string"}, "next": {"type": "string"}, "first": {"type": "string"},
            },
            "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, {"rel": "describedby", "href": "{schema}"}],
        })
    };
    let value = match name.as_str() {
        "image" => image_schema(),
        "images" => list("images", image_schema()),
        "member" => member_schema(),
        "members" => list("members", member_schema()),
        _ => return Err(Error::not_found("The resource could not be found.").into()),
    };
    Ok(web::json(200, &value))
}

fn image_schema() -> Value {
    let text = |about: &str| json!({"type": ["null", "string"], "maxLength": 255, "description": about});
    let fixed = |kind: &str, about: &str| json!({"type": kind, "readOnly": true, "description": about});
    let nullable =
        |kind: &str, about: &str| json!({"type": ["null", kind], "readOnly": true, "description": about});
    let one_of = |values: &[&str], about: &str| {
        let mut values: Vec<Value> = values.iter().map(|v| json!(v)).collect();
        values.insert(0, Value::Null);
        json!({"type": ["null", "string"], "enum": values, "description": about})
    };
    json!({
        "name": "image",
        "properties": {
            "id": {"type": "string", "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$", "description": "UUID of the image"},
            "name": text("Name to show"),
            "status": {"type": "string", "readOnly": true, "enum": ["queued", "saving", "active", "deactivated"], "description": "State of the image"},
            "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"], "description": "Who may use it"},
            "protected": {"type": "boolean", "description": "It cannot be deleted"},
            "os_hidden": {"type": "boolean", "description": "Left out of ordinary lists"},
            "checksum": nullable("string", "MD5 of the data"),
            "os_hash_algo": nullable("string", "Algorithm of os_hash_value"),
            "os_hash_value": nullable("string", "Digest of the data"),
            "owner": text("Project that owns it"),
            "size": nullable("integer", "Bytes of the data"),
            "virtual_size": nullable("integer", "Bytes of the disk that a guest sees"),
            "container_format": one_of(&CONTAINER_FORMATS, "Container of the data"),
            "disk_format": one_of(&DISK_FORMATS, "Format of the data"),
            "created_at": fixed("string", "When it was registered"),
            "updated_at": fixed("string", "When it last changed"),
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}, "description": "Tags"},
            "min_ram": {"type": "integer", "description": "MiB of memory it needs"},
            "min_disk": {"type": "integer", "description": "GiB of disk it needs"},
            "self": fixed("string", "URL of the image"),
            "file": fixed("string", "URL of the data"),
            "schema": fixed("string", "URL of this schema"),
        },
        "additionalProperties": {"type": "string"},
        "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, {"rel": "describedby", "href": "{schema}"}],
    })
}

fn member_schema() -> Value {
    json!({
        "name": "member",
        "properties": {
            "member_id": {"type": "string", "description": "Project that the image is shared with"},
            "image_id": {"type": "string", "description": "The image"},
            "status": {"type": "string", "enum": ["pending", "accepted", "rejected"], "description": "What the member decided"},
            "created_at": {"type": "string", "description": "When it was shared"},
            "updated_at": {"type": "string", "description": "When the membership last changed"},
            "schema": {"type": "string", "readOnly": true},
        },
    })
}
