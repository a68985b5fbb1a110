//! Access lists of secrets and containers: whether their project's members may read them, and which users may besides.

pub mod api;
pub mod store;

use db::{FromRow, Row};

/// Of the operation `read`, the only one that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub project_access: bool,
    pub users: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl FromRow for Acl {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        Ok(Acl {
            project_access: row.bool("project_access")?,
            users: row.json("users")?,
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}
