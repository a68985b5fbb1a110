use serde::Deserialize;

use crate::call::{Call, Service};
use crate::{Client, Result};

/// Limits of the project; -1 is "no limit".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ComputeQuota {
    pub instances: i64,
    pub cores: i64,
    /// MiB.
    pub ram: i64,
    pub key_pairs: i64,
    pub server_groups: i64,
}

impl Client {
    pub async fn compute_quota(&self) -> Result<ComputeQuota> {
        let path = format!("os-quota-sets/{}", self.project_id());
        self.fetch(&Call::get(Service::Compute, path), "quota_set").await
    }
}
