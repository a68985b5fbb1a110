use serde::{Deserialize, Serialize};
use serde_json::json;

use super::null_is_default;
use crate::call::{Call, Service};
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Router {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default)]
    pub external_gateway_info: Option<ExternalGateway>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub routes: Vec<Route>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Route {
    pub destination: String,
    pub nexthop: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ExternalGateway {
    pub network_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRouter {
    pub name: String,
    pub description: String,
    pub external_gateway_info: ExternalGateway,
}

impl Client {
    pub async fn routers(&self, filters: &[(&str, &str)]) -> Result<Vec<Router>> {
        self.network_list("routers", "routers", filters).await
    }
    pub async fn create_router(&self, new: &NewRouter) -> Result<Router> {
        self.network_create("routers", "router", new).await
    }
    pub async fn delete_router(&self, id: &str) -> Result<()> {
        self.network_delete("routers", id).await
    }
    /// Replace all routes of a router.
    pub async fn set_router_routes(&self, router: &str, routes: &[Route]) -> Result<()> {
        let body = json!({ "router": { "routes": routes } });
        self.run(&Call::put(Service::Network, format!("routers/{router}"), body)).await
    }
    pub async fn add_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        let path = format!("routers/{router}/add_router_interface");
        self.run(&Call::put(Service::Network, path, json!({ "subnet_id": subnet }))).await
    }
    pub async fn remove_router_interface(&self, router: &str, subnet: &str) -> Result<()> {
        let path = format!("routers/{router}/remove_router_interface");
        self.run(&Call::put(Service::Network, path, json!({ "subnet_id": subnet }))).await
    }
}
