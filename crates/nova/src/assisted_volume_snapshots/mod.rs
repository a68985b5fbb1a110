//! `/v2.1/os-assisted-volume-snapshots`: how a volume service whose driver makes files asks
//! that a machine writes into another one from now on. Cinder here is in the same process and tells machines itself.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const CREATE: Policy =
        Policy::new("os_compute_api:os-assisted-volume-snapshots:create", Rule::Service);
    pub const DELETE: Policy =
        Policy::new("os_compute_api:os-assisted-volume-snapshots:delete", Rule::Service);
}
