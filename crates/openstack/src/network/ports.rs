use serde::{Deserialize, Serialize};

use super::null_is_default;
use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Port {
    pub id: String,
    pub network_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub device_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub device_owner: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub fixed_ips: Vec<FixedIp>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub security_groups: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

impl Port {
    /// The router's side of a router interface, whichever kind of router it is.
    #[must_use]
    pub fn is_router_interface(&self) -> bool {
        matches!(
            self.device_owner.as_str(),
            "network:router_interface"
                | "network:router_interface_distributed"
                | "network:ha_router_replicated_interface"
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct FixedIp {
    pub subnet_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPort {
    pub network_id: String,
    pub name: String,
    pub description: String,
    /// An empty `ip_address` lets the cloud choose.
    pub fixed_ips: Vec<FixedIp>,
    pub security_groups: Vec<String>,
}

impl Client {
    pub async fn ports(&self, filters: &[(&str, &str)]) -> Result<Vec<Port>> {
        self.network_list("ports", "ports", filters).await
    }
    pub async fn port(&self, id: &str) -> Result<Port> {
        self.fetch(&Call::get(Service::Network, format!("ports/{id}")), "port").await
    }
    pub async fn create_port(&self, new: &NewPort) -> Result<Port> {
        self.network_create("ports", "port", new).await
    }
    pub async fn delete_port(&self, id: &str) -> Result<()> {
        self.network_delete("ports", id).await
    }
}
