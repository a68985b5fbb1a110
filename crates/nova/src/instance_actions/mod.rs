//! Instance actions: what was asked of a server, by whom, and how it ended. Kept after the server is deleted.

pub(crate) mod api;
pub(crate) mod store;
mod view;

use base::{Policy, Rule};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub server_id: String,
    pub request_id: String,
    pub action: String,
    pub project_id: String,
    pub user_id: String,
    pub started_at: i64,
    pub updated_at: i64,
    pub finished_at: Option<i64>,
    /// `Success` or `Error`
    pub result: Option<String>,
    pub message: Option<String>,
    pub details: Option<String>,
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-instance-actions:list", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-instance-actions:show", Rule::ProjectReader);
}
