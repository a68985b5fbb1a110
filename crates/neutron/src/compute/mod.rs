//! The calls that Nova makes. All of them are also what a server's `networks` mean in Nova's API guide.

mod types;

use std::collections::HashMap;

use base::{Ctx, Error, Result};
pub use types::{AllocatePort, FixedIp, NetworkBrief, PortView};

use crate::Neutron;

impl Neutron {
    /// What a server without `networks` may attach to: the project's own and shared networks. External networks that
    /// are not shared can only be attached to on request.
    pub async fn default_networks(&self, ctx: &Ctx) -> Result<Vec<NetworkBrief>> {
        let _ = ctx;
        Err(Error::unavailable("not yet"))
    }

    /// 404 when there is none or the caller may not see it.
    pub async fn network(&self, ctx: &Ctx, id: &str) -> Result<NetworkBrief> {
        let _ = (ctx, id);
        Err(Error::unavailable("not yet"))
    }

    /// 404 when there is none or the caller may not see it.
    pub async fn port(&self, ctx: &Ctx, id: &str) -> Result<PortView> {
        let _ = (ctx, id);
        Err(Error::unavailable("not yet"))
    }

    /// 404 for an unknown one, 409 for a name that several groups bear.
    pub async fn security_group_ids(&self, ctx: &Ctx, names_or_ids: &[String]) -> Result<Vec<String>> {
        let _ = (ctx, names_or_ids);
        Err(Error::unavailable("not yet"))
    }

    /// Makes a port for a server.
    pub async fn allocate_port(&self, ctx: &Ctx, request: AllocatePort) -> Result<PortView> {
        let _ = (ctx, request);
        Err(Error::unavailable("not yet"))
    }

    /// Gives an existing port to a server; 409 when it belongs to another device.
    pub async fn bind_port(
        &self,
        ctx: &Ctx,
        port_id: &str,
        server_id: &str,
        hostname: &str,
        availability_zone: &str,
    ) -> Result<PortView> {
        let _ = (ctx, port_id, server_id, hostname, availability_zone);
        Err(Error::unavailable("not yet"))
    }

    /// Takes a port from its server; a port that is gone is fine.
    pub async fn unbind_port(&self, ctx: &Ctx, port_id: &str) -> Result<()> {
        let _ = (ctx, port_id);
        Err(Error::unavailable("not yet"))
    }

    /// Deletes a port; one that is gone is fine.
    pub async fn delete_port(&self, ctx: &Ctx, port_id: &str) -> Result<()> {
        let _ = (ctx, port_id);
        Err(Error::unavailable("not yet"))
    }

    /// The ports of these servers, each list in the order of attachment. Servers without ports are absent.
    pub async fn ports_of(&self, server_ids: &[String]) -> Result<HashMap<String, Vec<PortView>>> {
        let _ = server_ids;
        Err(Error::unavailable("not yet"))
    }

    /// Returns when the host has applied what the rows of these networks say now.
    pub async fn ensure_plugged(&self, network_ids: &[String]) -> Result<()> {
        let _ = network_ids;
        Err(Error::unavailable("not yet"))
    }

    /// ACTIVE while its machine runs, DOWN otherwise.
    pub async fn set_port_status(&self, port_ids: &[String], active: bool) -> Result<()> {
        let _ = (port_ids, active);
        Err(Error::unavailable("not yet"))
    }

    /// The port that a metadata request came from.
    pub async fn port_for_metadata(&self, port_id: &str) -> Result<Option<PortView>> {
        let _ = port_id;
        Err(Error::unavailable("not yet"))
    }
}
