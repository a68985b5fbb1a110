//! `/v2.1/servers/{id}/shares` (2.97): file shares of Manila. There is no such service here, so no server has one.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-server-shares:index", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-server-shares:show", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-server-shares:create", Rule::ProjectMember);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-server-shares:delete", Rule::ProjectMember);
}
