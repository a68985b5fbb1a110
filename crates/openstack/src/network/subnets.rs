use serde::{Deserialize, Serialize};

use super::null_is_default;
use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subnet {
    pub id: String,
    pub network_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    pub cidr: String,
    #[serde(default)]
    pub ip_version: u8,
    #[serde(default)]
    pub gateway_ip: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub dns_nameservers: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSubnet {
    pub network_id: String,
    pub name: String,
    pub description: String,
    pub ip_version: u8,
    pub cidr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_nameservers: Vec<String>,
}

impl Client {
    pub async fn subnets(&self, filters: &[(&str, &str)]) -> Result<Vec<Subnet>> {
        self.network_list("subnets", "subnets", filters).await
    }
    pub async fn subnet(&self, id: &str) -> Result<Subnet> {
        self.fetch(&Call::get(Service::Network, format!("subnets/{id}")), "subnet").await
    }
    pub async fn create_subnet(&self, new: &NewSubnet) -> Result<Subnet> {
        self.network_create("subnets", "subnet", new).await
    }
    pub async fn delete_subnet(&self, id: &str) -> Result<()> {
        self.network_delete("subnets", id).await
    }
}
