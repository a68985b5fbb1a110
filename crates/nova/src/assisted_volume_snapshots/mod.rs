//! `/v2.1/os-assisted-volume-snapshots`: how a volume service asks for a snapshot of a volume in use. No server has a
//! volume here, so none is found.

pub(crate) mod api;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const CREATE: Policy =
        Policy::new("os_compute_api:os-assisted-volume-snapshots:create", Rule::Service);
    pub const DELETE: Policy =
        Policy::new("os_compute_api:os-assisted-volume-snapshots:delete", Rule::Service);
}
