//! What an import may ask for.

use std::collections::{BTreeMap, BTreeSet};

use base::{Ctx, Error, Result};
use serde_json::Value;

use super::download::Rules;
use super::{FAILED, IMPORTING, METHODS, TASK};
use crate::data::Files;
use crate::images::{Image, Status, policy, rules as images};

/// An import, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: &'static str,
    pub uri: Option<String>,
    pub stores: Vec<String>,
    pub all_must_succeed: bool,
}

/// `header`: X-Image-Meta-Store.
pub fn read(body: &Value, header: Option<&str>, files: &Files) -> Result<Request> {
    let method =
        body.get("method").ok_or_else(|| Error::bad_request("Import request requires a 'method' field."))?;
    let name =
        method.get("name").ok_or_else(|| Error::bad_request("Import request requires a 'name' field."))?;
    let known = METHODS.into_iter().find(|m| name == m).ok_or_else(|| {
        let name = name.as_str().map_or_else(|| name.to_string(), Into::into);
        Error::bad_request(format!("Unknown import method name '{name}'."))
    })?;
    let flag = |key: &str, default: bool| match body.get(key) {
        None => Ok(default),
        Some(Value::Bool(b)) => Ok(*b),
        Some(_) => Err(Error::bad_request(format!("'{key}' must be boolean value only"))),
    };
    let all_must_succeed = flag("all_stores_must_succeed", true)?;
    let all = flag("all_stores", false)?;
    let named: Option<Vec<String>> = match body.get("stores") {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) => {
            Some(list.iter().map(|s| s.as_str().unwrap_or_default().to_owned()).collect())
        }
        Some(_) => return Err(Error::bad_request("'stores' must be a list of store identifiers")),
    };
    if all && (named.is_some() || header.is_some()) {
        return Err(Error::bad_request(
            "All_stores parameter can't be used with x-image-meta-store header or stores parameter",
        ));
    }
    if named.is_some() && header.is_some() {
        return Err(Error::bad_request(
            "Stores parameter and x-image-meta-store header can't be both specified",
        ));
    }
    let wanted = match (named, header) {
        (Some(named), _) => named,
        (None, Some(header)) => vec![header.to_owned()],
        (None, None) if all => files.ids().into_iter().map(Into::into).collect(),
        (None, None) => vec![files.default_store().to_owned()],
    };
    if let Some(strange) = wanted.iter().find(|s| !files.has(s)) {
        return Err(Error::conflict(format!("Unknown scheme '{strange}' found in URI")));
    }
    let uri = method.get("uri").and_then(Value::as_str).map(Into::into);
    Ok(Request {
        method: known,
        uri,
        stores: files.in_order(&wanted.into_iter().collect()),
        all_must_succeed,
    })
}

/// May this image be imported so, by this caller? Answers the stores to fill; none: there is nothing to do.
pub fn check(ctx: &Ctx, image: &Image, request: &Request, all: bool, rules: &Rules) -> Result<Vec<String>> {
    let method = request.method;
    let conflict = |text: &str| Err(Error::conflict(text));
    match (method, image.status) {
        ("copy-image", Status::Active) => {}
        ("copy-image", _) => return conflict("Only images with status active can be targeted for copying"),
        (_, Status::Active) => return conflict("Image with status active cannot be target for import"),
        ("web-download", status) if status != Status::Queued => {
            return conflict("Image needs to be in 'queued' state to use 'web-download' method");
        }
        ("glance-direct", status) if status != Status::Uploading => {
            return conflict("Image needs to be staged before 'glance-direct' method can be used");
        }
        _ => {}
    }
    if image.container_format.is_none() {
        return conflict("'container_format' needs to be set before import");
    }
    if image.disk_format.is_none() {
        return conflict("'disk_format' needs to be set before import");
    }
    if method == "copy-image" {
        images::may_change(ctx, image, &policy::COPY)?;
    } else {
        images::may_change(ctx, image, &policy::MODIFY)?;
    }
    if image.properties.contains_key(TASK) {
        return conflict("Image has active task");
    }
    if method == "glance-direct" && image.size.is_none() {
        return conflict("The data of the image is still being staged");
    }
    let mut stores = request.stores.clone();
    if method == "copy-image" {
        if all {
            stores.retain(|s| !image.stores.contains(s));
        } else if let Some(there) = stores.iter().find(|s| image.stores.contains(s)) {
            return Err(Error::bad_request(format!("Image is already present at store '{there}'")));
        }
    }
    if method == "web-download" {
        rules.check(request.uri.as_deref().unwrap_or_default())?;
    }
    Ok(stores)
}

/// The image as an import begins.
pub fn begin(image: &mut Image, task: &str, method: &str, stores: &[String]) -> Result<()> {
    if image.properties.contains_key(TASK) {
        return Err(Error::conflict(format!(
            "New operation on image '{}' is not permitted as prior operation is still in progress",
            image.id
        )));
    }
    image.properties.insert(TASK.into(), task.into());
    merge(&mut image.properties, IMPORTING, |set| set.extend(stores.iter().cloned()));
    merge(&mut image.properties, FAILED, |set| set.retain(|s| !stores.contains(s)));
    if method != "copy-image" {
        image.status = Status::Importing;
    }
    Ok(())
}

/// The image when a task ends: `failed` of its `stores` did not take the data.
pub fn end(image: &mut Image, task: &str, stores: &[String], failed: &[String]) {
    if image.properties.get(TASK).is_some_and(|t| t == task) {
        image.properties.remove(TASK);
    }
    merge(&mut image.properties, IMPORTING, |set| set.retain(|s| !stores.contains(s)));
    merge(&mut image.properties, FAILED, |set| set.extend(failed.iter().cloned()));
}

/// Changes a property that is a list of stores.
fn merge(properties: &mut BTreeMap<String, String>, key: &str, change: impl FnOnce(&mut BTreeSet<String>)) {
    let old = properties.get(key).map(String::as_str).unwrap_or_default();
    let mut set: BTreeSet<String> = old.split(',').filter(|s| !s.is_empty()).map(Into::into).collect();
    change(&mut set);
    properties.insert(key.into(), set.into_iter().collect::<Vec<_>>().join(","));
}

/// The image that an older task asks for.
pub fn legacy(ctx: &Ctx, input: &Value, rules: &Rules) -> Result<Image> {
    for key in ["import_from", "import_from_format", "image_properties"] {
        if input.get(key).is_none() {
            return Err(Error::bad_request(format!("Input does not contain '{key}' field")));
        }
    }
    rules.check(input["import_from"].as_str().unwrap_or_default())?;
    let mut image = images::new_image(ctx, &input["image_properties"])?;
    if image.disk_format.is_none() {
        image.disk_format = input["import_from_format"].as_str().map(Into::into);
    }
    images::may_take_data(&image, Status::Saving)?;
    Ok(image)
}
