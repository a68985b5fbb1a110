//! Octavia v2, as far as finding and removing what a cluster's controllers made.

use serde::Deserialize;

use crate::call::{Call, Service};
use crate::network::null_is_default;
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LoadBalancer {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub provisioning_status: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub vip_port_id: String,
}

impl Client {
    pub async fn load_balancers(&self) -> Result<Vec<LoadBalancer>> {
        self.list(Call::get(Service::LoadBalancer, "lbaas/loadbalancers"), "loadbalancers").await
    }
    pub async fn load_balancer(&self, id: &str) -> Result<LoadBalancer> {
        self.fetch(&Call::get(Service::LoadBalancer, format!("lbaas/loadbalancers/{id}")), "loadbalancer")
            .await
    }
    /// With everything in it. The answer comes before it is gone.
    pub async fn delete_load_balancer(&self, id: &str) -> Result<()> {
        let call = Call::delete(Service::LoadBalancer, format!("lbaas/loadbalancers/{id}"));
        self.run(&call.query("cascade", "true")).await
    }
}
