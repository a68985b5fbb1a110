//! `/v2.1/os-baremetal-nodes`: the nodes of Ironic, for old clients. There is no such service here.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-baremetal-nodes:list", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-baremetal-nodes:show", Rule::Admin);
}
