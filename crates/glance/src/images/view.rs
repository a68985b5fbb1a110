//! Image JSON.

use base::time::seconds_z;
use serde_json::{Map, Value, json};

use super::Image;

/// Extra properties are siblings of the base ones; they come first, as in Glance, so that no property can hide one.
pub fn image(image: &Image) -> Value {
    let mut out = Map::new();
    for (key, value) in &image.properties {
        out.insert(key.clone(), Value::String(value.clone()));
    }
    let path = format!("/v2/images/{}", image.id);
    let base = json!({
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility.as_str(),
        "size": image.size,
        "virtual_size": image.virtual_size,
        "status": image.status.as_str(),
        "checksum": image.checksum,
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image.owner,
        "os_hidden": image.hidden,
        "os_hash_algo": image.hash_algo,
        "os_hash_value": image.hash_value,
        "id": image.id,
        "created_at": seconds_z(image.created_at),
        "updated_at": seconds_z(image.updated_at),
        "tags": image.tags,
        "self": path,
        "file": format!("{path}/file"),
        "schema": "/v2/schemas/image",
    });
    if let Value::Object(base) = base {
        out.extend(base);
    }
    Value::Object(out)
}
