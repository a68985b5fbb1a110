//! Users.
//!
//! ```text
//! enabled ◄──► disabled      disabling, deleting or changing the password ends all of the user's tokens
//! ```

pub mod api;
pub mod password_api;
pub mod rules;
pub mod store;
pub mod view;

use serde_json::{Map, Value};

#[derive(Clone)]
pub struct User {
    pub id: String,
    pub name: String,
    pub domain_id: String,
    pub default_project_id: Option<String>,
    pub enabled: bool,
    /// None: cannot log in by password.
    pub password_hash: Option<String>,
    pub options: Map<String, Value>,
    /// `email` and `description` among them.
    pub extra: Map<String, Value>,
}
