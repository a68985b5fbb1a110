//! Simple tenant usage: how many hours of how much each project's servers were there in a period, deleted ones too.

pub(crate) mod api;
mod store;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-simple-tenant-usage:list", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-simple-tenant-usage:show", Rule::ProjectReader);
}
