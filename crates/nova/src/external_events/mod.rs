//! What other services tell Nova of its servers. Ours are in the same process and wake the reconciler themselves; a
//! stranger's event does the same: the server is looked at again.

pub(crate) mod api;
mod store;

use base::{Policy, Rule};

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const CREATE: Policy = Policy::new("os_compute_api:os-server-external-events:create", Rule::Service);
}
