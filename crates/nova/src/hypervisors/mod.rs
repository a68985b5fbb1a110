//! Hypervisors: this host, as an operator looks at it.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-hypervisors:list", Rule::Admin);
    pub const DETAIL: Policy = Policy::new("os_compute_api:os-hypervisors:list-detail", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-hypervisors:show", Rule::Admin);
    pub const STATISTICS: Policy = Policy::new("os_compute_api:os-hypervisors:statistics", Rule::Admin);
    pub const SEARCH: Policy = Policy::new("os_compute_api:os-hypervisors:search", Rule::Admin);
}
