//! Flavors: what sizes a server can have. A server keeps a copy of its flavor, so deleting one changes no server.

pub(crate) mod api;
mod rules;
pub(crate) mod store;
mod view;

use std::collections::BTreeMap;

use base::{Ctx, Policy, Result, Rule};
use serde::{Deserialize, Serialize};

use crate::Nova;

pub(crate) use rules::get;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub vcpus: i64,
    pub memory_mib: i64,
    /// 0: as large as the image.
    pub root_gib: i64,
    pub ephemeral_gib: i64,
    pub swap_mib: i64,
    pub rxtx_factor: f64,
    pub is_public: bool,
    pub description: Option<String>,
    pub extra_specs: BTreeMap<String, String>,
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:flavors", Rule::Unchecked);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-flavor-manage:create", Rule::Admin);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-flavor-manage:update", Rule::Admin);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-flavor-manage:delete", Rule::Admin);
    pub const ACCESS: Policy = Policy::new("os_compute_api:os-flavor-access", Rule::Admin);
    pub const ACCESS_CHANGE: Policy =
        Policy::new("os_compute_api:os-flavor-access:add_tenant_access", Rule::Admin);
    pub const SPECS: Policy = Policy::new("os_compute_api:os-flavor-extra-specs:index", Rule::ProjectReader);
    pub const SPECS_CREATE: Policy = Policy::new("os_compute_api:os-flavor-extra-specs:create", Rule::Admin);
    pub const SPECS_UPDATE: Policy = Policy::new("os_compute_api:os-flavor-extra-specs:update", Rule::Admin);
    pub const SPECS_DELETE: Policy = Policy::new("os_compute_api:os-flavor-extra-specs:delete", Rule::Admin);
}

/// The sizes that every OpenStack tutorial assumes, two small ones for test guests, and two for Kubernetes nodes.
const FIRST: &[(&str, &str, i64, i64, i64)] = &[
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
    ("42", "m1.nano", 1, 128, 1),
    ("84", "m1.micro", 1, 256, 1),
    ("n1", "node.small", 2, 2048, 12),
    ("n2", "node.medium", 2, 3072, 12),
];

impl Nova {
    /// Makes the first flavors, once: an operator who deletes them all gets them back at the next start, one who
    /// keeps any is left alone.
    pub async fn ensure_flavors(&self, ctx: &Ctx) -> Result<()> {
        let flavors: Vec<Flavor> = FIRST
            .iter()
            .map(|&(id, name, vcpus, memory_mib, root_gib)| Flavor {
                id: id.into(),
                name: name.into(),
                vcpus,
                memory_mib,
                root_gib,
                ephemeral_gib: 0,
                swap_mib: 0,
                rxtx_factor: 1.0,
                is_public: true,
                description: None,
                extra_specs: BTreeMap::new(),
            })
            .collect();
        store::create_first(&self.db, ctx, &flavors).await
    }
}
