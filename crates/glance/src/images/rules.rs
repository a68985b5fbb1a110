//! Decisions about images: what a create may say, who sees and changes what.

use base::{Ctx, Error, Policy, Result};
use serde_json::Value;

use super::{Image, Status, Visibility, not_found, policy, schema};

pub const DISK_FORMATS: [&str; 11] =
    ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso"];
pub const CONTAINER_FORMATS: [&str; 8] = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];
/// What a client may set; none of them can be removed.
pub const ATTRIBUTES: [&str; 10] = [
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
/// Set by the service; a client that names one is refused.
const READ_ONLY: [&str; 14] = [
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "stores",
    "id",
    "os_hash_algo",
    "os_hash_value",
];
const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];
/// Each image's own limit of extra properties and tags (Glance's image_property_quota, image_tag_quota).
const QUOTA: usize = 128;

/// Images and tasks are a project's business: a token for the system or a domain is refused, whoever's it is.
pub fn in_a_project(ctx: &Ctx, policy: &Policy) -> Result<()> {
    match ctx.project() {
        Some(_) => Ok(()),
        None => Err(Error::forbidden(format!("You are not authorized to complete {} action.", policy.name))),
    }
}

pub fn visible(ctx: &Ctx, image: &Image, member: bool) -> bool {
    let own = image.owner.as_deref().is_some_and(|o| ctx.owns(o));
    let is_seen = ctx.is_admin()
        || own
        || member
        || matches!(image.visibility, Visibility::Public | Visibility::Community);
    is_seen && ctx.project().is_some()
}

/// 403 for what a caller sees and may not do.
pub fn may_change(ctx: &Ctx, image: &Image, policy: &Policy) -> Result<()> {
    let refused = || Error::forbidden(format!("You are not authorized to complete {} action.", policy.name));
    match &image.owner {
        Some(owner) => ctx.authorize(policy, Some(owner)).map_err(|_| refused()),
        None if ctx.is_admin() => Ok(()),
        None => Err(not_found(&image.id)),
    }
}

/// Data of an image that is seen: its policy asks for a role, not for ownership.
pub fn may_download(ctx: &Ctx, image: &Image) -> Result<()> {
    if image.status == Status::Deactivated && !ctx.is_admin() {
        return Err(Error::forbidden(
            "The requested image has been deactivated. Image data download is forbidden.",
        ));
    }
    ctx.authorize(&policy::DOWNLOAD, None)
        .map_err(|_| Error::forbidden("You are not authorized to complete download_image action."))
}

pub fn may_publicize(ctx: &Ctx, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Public {
        ctx.authorize(&policy::PUBLICIZE, None)
            .map_err(|_| Error::forbidden("You are not authorized to complete publicize_image action."))
    } else {
        Ok(())
    }
}

pub fn may_delete(image: &Image) -> Result<()> {
    if image.protected {
        return Err(Error::forbidden(format!("Image {} is protected and cannot be deleted.", image.id)));
    }
    Ok(())
}

/// 403 for what only the service sets.
pub fn may_be_set(key: &str) -> Result<()> {
    if READ_ONLY.contains(&key) {
        return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
    }
    if RESERVED.contains(&key) || key.starts_with("os_glance") {
        return Err(Error::forbidden(format!("Attribute '{key}' is reserved.")));
    }
    Ok(())
}

/// An image of which nothing is known yet.
pub fn blank(owner: Option<String>) -> Image {
    let now = base::time::now();
    Image {
        id: base::id::uuid(),
        name: None,
        status: Status::Queued,
        visibility: Visibility::Shared,
        owner,
        disk_format: None,
        container_format: None,
        size: None,
        virtual_size: None,
        min_disk: 0,
        min_ram: 0,
        protected: false,
        hidden: false,
        checksum: None,
        hash_algo: None,
        hash_value: None,
        properties: Default::default(),
        tags: Vec::new(),
        stores: Vec::new(),
        created_at: now,
        updated_at: now,
        generation: 0,
    }
}

/// The image that a POST body asks for.
pub fn new_image(ctx: &Ctx, body: &Value) -> Result<Image> {
    let Value::Object(object) = body else {
        return Err(Error::bad_request("Request body must be a JSON object of the format '{}'."));
    };
    for key in ["direct_url", "self", "file", "schema", "stores"] {
        if object.contains_key(key) {
            return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
        }
    }
    schema::check(body)?;
    let mut image = blank(ctx.project().map(|p| p.id.clone()));
    for (key, value) in object {
        match key.as_str() {
            "id" => image.id = value.as_str().unwrap_or_default().to_lowercase(),
            "locations" => return Err(Error::forbidden("Attribute 'locations' is reserved.")),
            key => {
                may_be_set(key)?;
                set(ctx, &mut image, key, value)?;
            }
        }
    }
    check(&image)?;
    Ok(image)
}

/// Sets one attribute of a new or existing image to a value that its schema allows, as POST and PATCH do.
pub fn set(ctx: &Ctx, image: &mut Image, key: &str, value: &Value) -> Result<()> {
    let text = || value.as_str().map(str::to_owned);
    let count = || {
        value.as_i64().filter(|n| (0..=i64::from(i32::MAX)).contains(n)).ok_or_else(|| {
            Error::bad_request(format!(
                "Invalid value '{value}' for parameter '{key}': Cannot be a negative value"
            ))
        })
    };
    // A guest may run from the data already.
    let fixed = |current: &Option<String>| {
        if matches!(image.status, Status::Queued | Status::Importing) || current.as_deref() == value.as_str()
        {
            Ok(())
        } else {
            Err(Error::forbidden(format!("Attribute {key} can be only replaced for a queued image.")))
        }
    };
    match key {
        "name" => image.name = text(),
        "owner" => {
            let owner = text();
            if owner != image.owner && !ctx.is_admin() {
                return Err(Error::forbidden(format!(
                    "You are not permitted to create images owned by '{}'",
                    owner.unwrap_or_default()
                )));
            }
            image.owner = owner;
        }
        "visibility" => {
            let asked = value.as_str().and_then(Visibility::parse).unwrap_or(image.visibility);
            may_publicize(ctx, asked)?;
            image.visibility = asked;
        }
        "disk_format" => {
            fixed(&image.disk_format)?;
            image.disk_format = text();
        }
        "container_format" => {
            fixed(&image.container_format)?;
            image.container_format = text();
        }
        "min_disk" => image.min_disk = count()?,
        "min_ram" => image.min_ram = count()?,
        "protected" => image.protected = value.as_bool().unwrap_or(false),
        "os_hidden" => image.hidden = value.as_bool().unwrap_or(false),
        "tags" => {
            image.tags.clear();
            for tag in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
                add_tag(image, tag)?;
            }
        }
        key => {
            if key.is_empty() || key.chars().count() > 255 {
                return Err(Error::bad_request("Custom property should not be greater than 255 characters."));
            }
            image.properties.insert(key.into(), text().unwrap_or_default());
        }
    }
    Ok(())
}

pub fn add_tag(image: &mut Image, tag: &str) -> Result<()> {
    if tag.chars().count() > 255 {
        return Err(Error::bad_request(format!(
            "Provided object does not match schema 'image': '{tag}' is too long"
        )));
    }
    if !image.tags.iter().any(|t| t == tag) {
        image.tags.push(tag.into());
    }
    Ok(())
}

/// What must hold for the whole image after all attributes are set.
pub fn check(image: &Image) -> Result<()> {
    let own = image.properties.keys().filter(|k| !k.starts_with("os_glance")).count();
    for (count, what) in [(own, "properties"), (image.tags.len(), "tags")] {
        if count > QUOTA {
            return Err(Error::too_large(format!(
                "The limit has been exceeded on the number of allowed image {what}. Attempted: {count}, Maximum: {QUOTA}"
            )));
        }
    }
    let container = image.container_format.as_deref();
    if let (Some(disk @ ("aki" | "ari" | "ami")), Some(container)) = (image.disk_format.as_deref(), container)
        && disk != container
    {
        return Err(Error::bad_request(
            "Invalid mix of disk and container formats. When setting a disk or container format to one of 'aki', \
             'ari', or 'ami', the container and disk formats must match.",
        ));
    }
    Ok(())
}

/// May data be put into it (or staged for it) now? `next` names the state that this would bring.
pub fn may_take_data(image: &Image, next: Status) -> Result<()> {
    if image.status != Status::Queued {
        return Err(Error::conflict(format!(
            "Image status transition from {} to {} is not allowed",
            image.status.as_str(),
            next.as_str()
        )));
    }
    // Staged data may be described later, up to its import.
    if next == Status::Uploading {
        return Ok(());
    }
    let missing: Vec<&str> =
        [(&image.disk_format, "disk_format"), (&image.container_format, "container_format")]
            .into_iter()
            .filter(|(value, _)| value.is_none())
            .map(|(_, name)| name)
            .collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::bad_request(format!("Property {one} must be set prior to saving data."))),
        many => Err(Error::bad_request(format!(
            "Properties {} must be set prior to saving data.",
            many.join(", ")
        ))),
    }
}
