//! Server groups: servers that shall share a host, or shall not. With one host, affinity always holds, and a second
//! member of a hard anti-affinity group finds no valid host.

pub(crate) mod api;
pub(crate) mod store;
mod view;

use base::{Policy, Rule};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerGroup {
    pub id: String,
    pub project_id: String,
    pub user_id: String,
    pub name: String,
    pub policy: String,
    pub max_server_per_host: Option<i64>,
    pub created_at: i64,
}

impl ServerGroup {
    /// How many members one host may have; None: any number.
    pub fn most_on_one_host(&self) -> Option<i64> {
        (self.policy == "anti-affinity").then(|| self.max_server_per_host.unwrap_or(1))
    }
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-server-groups:index", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-server-groups:show", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-server-groups:create", Rule::ProjectMember);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-server-groups:delete", Rule::ProjectMember);
}
