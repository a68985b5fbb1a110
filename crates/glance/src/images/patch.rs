//! JSON patch as Glance takes it: `application/openstack-images-v2.1-json-patch` and v2.0's older form.

use base::{Ctx, Error, Result};
use serde_json::Value;

use super::{Image, rules};

/// Applies every operation or none.
pub fn apply(ctx: &Ctx, image: &Image, body: &Value) -> Result<Image> {
    let operations = body
        .as_array()
        .ok_or_else(|| Error::bad_request("Request body must be a JSON array of operation objects."))?;
    let mut image = image.clone();
    for operation in operations {
        let (op, path, value) = parts(operation)?;
        one(ctx, &mut image, op, &path, value)?;
    }
    rules::check(&image)?;
    Ok(image)
}

/// `{"op": "replace", "path": "/name", "value": ..}`, or v2.0's `{"replace": "/name", "value": ..}`.
fn parts(operation: &Value) -> Result<(&str, Vec<String>, Option<&Value>)> {
    let object =
        operation.as_object().ok_or_else(|| Error::bad_request("Operations must be JSON objects."))?;
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let (op, path) = match (text("op"), text("path")) {
        (Some(op), Some(path)) => (op, path),
        (Some(_), None) => return Err(Error::bad_request("Unable to find '/path' in JSON Schema change")),
        (None, _) => ["add", "replace", "remove"]
            .into_iter()
            .find_map(|op| Some((op, text(op)?)))
            .ok_or_else(|| Error::bad_request("Unable to find 'op' in JSON Schema change"))?,
    };
    if !["add", "replace", "remove"].contains(&op) {
        return Err(Error::bad_request(format!(
            "Operations must be one of \"add\", \"replace\", \"remove\": \"{op}\""
        )));
    }
    let rest = path
        .strip_prefix('/')
        .filter(|p| !p.is_empty() && !p.ends_with('/') && !p.contains("//"))
        .ok_or_else(|| {
            Error::bad_request(format!("Pointer `{path}` is not a valid JSON pointer of an image."))
        })?;
    let path = rest.split('/').map(|p| p.replace("~1", "/").replace("~0", "~")).collect();
    let value = object.get("value");
    if op != "remove" && value.is_none() {
        return Err(Error::bad_request(format!("Operation \"{op}\" requires a member named \"value\".")));
    }
    Ok((op, path, value))
}

fn one(ctx: &Ctx, image: &mut Image, op: &str, path: &[String], value: Option<&Value>) -> Result<()> {
    let key = path.first().map(String::as_str).unwrap_or_default();
    if path.len() > 1 && key != "tags" {
        return Err(Error::bad_request(format!(
            "Invalid JSON pointer for this resource: '/{}'",
            path.join("/")
        )));
    }
    if rules::READ_ONLY.contains(&key) || key == "id" {
        return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
    }
    let known = [
        "name",
        "owner",
        "visibility",
        "disk_format",
        "container_format",
        "min_disk",
        "min_ram",
        "protected",
        "os_hidden",
        "tags",
    ];
    match (op, value) {
        ("remove", _) if known.contains(&key) => {
            Err(Error::forbidden(format!("Property {key} may not be removed.")))
        }
        ("remove", _) => match image.properties.remove(key) {
            Some(_) => Ok(()),
            None => Err(Error::conflict(format!("Property {key} does not exist."))),
        },
        ("replace", _) if !known.contains(&key) && !image.properties.contains_key(key) => {
            Err(Error::conflict(format!("Property {key} does not exist.")))
        }
        (_, Some(value)) if key == "tags" && path.len() == 2 => {
            let tag = value.as_str().ok_or_else(|| Error::bad_request("A tag is a string."))?;
            rules::add_tag(image, tag)
        }
        (_, Some(value)) => rules::set(ctx, image, key, value),
        (_, None) => Ok(()),
    }
}
