//! Groups of volumes: snapshotted, copied and deleted together. Their snapshots are taken one after the other: a group type
//! that asks for more (`consistent_group_snapshot_enabled`) finds no backend here, and the group's status is `error`.

pub mod actions;
pub mod api;
pub mod store;

use std::cmp::Ordering;

use base::{Ctx, Error, Result};
use db::AnyConnection;

use crate::listing::Listed;

pub const STATUSES: [&str; 7] =
    ["error", "available", "creating", "deleting", "deleted", "updating", "error_deleting"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub status: String,
    pub availability_zone: String,
    pub group_type: String,
    pub volume_types: Vec<String>,
    pub group_snapshot_id: Option<String>,
    pub source_group_id: Option<String>,
    pub created_at: i64,
}

impl Listed for Group {
    const KEYS: &'static [&'static str] =
        &["id", "name", "status", "description", "group_type_id", "created_at", "updated_at"];

    fn id(&self) -> &str {
        &self.id
    }

    fn compare(&self, other: &Self, key: &str) -> Ordering {
        match key {
            "id" => self.id.cmp(&other.id),
            "name" => self.name.cmp(&other.name),
            "status" => self.status.cmp(&other.status),
            "description" => self.description.cmp(&other.description),
            "group_type_id" => self.group_type.cmp(&other.group_type),
            "created_at" | "updated_at" => self.created_at.cmp(&other.created_at),
            _ => Ordering::Equal,
        }
    }
}

pub fn none(id: &str) -> Error {
    Error::not_found(format!("Group {id} could not be found."))
}

pub fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid Group: {reason}"))
}

/// 404 unless `ctx` may see it.
pub async fn load(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<Group> {
    let found = store::get(conn, id).await?;
    found.filter(|group| ctx.owns(&group.project_id)).ok_or_else(|| none(id))
}
