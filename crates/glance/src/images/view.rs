//! Image JSON. Lists of images are the hottest call there is, so an image is written as text without a tree of values
//! in between.

use base::time::seconds_z;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Image;

/// Properties that the cloud keeps for itself.
const HIDDEN: [&str; 2] = ["os_glance_stage_host", "os_glance_hash_op_host"];

pub struct View<'a>(pub &'a Image);

/// Extra properties are siblings of the base ones; they come first, as in Glance.
impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let image = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in image.properties.iter().filter(|(key, _)| !HIDDEN.contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("name", &image.name)?;
        map.serialize_entry("disk_format", &image.disk_format)?;
        map.serialize_entry("container_format", &image.container_format)?;
        map.serialize_entry("visibility", image.visibility.as_str())?;
        map.serialize_entry("size", &image.size)?;
        map.serialize_entry("virtual_size", &image.virtual_size)?;
        map.serialize_entry("status", image.status.as_str())?;
        map.serialize_entry("checksum", &image.checksum)?;
        map.serialize_entry("protected", &image.protected)?;
        map.serialize_entry("min_ram", &image.min_ram)?;
        map.serialize_entry("min_disk", &image.min_disk)?;
        map.serialize_entry("owner", &image.owner)?;
        map.serialize_entry("os_hidden", &image.hidden)?;
        map.serialize_entry("os_hash_algo", &image.hash_algo)?;
        map.serialize_entry("os_hash_value", &image.hash_value)?;
        map.serialize_entry("id", &image.id)?;
        map.serialize_entry("created_at", &seconds_z(image.created_at))?;
        map.serialize_entry("updated_at", &seconds_z(image.updated_at))?;
        map.serialize_entry("tags", &image.tags)?;
        map.serialize_entry("self", &format_args!("/v2/images/{}", image.id))?;
        map.serialize_entry("file", &format_args!("/v2/images/{}/file", image.id))?;
        map.serialize_entry("schema", "/v2/schemas/image")?;
        if !image.stores.is_empty() {
            map.serialize_entry("stores", &image.stores.join(","))?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
pub struct List<'a> {
    pub images: Vec<View<'a>>,
    pub first: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub schema: &'static str,
}
