//! Orders: keys that are made here. One is made with its order, so an order is never seen waiting.

pub mod api;
mod pair;
pub mod rules;
pub mod store;

use db::{FromRow, Row};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub project_id: String,
    pub creator_id: String,
    pub kind: String,
    /// As it was asked for.
    pub meta: Value,
    pub made: Made,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What came of an order, by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    Secret(String),
    /// Of a public and a private key.
    Container(String),
}

impl FromRow for Order {
    fn from_row(row: &Row<'_>) -> db::Result<Self> {
        let (secret, container) = (row.text("secret_id")?, row.text("container_id")?);
        Ok(Order {
            id: row.text("id")?,
            project_id: row.text("project_id")?,
            creator_id: row.text("creator_id")?,
            kind: row.text("type")?,
            meta: row.json("meta")?,
            made: if container.is_empty() { Made::Secret(secret) } else { Made::Container(container) },
            created_at: row.int("created_at")?,
            updated_at: row.int("updated_at")?,
        })
    }
}
