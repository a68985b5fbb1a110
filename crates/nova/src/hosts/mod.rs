//! `/v2.1/os-hosts`, until 2.42: services by host, and what a host has and gives.

pub(crate) mod api;
mod store;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-hosts:list", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-hosts:show", Rule::Admin);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-hosts:update", Rule::Admin);
    pub const START: Policy = Policy::new("os_compute_api:os-hosts:start", Rule::Admin);
    pub const SHUTDOWN: Policy = Policy::new("os_compute_api:os-hosts:shutdown", Rule::Admin);
    pub const REBOOT: Policy = Policy::new("os_compute_api:os-hosts:reboot", Rule::Admin);
}
