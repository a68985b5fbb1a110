//! Floating IPs as Nova showed them before Neutron did: until 2.35, and 2.43 for giving them to servers.

pub(crate) mod api;
pub(crate) mod associate;

use base::{Ctx, Error, Policy, Result, Rule};
use http::Method;
use serde_json::{Value, json};

use crate::Nova;

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-floating-ips:list", Rule::ProjectReader);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-floating-ips:show", Rule::ProjectReader);
    pub const CREATE: Policy = Policy::new("os_compute_api:os-floating-ips:create", Rule::ProjectMember);
    pub const DELETE: Policy = Policy::new("os_compute_api:os-floating-ips:delete", Rule::ProjectMember);
    pub const ADD: Policy = Policy::new("os_compute_api:os-floating-ips:add", Rule::ProjectMember);
    pub const REMOVE: Policy = Policy::new("os_compute_api:os-floating-ips:remove", Rule::ProjectMember);
    pub const POOLS: Policy = Policy::new("os_compute_api:os-floating-ip-pools", Rule::Authenticated);
}

impl Nova {
    /// External networks: the pools of addresses.
    async fn pools(&self, ctx: &Ctx) -> Result<Vec<Value>> {
        let found =
            self.network_api.call(ctx, Method::GET, "/v2.0/networks?router:external=True", None).await?;
        Ok(list(&found, "networks"))
    }

    /// Floating IPs of the caller's project that the query means.
    async fn floating_ips(&self, ctx: &Ctx, query: &str) -> Result<Vec<Value>> {
        let project = ctx.require_project()?;
        let path = format!("/v2.0/floatingips?tenant_id={project}{query}");
        Ok(list(&self.network_api.call(ctx, Method::GET, &path, None).await?, "floatingips"))
    }

    /// The one with this address: 404 without, 409 when several networks have it.
    async fn floating_ip_at(&self, ctx: &Ctx, address: &str) -> Result<Value> {
        let mut found = self.floating_ips(ctx, &format!("&floating_ip_address={address}")).await?;
        match found.len() {
            0 => Err(Error::not_found(format!("Floating IP not found for address {address}."))),
            1 => Ok(found.remove(0)),
            _ => Err(Error::conflict(format!("Multiple floating IPs are found for address {address}."))),
        }
    }

    /// The server that the floating IP leads to.
    async fn server_of(&self, ctx: &Ctx, floating: &Value) -> Result<Option<String>> {
        let Some(port) = floating["port_id"].as_str() else { return Ok(None) };
        let port = self.neutron.port(ctx, port).await?;
        Ok(Some(port.device_id).filter(|id| !id.is_empty()))
    }
}

fn list(body: &Value, key: &str) -> Vec<Value> {
    body[key].as_array().cloned().unwrap_or_default()
}

fn view(floating: &Value, server: Option<&str>, pools: &[Value]) -> Value {
    let network = &floating["floating_network_id"];
    let pool = pools.iter().find(|p| p["id"] == *network);
    let name = pool.map(|p| &p["name"]).filter(|n| n.as_str().is_some_and(|n| !n.is_empty()));
    json!({
        "id": floating["id"],
        "ip": floating["floating_ip_address"],
        "fixed_ip": floating["fixed_ip_address"],
        "instance_id": server,
        "pool": name.unwrap_or(network),
    })
}
