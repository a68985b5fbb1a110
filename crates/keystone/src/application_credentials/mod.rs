//! Application credentials: a user's way to let a program act for them in one project, with some of their roles, maybe
//! for some calls only.
//!
//! ```text
//! valid ──expires, is deleted, or the user loses the last role on the project──► ends, and its tokens with it
//! ```

pub mod api;
pub mod rules;
pub mod rules_api;
pub mod store;
pub mod view;

#[derive(Clone)]
pub struct ApplicationCredential {
    pub id: String,
    pub name: String,
    pub user_id: String,
    pub project_id: String,
    pub description: Option<String>,
    pub secret_hash: String,
    /// Microseconds since the epoch.
    pub expires_at: Option<i64>,
    /// May manage application credentials itself.
    pub unrestricted: bool,
    pub role_ids: Vec<String>,
    /// Empty: any call.
    pub access_rule_ids: Vec<String>,
}

/// A call that is allowed: of a service, with a method, on a path in which `*` stands for one segment, `**` for any
/// number, and `{name}` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    pub id: String,
    pub service: String,
    pub path: String,
    pub method: String,
}
