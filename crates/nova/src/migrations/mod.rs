//! `/v2.1/os-migrations`: resizes, and moves to other hosts that were asked for.

pub(crate) mod api;
mod store;

pub(crate) use store::{insert, set_status};

use base::{Policy, Rule};

use crate::flavors::Flavor;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Migration {
    pub number: i64,
    pub uuid: String,
    pub server_id: String,
    pub project_id: String,
    pub user_id: String,
    /// `resize` or `migration`
    pub kind: String,
    /// Nova's words: `pre-migrating`, `migrating`, `finished`, `confirmed`, `reverted`, `error`, ...
    pub status: String,
    pub source: String,
    pub target: Option<String>,
    pub old_flavor: Flavor,
    pub new_flavor: Flavor,
    pub created_at: i64,
    pub updated_at: i64,
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const OF_SERVER: Policy =
        Policy::new("os_compute_api:servers:migrations:index", Rule::ProjectManager);
    pub const SHOW_OF_SERVER: Policy = Policy::new("os_compute_api:servers:migrations:show", Rule::Admin);
    pub const ABORT: Policy = Policy::new("os_compute_api:servers:migrations:delete", Rule::ProjectManager);
    pub const FORCE_COMPLETE: Policy =
        Policy::new("os_compute_api:servers:migrations:force_complete", Rule::ProjectManager);
}
