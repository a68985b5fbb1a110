//! Containers: secrets that belong together, each by a name. A certificate with its key is one, and an RSA pair.

pub mod api;
pub mod rules;
pub mod store;
pub mod view;

use base::{Policy, Rule};
use db::{FromRow, Row};

use crate::access::{Owned, policy as checked};

#[derive(Debug, Clone)]
pub struct Container {
    pub id: String,
    pub owned: Owned,
    pub name: Option<String>,
    /// `generic`, `rsa` or `certificate`.
    pub kind: String,
    pub secrets: Vec<Member>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// '' for none.
    pub name: String,
    pub secret_id: String,
}

impl FromRow for Container {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Container {
            id: row.text("id")?,
            owned: Owned {
                project_id: row.text("project_id")?,
                creator_id: row.text("creator_id")?,
                acl: None,
            },
            name: row.opt_text("name")?,
            kind: row.text("type")?,
            secrets: Vec::new(),
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}

pub mod policy {
    use super::{Policy, Rule, checked};

    pub const CREATE: Policy = Policy::new("containers:post", Rule::ProjectMember);
    pub const LIST: Policy = Policy::new("containers:get", Rule::ProjectMember);
    pub const SHOW: Policy = checked("container:get");
    pub const DELETE: Policy = checked("container:delete");
    pub const ADD: Policy = checked("container_secret:post");
    pub const REMOVE: Policy = checked("container_secret:delete");
}
