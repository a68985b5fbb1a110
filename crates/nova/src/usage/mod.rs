//! Simple tenant usage: how many hours of how much each project's servers were there in a period, deleted ones too.

pub(crate) mod api;
pub(crate) mod audit_api;
mod store;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const AUDIT_LIST: Policy =
        Policy::new("os_compute_api:os-instance-usage-audit-log:list", Rule::Admin);
    pub const AUDIT_SHOW: Policy =
        Policy::new("os_compute_api:os-instance-usage-audit-log:show", Rule::Admin);
    pub const LIST: Policy = Policy::new("os_compute_api:os-simple-tenant-usage:list", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-simple-tenant-usage:show", Rule::ProjectReader);
}
