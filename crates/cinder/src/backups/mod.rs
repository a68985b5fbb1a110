//! Backups: copies beside the volumes, which need nothing of them.
//!
//! ```text
//!   creating ──copied──► available ──► (no row)
//!      └──────could not be copied──► error
//! ```
//! One that is asked for as incremental is what differs from its parent, a layer on the parent's; now and then it is a whole
//! copy. Its parent cannot be deleted before it. A volume that is made of a backup, or restored from it, stands on its file:
//! restoring copies nothing.

pub mod api;
pub mod records_api;
pub mod store;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{Ctx, Error, Result};
use db::AnyConnection;

use crate::listing::Listed;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub volume_id: String,
    pub snapshot_id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub container: Option<String>,
    /// GiB
    pub size: i64,
    pub status: String,
    pub fail_reason: Option<String>,
    pub bootable: bool,
    pub image_metadata: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    /// The volume's own, as it was.
    pub volume_metadata: BTreeMap<String, String>,
    /// The one before it, of an incremental one.
    pub parent: Option<String>,
    pub layer: String,
    /// In the key manager: what opens the layer, if it is encrypted.
    pub key_id: Option<String>,
    /// The layer that is being copied.
    pub source: Option<String>,
    /// When the data was as it is in the backup.
    pub data_at: i64,
    pub created_at: i64,
    pub updated_at: Option<i64>,
}

impl Listed for Backup {
    const KEYS: &'static [&'static str] = &[
        "id",
        "name",
        "display_name",
        "status",
        "container",
        "volume_id",
        "size",
        "data_timestamp",
        "created_at",
        "updated_at",
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" | "display_name" => self.name.cmp(&other.name),
            "status" => self.status.cmp(&other.status),
            "container" => self.container.cmp(&other.container),
            "volume_id" => self.volume_id.cmp(&other.volume_id),
            "size" => self.size.cmp(&other.size),
            "data_timestamp" => self.data_at.cmp(&other.data_at),
            "created_at" => self.created_at.cmp(&other.created_at),
            "updated_at" => self.updated_at.cmp(&other.updated_at),
            _ => Ordering::Equal,
        }
    }
}

pub fn none(id: &str) -> Error {
    Error::not_found(format!("Backup {id} could not be found."))
}

/// 404 unless `ctx` may see it.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Backup> {
    let found = store::get(conn, id).await?;
    found.filter(|backup| ctx.owns(&backup.project_id)).ok_or_else(|| none(id))
}
