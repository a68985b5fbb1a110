//! Glance v2: list, show, create, streamed upload, delete.

use std::collections::BTreeMap;
use std::path::Path;

use openstack_sdk::types::BoxedAsyncRead;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::{Client, Error, Result};

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Image {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    /// `queued`, `saving`, `active`, ...
    pub status: String,
    /// GiB.
    #[serde(default, deserialize_with = "null_is_default")]
    pub min_disk: u64,
    /// MiB.
    #[serde(default, deserialize_with = "null_is_default")]
    pub min_ram: u64,
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(default)]
    pub created_at: Option<String>,
    /// Custom properties lie beside the fixed fields in this API.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Image {
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.other.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImage {
    pub name: String,
    /// `qcow2`, `raw`.
    pub disk_format: String,
    /// GiB.
    pub min_disk: u64,
    /// MiB.
    pub min_ram: u64,
    /// `private`, `shared`, `public` (administrators only).
    pub visibility: String,
    pub properties: BTreeMap<String, String>,
}

impl Client {
    pub async fn images(&self, filters: &[(&str, &str)]) -> Result<Vec<Image>> {
        let mut call = Call::get(Service::Image, "images");
        for (key, value) in filters {
            call = call.query(key, *value);
        }
        self.list(call, "images").await
    }
    pub async fn image(&self, id: &str) -> Result<Image> {
        self.fetch(&Call::get(Service::Image, format!("images/{id}")), "").await
    }
    /// The record only; its bytes come by [`Client::upload_image`].
    pub async fn create_image(&self, new: &NewImage) -> Result<Image> {
        let mut body = json!({
            "name": new.name,
            "disk_format": new.disk_format,
            "container_format": "bare",
            "min_disk": new.min_disk,
            "min_ram": new.min_ram,
            "visibility": new.visibility,
        });
        for (key, value) in &new.properties {
            body[key] = json!(value);
        }
        self.fetch(&Call::post(Service::Image, "images", body), "").await
    }
    /// Stream a file into a queued image. Not repeated on failure: the image stays `queued`, and may be tried again.
    pub async fn upload_image(&self, id: &str, file: &Path) -> Result<()> {
        let unreadable = |source| Error::File { path: file.display().to_string(), source };
        let reader = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let reader = tokio::io::BufReader::with_capacity(1 << 20, reader);
        let call = Call::put_stream(Service::Image, format!("images/{id}/file"));
        self.send_stream(&call, BoxedAsyncRead::new(reader.compat())).await
    }
    pub async fn delete_image(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::Image, format!("images/{id}"))).await
    }
}
