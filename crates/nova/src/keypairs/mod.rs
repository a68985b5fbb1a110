//! Key pairs: a user's public SSH keys (and X.509 certificates), by name. A private key made here is shown once and
//! never kept.

pub(crate) mod api;
mod ssh;
pub(crate) mod store;
mod view;
mod x509;

use base::{Policy, Rule};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keypair {
    pub user_id: String,
    pub name: String,
    pub number: i64,
    /// `ssh` or `x509`
    pub kind: String,
    pub fingerprint: String,
    pub public_key: String,
    pub created_at: i64,
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    // A key pair belongs to a user, not to a project: any bearer may have their own, an admin anybody's.
    pub const LIST: Policy = Policy::new("os_compute_api:os-keypairs:index", Rule::Authenticated);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-keypairs:show", Rule::Authenticated);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-keypairs:create", Rule::Authenticated);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-keypairs:delete", Rule::Authenticated);
}
