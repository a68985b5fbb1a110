//! Images as Nova showed them before Glance's own API did: until 2.35, their metadata until 2.38.

pub(crate) mod api;
pub(crate) mod metadata_api;
mod view;

use std::collections::BTreeMap;

use base::{Ctx, Error, Policy, Result, Rule};
use http::Method;
use serde_json::Value;

use crate::Nova;

pub(crate) mod policy {
    use super::{Policy, Rule};

    // Nova has no policies for these: Glance decides.
    pub const READ: Policy = Policy::new("os_compute_api:images", Rule::Unchecked);
    pub const CHANGE: Policy = Policy::new("os_compute_api:image-metadata", Rule::Unchecked);
}

/// What Glance's JSON has besides an image's own properties.
const BASE: &[&str] = &[
    "checksum",
    "container_format",
    "created_at",
    "direct_url",
    "disk_format",
    "file",
    "id",
    "locations",
    "min_disk",
    "min_ram",
    "name",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    "owner",
    "protected",
    "schema",
    "self",
    "size",
    "status",
    "stores",
    "tags",
    "updated_at",
    "virtual_size",
    "visibility",
];

/// An image's own properties.
fn properties(image: &Value) -> BTreeMap<String, String> {
    let all = image.as_object().into_iter().flatten();
    let own = all.filter(|(key, _)| !BASE.contains(&key.as_str()) && !key.starts_with("os_glance_"));
    own.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn not_found() -> Error {
    Error::not_found("Image not found.")
}

impl Nova {
    /// As Glance shows it to this caller.
    async fn glance_image(&self, ctx: &Ctx, id: &str) -> Result<Value> {
        if !base::id::is_uuid(id) {
            return Err(not_found());
        }
        let found = self.image_api.call(ctx, Method::GET, &format!("/v2/images/{id}"), None).await;
        found.map_err(|refused| if refused.status == 404 { not_found() } else { refused.into() })
    }
}
