//! Secrets: what is told about one is plain, its payload is encrypted and read by itself.
//!
//! ```text
//!   POST without payload ─► no payload ── PUT, once ─► payload ── expiration ─► as if it were not there
//! ```

pub mod api;
pub mod listing;
pub mod payload;
pub mod rules;
pub mod store;
pub mod view;

use base::{Policy, Rule};
use db::{FromRow, Row};

use crate::access::{Owned, policy as checked};

#[derive(Debug, Clone)]
pub struct Secret {
    pub id: String,
    pub owned: Owned,
    pub name: Option<String>,
    pub secret_type: String,
    pub algorithm: Option<String>,
    pub bit_length: Option<i64>,
    pub mode: Option<String>,
    pub expiration: Option<i64>,
    /// None while there is no payload.
    pub content_type: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl FromRow for Secret {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Secret {
            id: row.text("id")?,
            owned: Owned {
                project_id: row.text("project_id")?,
                creator_id: row.text("creator_id")?,
                acl: None,
            },
            name: row.opt_text("name")?,
            secret_type: row.text("secret_type")?,
            algorithm: row.opt_text("algorithm")?,
            bit_length: row.opt_int("bit_length")?,
            mode: row.opt_text("mode")?,
            expiration: row.opt_int("expiration")?,
            content_type: row.opt_text("content_type")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub mod policy {
    use super::{Policy, Rule, checked};

    pub const CREATE: Policy = Policy::new("secrets:post", Rule::ProjectMember);
    pub const LIST: Policy = Policy::new("secrets:get", Rule::ProjectMember);
    pub const SHOW: Policy = checked("secret:get");
    pub const DECRYPT: Policy = checked("secret:decrypt");
    pub const PUT: Policy = checked("secret:put");
    pub const DELETE: Policy = checked("secret:delete");
}
