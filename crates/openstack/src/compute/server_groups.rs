use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerGroup {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServerGroup {
    pub name: String,
    /// `soft-anti-affinity` needs microversion 2.15, which is asked for then.
    pub policy: String,
}

impl Client {
    pub async fn server_groups(&self) -> Result<Vec<ServerGroup>> {
        self.list(Call::get(Service::Compute, "os-server-groups"), "server_groups").await
    }
    pub async fn create_server_group(&self, new: &NewServerGroup) -> Result<ServerGroup> {
        // `policies` is a list of one up to 2.63, and 2.15 brought the soft policies.
        let body = json!({ "server_group": { "name": new.name, "policies": [new.policy] } });
        let call = Call::post(Service::Compute, "os-server-groups", body);
        let call = if new.policy.starts_with("soft-") { call.microversion(2, 15) } else { call };
        self.fetch(&call, "server_group").await
    }
    pub async fn delete_server_group(&self, id: &str) -> Result<()> {
        self.run(&Call::delete(Service::Compute, format!("os-server-groups/{id}"))).await
    }
}
