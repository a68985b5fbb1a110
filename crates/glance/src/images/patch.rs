//! JSON patch as Glance takes it: `application/openstack-images-v2.1-json-patch` and v2.0's older form.

use base::{Ctx, Error, Kind, Result};
use serde_json::{Map, Value, json};

use super::{Image, rules, schema};

const OPERATIONS: [&str; 3] = ["add", "remove", "replace"];

/// Which of the two forms the content type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"replace": "/name", "value": ..}`
    V20,
    /// `{"op": "replace", "path": "/name", "value": ..}`
    V21,
}

impl Form {
    pub fn of(content_type: &str) -> Result<Form> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        match kind {
            "application/openstack-images-v2.0-json-patch" => Ok(Form::V20),
            "application/openstack-images-v2.1-json-patch" => Ok(Form::V21),
            _ => Err(Error::unsupported_media_type(
                "Image PATCH expects Content-Type one of: application/openstack-images-v2.0-json-patch, \
                 application/openstack-images-v2.1-json-patch",
            )),
        }
    }
}

/// One operation that was understood and may be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    operation: &'static str,
    path: Vec<String>,
    value: Value,
    form: Form,
}

/// Everything that can be wrong with a patch whatever the image is.
pub fn parse(form: Form, body: &Value) -> Result<Vec<Change>> {
    body.as_array()
        .ok_or_else(|| Error::bad_request("Request body must be a JSON array of operation objects."))?
        .iter()
        .map(|raw| {
            let object =
                raw.as_object().ok_or_else(|| Error::bad_request("Operations must be JSON objects."))?;
            one(form, object)
        })
        .collect()
}

fn one(form: Form, object: &Map<String, Value>) -> Result<Change> {
    let available = OPERATIONS.join(", ");
    let operation = match form {
        Form::V21 => {
            let name = object.get("op").filter(|op| !op.is_null()).ok_or_else(|| {
                Error::bad_request(format!(
                    "Unable to find `op` in JSON Schema change. It must be one of the following: {available}."
                ))
            })?;
            OPERATIONS.into_iter().find(|op| name == op).ok_or_else(|| {
                let name = name.as_str().map_or_else(|| name.to_string(), Into::into);
                Error::bad_request(format!(
                    "Invalid operation: `{name}`. It must be one of the following: {available}."
                ))
            })?
        }
        Form::V20 => {
            let mut named = OPERATIONS.into_iter().filter(|op| object.contains_key(*op));
            match (named.next(), named.next()) {
                (Some(op), None) => op,
                (Some(_), Some(_)) => {
                    return Err(Error::bad_request(
                        "Operation objects must contain only one member named \"add\", \"remove\", or \"replace\".",
                    ));
                }
                (None, _) => {
                    return Err(Error::bad_request(
                        "Operation objects must contain exactly one member named \"add\", \"remove\", or \"replace\".",
                    ));
                }
            }
        }
    };
    let pointer = match form {
        Form::V21 => object
            .get("path")
            .ok_or_else(|| Error::bad_request("Unable to find 'path' in JSON Schema change"))?,
        Form::V20 => object.get(operation).unwrap_or(&Value::Null),
    };
    let pointer = pointer
        .as_str()
        .ok_or_else(|| Error::bad_request(format!("Pointer `{pointer}` does not start with \"/\".")))?;
    let path = decode(pointer)?;
    let root = path.first().map(String::as_str).unwrap_or_default();
    let depth = match (root, operation) {
        ("locations", "add" | "remove") => 2,
        _ => 1,
    };
    if path.len() != depth {
        return Err(Error::bad_request(format!(
            "Invalid JSON pointer for this resource: '/{}'",
            path.join("/")
        )));
    }
    let value = match (operation, object.get("value")) {
        ("remove", _) => Value::Null,
        (_, Some(value)) => value.clone(),
        (_, None) => {
            return Err(Error::bad_request(format!(
                "Operation \"{operation}\" requires a member named \"value\"."
            )));
        }
    };
    rules::may_be_set(root)?;
    if operation != "remove" && path.len() == 1 {
        schema::check(&json!({(root): value}))?;
    }
    Ok(Change { operation, path, value, form })
}

/// A JSON pointer as a list of names.
fn decode(pointer: &str) -> Result<Vec<String>> {
    let bad = |why: &str| Err(Error::bad_request(format!("Pointer `{pointer}` {why}")));
    if !pointer.starts_with('/') {
        return bad("does not start with \"/\".");
    }
    let rest = pointer.trim_start_matches('/');
    let parts: Vec<&str> = rest.split('/').collect();
    if parts.iter().skip(1).rev().skip(1).any(|p| p.trim().is_empty()) {
        return bad("contains adjacent \"/\".");
    }
    if pointer.len() > 1 && pointer.ends_with('/') {
        return bad("end with \"/\".");
    }
    let escapes = rest.split('~').skip(1);
    if escapes.clone().any(|after| !after.starts_with(['0', '1'])) {
        return bad("contains \"~\" not part of a recognized escape sequence.");
    }
    Ok(parts.iter().map(|p| p.replace("~1", "/").replace("~0", "~").trim().to_owned()).collect())
}

/// Applies every operation or none.
pub fn apply(ctx: &Ctx, image: &Image, changes: &[Change]) -> Result<Image> {
    let mut image = image.clone();
    for change in changes {
        let key = change.path.first().map(String::as_str).unwrap_or_default();
        let there = rules::ATTRIBUTES.contains(&key) || image.properties.contains_key(key);
        match change.operation {
            _ if key == "locations" => return Err(locations(change)),
            "remove" if rules::ATTRIBUTES.contains(&key) => {
                return Err(Error::forbidden(format!("Property {key} may not be removed.")));
            }
            "remove" => {
                if image.properties.remove(key).is_none() {
                    return Err(Error::conflict(format!("Property {key} does not exist.")));
                }
            }
            "replace" if key == "owner" && !ctx.is_admin() => {
                return Err(Error::forbidden("Owner can't be updated by non admin."));
            }
            "replace" if !there => {
                return Err(Error::conflict(format!("Property {key} does not exist.")));
            }
            "add" if there && change.form == Form::V20 => {
                return Err(Error::conflict(format!("Property {key} already present.")));
            }
            _ => rules::set(ctx, &mut image, key, &change.value)?,
        }
    }
    rules::check(&image)?;
    Ok(image)
}

/// Locations are not shown, so they cannot be changed either: the service's default.
fn locations(change: &Change) -> Error {
    let message = match change.operation {
        "replace" if change.value.as_array().is_some_and(Vec::is_empty) => {
            "Cannot set locations to empty list."
        }
        "replace" => "It's not allowed to update locations if locations are invisible.",
        "add" => "It's not allowed to add locations if locations are invisible.",
        _ => "It's not allowed to remove locations if locations are invisible.",
    };
    Error::new(Kind::Forbidden, message)
}
