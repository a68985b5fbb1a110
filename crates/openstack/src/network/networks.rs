use serde::{Deserialize, Serialize};

use super::null_is_default;
use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Network {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub status: String,
    #[serde(default, rename = "router:external")]
    pub external: bool,
    #[serde(default)]
    pub shared: bool,
    #[serde(default)]
    pub mtu: Option<u32>,
    #[serde(default)]
    pub subnets: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewNetwork {
    pub name: String,
    pub description: String,
}

impl Client {
    pub async fn networks(&self, filters: &[(&str, &str)]) -> Result<Vec<Network>> {
        self.network_list("networks", "networks", filters).await
    }
    pub async fn network(&self, id: &str) -> Result<Network> {
        self.fetch(&Call::get(Service::Network, format!("networks/{id}")), "network").await
    }
    pub async fn create_network(&self, new: &NewNetwork) -> Result<Network> {
        self.network_create("networks", "network", new).await
    }
    pub async fn delete_network(&self, id: &str) -> Result<()> {
        self.network_delete("networks", id).await
    }
}
