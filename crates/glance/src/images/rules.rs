//! Decisions about images: what a create may say, who sees and changes what.

use base::{Ctx, Error, Result};
use serde_json::Value;

use super::{Image, Status, Visibility, not_found, policy};

pub const DISK_FORMATS: [&str; 11] =
    ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "ploop", "iso"];
pub const CONTAINER_FORMATS: [&str; 7] = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker"];
/// Set by the service; a client that names one is refused.
pub const READ_ONLY: [&str; 13] = [
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "self",
    "file",
    "schema",
    "direct_url",
    "os_hash_algo",
    "os_hash_value",
    "locations",
];
/// Each project's own limit of extra properties and tags (Glance's image_property_quota, image_tag_quota).
const QUOTA: usize = 128;

pub fn visible(ctx: &Ctx, image: &Image, member: bool) -> bool {
    let own = image.owner.as_deref().is_some_and(|o| ctx.owns(o));
    ctx.is_admin() || own || member || matches!(image.visibility, Visibility::Public | Visibility::Community)
}

/// 403 for an image that is visible and somebody else's.
pub fn may_change(ctx: &Ctx, image: &Image, policy: &base::Policy) -> Result<()> {
    match &image.owner {
        Some(owner) => ctx.authorize(policy, Some(owner)),
        None if ctx.is_admin() => Ok(()),
        None => Err(not_found(&image.id)),
    }
    .map_err(|e| match e.kind {
        base::Kind::Forbidden => {
            Error::forbidden(format!("You are not authorized to complete {} action.", policy.name))
        }
        _ => e,
    })
}

pub fn may_publicize(ctx: &Ctx, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Public { ctx.authorize(&policy::PUBLICIZE, None) } else { Ok(()) }
}

pub fn may_delete(image: &Image) -> Result<()> {
    if image.protected {
        return Err(Error::forbidden(format!("Image {} is protected and cannot be deleted.", image.id)));
    }
    Ok(())
}

/// The image that a POST body asks for.
pub fn new_image(ctx: &Ctx, body: &Value) -> Result<Image> {
    let Value::Object(body) = body else {
        return Err(Error::bad_request("Request body must be a JSON object of the format '{}'."));
    };
    let now = base::time::now();
    let mut image = Image {
        id: base::id::uuid(),
        name: None,
        status: Status::Queued,
        visibility: Visibility::Shared,
        owner: Some(ctx.require_project()?.to_owned()),
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
        created_at: now,
        updated_at: now,
        generation: 0,
    };
    for (key, value) in body {
        set(ctx, &mut image, key, value)?;
    }
    check(&image)?;
    Ok(image)
}

/// Sets one attribute of a new or existing image, as POST and PATCH do.
pub fn set(ctx: &Ctx, image: &mut Image, key: &str, value: &Value) -> Result<()> {
    let invalid =
        |why: &str| Error::bad_request(format!("Provided object does not match schema 'image': {why}"));
    let text = |max: usize| match value {
        Value::Null => Ok(None),
        Value::String(s) if s.chars().count() <= max => Ok(Some(s.clone())),
        Value::String(_) => Err(invalid(&format!("{value} is too long"))),
        _ => Err(invalid(&format!("{value} is not of type 'null', 'string'"))),
    };
    let count = || {
        value
            .as_i64()
            .filter(|n| (0..=i64::from(i32::MAX)).contains(n))
            .ok_or_else(|| invalid(&format!("{value} is not of type 'integer' between 0 and {}", i32::MAX)))
    };
    let flag = || value.as_bool().ok_or_else(|| invalid(&format!("{value} is not of type 'boolean'")));
    let one_of = |allowed: &[&str], current: &Option<String>| match text(255)? {
        _ if image_is_fixed(image.status) && current.as_deref() != value.as_str() => {
            Err(Error::forbidden(format!("Attribute {key} can be only replaced for a queued image.")))
        }
        Some(v) if !allowed.contains(&v.as_str()) => {
            Err(invalid(&format!("'{v}' is not one of {allowed:?}")))
        }
        v => Ok(v),
    };
    match key {
        "id" => {
            let id =
                value.as_str().filter(|v| base::id::is_uuid(v)).ok_or_else(|| invalid("id is not a UUID"))?;
            image.id = id.to_lowercase();
        }
        "name" => image.name = text(255)?,
        "owner" => {
            let owner = text(255)?;
            if owner != image.owner && !ctx.is_admin() {
                return Err(Error::forbidden("You are not permitted to set the owner of an image."));
            }
            image.owner = owner;
        }
        "visibility" => {
            let v = value.as_str().and_then(Visibility::parse);
            let v = v.ok_or_else(|| {
                invalid(&format!("{value} is not one of ['community', 'public', 'private', 'shared']"))
            })?;
            if v != image.visibility {
                may_publicize(ctx, v)?;
            }
            image.visibility = v;
        }
        "disk_format" => image.disk_format = one_of(&DISK_FORMATS, &image.disk_format)?,
        "container_format" => image.container_format = one_of(&CONTAINER_FORMATS, &image.container_format)?,
        "min_disk" => image.min_disk = count()?,
        "min_ram" => image.min_ram = count()?,
        "protected" => image.protected = flag()?,
        "os_hidden" => image.hidden = flag()?,
        "tags" => {
            let list = value.as_array().ok_or_else(|| invalid(&format!("{value} is not of type 'array'")))?;
            image.tags.clear();
            for tag in list {
                let tag = tag.as_str().ok_or_else(|| invalid(&format!("{tag} is not of type 'string'")))?;
                add_tag(image, tag)?;
            }
        }
        key if READ_ONLY.contains(&key) => {
            return Err(Error::forbidden(format!("Attribute '{key}' is read-only.")));
        }
        key if key.starts_with("os_glance") => {
            return Err(Error::forbidden(format!("Attribute '{key}' is reserved.")));
        }
        key => {
            let v = value.as_str().ok_or_else(|| invalid(&format!("{value} is not of type 'string'")))?;
            if key.is_empty() || key.len() > 255 {
                return Err(invalid("a property name has 1 to 255 characters"));
            }
            image.properties.insert(key.into(), v.into());
        }
    }
    Ok(())
}

fn image_is_fixed(status: Status) -> bool {
    status != Status::Queued
}

pub fn add_tag(image: &mut Image, tag: &str) -> Result<()> {
    if tag.chars().count() > 255 {
        return Err(Error::bad_request(format!("Image tag '{tag}' is too long: 255 characters at most.")));
    }
    if !image.tags.iter().any(|t| t == tag) {
        image.tags.push(tag.into());
    }
    Ok(())
}

/// What must hold for the whole image after all attributes are set.
pub fn check(image: &Image) -> Result<()> {
    for (count, what) in [(image.properties.len(), "properties"), (image.tags.len(), "tags")] {
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

/// May data be put into it now?
pub fn may_upload(image: &Image) -> Result<()> {
    if image.status != Status::Queued {
        return Err(Error::conflict(format!(
            "Image status transition from {} to saving is not allowed",
            image.status.as_str()
        )));
    }
    for (value, name) in [(&image.container_format, "container_format"), (&image.disk_format, "disk_format")]
    {
        if value.is_none() {
            return Err(Error::bad_request(format!(
                "Properties disk_format, container_format must be set prior to saving data. ({name} is not.)"
            )));
        }
    }
    Ok(())
}
