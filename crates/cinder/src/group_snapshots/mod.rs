//! Snapshots of groups: a snapshot of each volume, made and deleted together.
//!
//! ```text
//!   creating ──all snapshots made──► available ──► (no row)
//! ```

pub mod api;
pub mod store;

use std::cmp::Ordering;

use base::{Ctx, Error, Result};
use db::AnyConnection;

use crate::listing::Listed;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSnapshot {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub group_id: String,
    pub group_type: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub status: String,
    pub created_at: i64,
}

impl Listed for GroupSnapshot {
    const KEYS: &'static [&'static str] =
        &["id", "name", "status", "group_id", "group_type_id", "created_at", "updated_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" => self.name.cmp(&other.name),
            "status" => self.status.cmp(&other.status),
            "group_id" => self.group_id.cmp(&other.group_id),
            "group_type_id" => self.group_type.cmp(&other.group_type),
            "created_at" | "updated_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

pub fn none(id: &str) -> Error {
    Error::not_found(format!("GroupSnapshot {id} could not be found."))
}

/// 404 unless `ctx` may see it.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<GroupSnapshot> {
    let found = store::get(conn, id).await?;
    found.filter(|one| ctx.owns(&one.project_id)).ok_or_else(|| none(id))
}
