//! Images: what is known about them. Their bytes live in [`crate::data`].
//!
//! ```text
//!             PUT file                 inspected
//!   queued ───────────► saving ──────────────────────► active ◄──► deactivated
//!    ▲ │ PUT stage                                        ▲
//!    │ └──────────► uploading ──┐ import                  │
//!    │                          ├──────► importing ───────┘
//!    │          import from web ┘            │
//!    └───────────────────────────────────────┘ cut off, refused
//! ```

pub mod api;
mod list;
mod patch;
pub mod policy;
pub mod rules;
pub mod schema;
pub mod store;
#[cfg(test)]
mod tests;
pub mod view;

use std::collections::BTreeMap;

use base::{Ctx, Error, Result};

use crate::Glance;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Queued,
    Saving,
    /// Its data is being staged, or is staged and waits for an import.
    Uploading,
    Importing,
    Active,
    Deactivated,
}

impl Status {
    const ALL: [Status; 6] = [
        Status::Queued,
        Status::Saving,
        Status::Uploading,
        Status::Importing,
        Status::Active,
        Status::Deactivated,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Saving => "saving",
            Status::Uploading => "uploading",
            Status::Importing => "importing",
            Status::Active => "active",
            Status::Deactivated => "deactivated",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Public,
    Community,
    Shared,
    Private,
}

impl Visibility {
    pub const ALL: [Visibility; 4] =
        [Visibility::Community, Visibility::Public, Visibility::Private, Visibility::Shared];

    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Community => "community",
            Visibility::Shared => "shared",
            Visibility::Private => "private",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub id: String,
    pub name: Option<String>,
    pub status: Status,
    pub visibility: Visibility,
    pub owner: Option<String>,
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Bytes of the disk that a guest sees.
    pub virtual_size: Option<i64>,
    /// GiB
    pub min_disk: i64,
    /// MiB
    pub min_ram: i64,
    pub protected: bool,
    pub hidden: bool,
    /// MD5, hex. None while a large image's data is being hashed, which goes on after it is active.
    pub checksum: Option<String>,
    pub hash_algo: Option<String>,
    pub hash_value: Option<String>,
    pub properties: BTreeMap<String, String>,
    pub tags: Vec<String>,
    /// Ids of the stores that have its data.
    pub stores: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub generation: i64,
}

impl Image {
    /// Its data is whole on disk, and not hashed yet.
    pub fn is_unhashed(&self) -> bool {
        matches!(self.status, Status::Active | Status::Deactivated)
            && self.hash_algo.is_some()
            && self.hash_value.is_none()
    }

    /// Without data again.
    pub fn requeue(&mut self) {
        self.status = Status::Queued;
        self.size = None;
        self.virtual_size = None;
        self.checksum = None;
        self.hash_algo = None;
        self.hash_value = None;
        self.stores.clear();
    }
}

/// 404 unless there is one that `ctx` may see: its own, a public or community one, or one shared with its project.
pub(crate) async fn load_visible(glance: &Glance, ctx: &Ctx, id: &str) -> Result<Image> {
    let mut conn = glance.db.read().await?;
    let image = store::get(&mut conn, id).await?;
    if let Some(image) = image {
        let member = match (image.visibility, ctx.project()) {
            (Visibility::Shared, Some(project)) => store::is_member(&mut conn, id, &project.id).await?,
            _ => false,
        };
        if rules::visible(ctx, &image, member) {
            return Ok(image);
        }
    }
    Err(not_found(id))
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found(format!("No image found with ID {id}"))
}
