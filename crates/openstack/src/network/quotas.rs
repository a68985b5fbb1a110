use serde::Deserialize;

use crate::call::{Call, Service};
use crate::{Client, Result};

/// Limits of the project; -1 is "no limit".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NetworkQuota {
    pub network: i64,
    pub subnet: i64,
    pub router: i64,
    pub port: i64,
    pub floatingip: i64,
    pub security_group: i64,
    pub security_group_rule: i64,
}

impl Client {
    pub async fn network_quota(&self) -> Result<NetworkQuota> {
        self.fetch(&Call::get(Service::Network, format!("quotas/{}", self.project_id())), "quota").await
    }
}
