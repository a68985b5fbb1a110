//! Networks as Nova showed them before Neutron did, until 2.35: an id and a name, and fields of a network service that
//! is long gone.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-networks:list", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-networks:show", Rule::ProjectReader);
    pub const TENANT_LIST: Policy =
        Policy::new("os_compute_api:os-tenant-networks:list", Rule::ProjectReader);
    pub const TENANT_SHOW: Policy =
        Policy::new("os_compute_api:os-tenant-networks:show", Rule::ProjectReader);
}
