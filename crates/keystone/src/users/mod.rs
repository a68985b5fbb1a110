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
    /// Microseconds since the epoch, as the others.
    pub password_changed_at: Option<i64>,
    /// Afterwards it is good for choosing another, and for nothing else.
    pub password_expires_at: Option<i64>,
    /// Wrong passwords since the last right one, if they are counted.
    pub failed_logins: i64,
    pub failed_login_at: Option<i64>,
    pub options: Map<String, Value>,
    /// `email` and `description` among them.
    pub extra: Map<String, Value>,
}
