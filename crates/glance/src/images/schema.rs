//! The image's JSON schema: published at `/v2/schemas/image`, and what bodies are checked against.

use std::sync::LazyLock;

use base::{Error, Result};
use serde_json::{Map, Value, json};
use web::schema::Schema;

use super::rules::{CONTAINER_FORMATS, DISK_FORMATS};

pub static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(&DOCUMENT));

/// A whole image or a part of one, as a client sends it.
pub fn check(body: &Value) -> Result<()> {
    match SCHEMA.complaint(body) {
        None => Ok(()),
        Some(why) => Err(Error::bad_request(format!("Provided object does not match schema 'image': {why}"))),
    }
}

fn document() -> Value {
    let text =
        |most: u32, about: &str| json!({"type": ["null", "string"], "maxLength": most, "description": about});
    let fixed = |kind: &str, about: &str| json!({"type": kind, "readOnly": true, "description": about});
    let computed = |kind: &str, most: Option<u32>, about: &str| {
        let mut out = json!({"type": ["null", kind], "readOnly": true, "description": about});
        if let Some(most) = most {
            out["maxLength"] = json!(most);
        }
        out
    };
    let one_of = |values: &[&str], about: &str| {
        let mut values: Vec<Value> = values.iter().map(|v| json!(v)).collect();
        values.insert(0, Value::Null);
        json!({"type": ["null", "string"], "enum": values, "description": about})
    };
    let properties = [
        (
            "id",
            json!({"type": "string", "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$", "description": "UUID of the image"}),
        ),
        ("name", text(255, "Name to show")),
        (
            "status",
            json!({"type": "string", "readOnly": true, "enum": ["queued", "saving", "active", "killed", "deleted", "uploading", "importing", "pending_delete", "deactivated"], "description": "State of the image"}),
        ),
        (
            "visibility",
            json!({"type": "string", "enum": ["community", "public", "private", "shared"], "description": "Who may use it"}),
        ),
        ("protected", json!({"type": "boolean", "description": "It cannot be deleted"})),
        ("os_hidden", json!({"type": "boolean", "description": "Left out of ordinary lists"})),
        ("checksum", computed("string", Some(32), "MD5 of the data")),
        ("os_hash_algo", computed("string", Some(64), "Algorithm of os_hash_value")),
        ("os_hash_value", computed("string", Some(128), "Digest of the data")),
        ("owner", text(255, "Project that owns it")),
        ("size", computed("integer", None, "Bytes of the data")),
        ("virtual_size", computed("integer", None, "Bytes of the disk that a guest sees")),
        ("container_format", one_of(&CONTAINER_FORMATS, "Container of the data")),
        ("disk_format", one_of(&DISK_FORMATS, "Format of the data")),
        ("created_at", fixed("string", "When it was registered")),
        ("updated_at", fixed("string", "When it last changed")),
        (
            "tags",
            json!({"type": "array", "items": {"type": "string", "maxLength": 255}, "description": "Tags"}),
        ),
        ("direct_url", fixed("string", "URL in the store")),
        ("min_ram", json!({"type": "integer", "description": "MiB of memory it needs"})),
        ("min_disk", json!({"type": "integer", "description": "GiB of disk it needs"})),
        ("self", fixed("string", "URL of the image")),
        ("file", fixed("string", "URL of the data")),
        ("stores", fixed("string", "Ids of the stores that have the data")),
        ("schema", fixed("string", "URL of this schema")),
        (
            "locations",
            json!({"type": "array", "items": {"type": "object", "required": ["url", "metadata"], "properties": { "url": {"type": "string", "maxLength": 255}, "metadata": {"type": "object"}, "validation_data": {"type": "object", "writeOnly": true, "additionalProperties": false, "required": ["os_hash_algo", "os_hash_value"], "properties": { "checksum": {"type": "string", "minLength": 32, "maxLength": 32}, "os_hash_algo": {"type": "string", "maxLength": 64}, "os_hash_value": {"type": "string", "maxLength": 128}, }}, }}, "description": "Where the data lies"}),
        ),
    ];
    json!({
        "name": "image",
        "type": "object",
        "properties": properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>(),
        "additionalProperties": {"type": "string"},
        "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, {"rel": "describedby", "href": "{schema}"}],
    })
}
