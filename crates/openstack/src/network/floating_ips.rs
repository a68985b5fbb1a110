use serde::{Deserialize, Serialize};
use serde_json::json;

use super::null_is_default;
use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FloatingIp {
    pub id: String,
    pub floating_ip_address: String,
    pub floating_network_id: String,
    #[serde(default)]
    pub fixed_ip_address: Option<String>,
    #[serde(default)]
    pub port_id: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewFloatingIp {
    pub floating_network_id: String,
    pub port_id: String,
    pub description: String,
}

impl Client {
    pub async fn floating_ips(&self, filters: &[(&str, &str)]) -> Result<Vec<FloatingIp>> {
        self.network_list("floatingips", "floatingips", filters).await
    }
    pub async fn create_floating_ip(&self, new: &NewFloatingIp) -> Result<FloatingIp> {
        self.network_create("floatingips", "floatingip", new).await
    }
    /// Attach to a port, or detach with `None`.
    pub async fn set_floating_ip_port(&self, id: &str, port: Option<&str>) -> Result<FloatingIp> {
        let body = json!({ "floatingip": { "port_id": port } });
        self.fetch(&Call::put(Service::Network, format!("floatingips/{id}"), body), "floatingip").await
    }
    pub async fn delete_floating_ip(&self, id: &str) -> Result<()> {
        self.network_delete("floatingips", id).await
    }
}
