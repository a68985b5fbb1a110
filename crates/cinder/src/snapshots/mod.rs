//! Snapshots: a layer that is not written any more.
//!
//! ```text
//!   creating ──machines write elsewhere──► available ◄──► restoring (while its volume is reverted to it)
//! ```

pub mod api;
pub mod metadata_api;
pub mod store;
pub mod view;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base::{Ctx, Result};
use db::AnyConnection;

use crate::listing::Listed;
use crate::words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub id: String,
    pub volume_id: String,
    pub project_id: String,
    pub user_id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    /// GiB
    pub size: i64,
    /// One of [`STATUSES`].
    pub status: String,
    pub progress: String,
    pub type_id: String,
    pub layer: String,
    pub group_snapshot_id: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created_at: i64,
    pub updated_at: Option<i64>,
    pub generation: i64,
}

/// Those that an admin may set.
pub const STATUSES: [&str; 11] = [
    "error",
    "available",
    "creating",
    "deleting",
    "deleted",
    "updating",
    "error_deleting",
    "unmanaging",
    "backing-up",
    "restoring",
    "error_unmanaging",
];

impl Listed for Snapshot {
    const KEYS: &'static [&'static str] = &[
        "id",
        "name",
        "display_name",
        "status",
        "volume_id",
        "size",
        "volume_size",
        "created_at",
        "updated_at",
        "project_id",
        "user_id",
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" | "display_name" => self.name.cmp(&other.name),
            "status" => self.status.cmp(&other.status),
            "volume_id" => self.volume_id.cmp(&other.volume_id),
            "size" | "volume_size" => self.size.cmp(&other.size),
            "created_at" => self.created_at.cmp(&other.created_at),
            "updated_at" => self.updated_at.cmp(&other.updated_at),
            "project_id" => self.project_id.cmp(&other.project_id),
            "user_id" => self.user_id.cmp(&other.user_id),
            _ => Ordering::Equal,
        }
    }
}

/// 404 unless `ctx` may see it.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Snapshot> {
    let found = store::get(conn, id).await?;
    found.filter(|snapshot| ctx.owns(&snapshot.project_id)).ok_or_else(|| words::no_snapshot(id))
}
