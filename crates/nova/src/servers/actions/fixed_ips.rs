//! addFixedIp and removeFixedIp, until 2.43: one more address, or one less, on a server's port.

use base::{Ctx, Error, Result};
use http::Method;
use neutron::PortView;
use serde_json::{Value, json};

use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};
use crate::servers::{Server, network_api, policy, rules};

const JSON: &str = "application/json";
const ADD: &[Field] = &[Field::new("networkId", Kind::Uuid).required()];
const REMOVE: &[Field] = &[Field::new("address", Kind::Ip).required()];

async fn set(
    nova: &Nova,
    ctx: &Ctx,
    server: &Server,
    port: &PortView,
    ips: &[Value],
    action: &str,
) -> Result<()> {
    let path = format!("/v2.0/ports/{}", port.id);
    let wanted = json!({"port": {"fixed_ips": ips}});
    nova.network_api.call(ctx, Method::PUT, &path, Some((JSON, &wanted))).await?;
    db::write!(nova.db, |tx| actions::record(tx, ctx, &server.id, &server.project_id, action).await)
}

fn present(port: &PortView) -> Vec<Value> {
    let ip = |ip: &neutron::FixedIp| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address.to_string()});
    port.fixed_ips.iter().map(ip).collect()
}

pub(super) async fn add(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<()> {
    let fields = schema::body(body, "addFixedIp", ADD, ctx.microversion.minor)?;
    let (server, ports) = network_api::ports_of(nova, ctx, id).await.map_err(|fault| fault.0)?;
    ctx.authorize(&policy::FIXED_IP_ADD, Some(&server.project_id))?;
    rules::check_lock(ctx, &server)?;
    let network = fields["networkId"].as_str().unwrap_or_default();
    let port = ports.iter().find(|p| p.network_id == network);
    let subnet = port.and_then(|p| Some((p, p.fixed_ips.first()?.subnet_id.clone())));
    let (port, subnet) = subnet
        .ok_or_else(|| Error::bad_request(format!("Network {network} is not connected to instance {id}.")))?;
    let mut ips = present(port);
    ips.push(json!({"subnet_id": subnet}));
    set(nova, ctx, &server, port, &ips, "addFixedIp").await
}

pub(super) async fn remove(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<()> {
    let fields = schema::body(body, "removeFixedIp", REMOVE, ctx.microversion.minor)?;
    let (server, ports) = network_api::ports_of(nova, ctx, id).await.map_err(|fault| fault.0)?;
    ctx.authorize(&policy::FIXED_IP_REMOVE, Some(&server.project_id))?;
    rules::check_lock(ctx, &server)?;
    let address = fields["address"].as_str().unwrap_or_default();
    let has = |port: &&PortView| port.fixed_ips.iter().any(|ip| ip.address.to_string() == address);
    let port = ports.iter().find(has).ok_or_else(|| {
        Error::bad_request(format!("Fixed IP address {address} is not associated with instance {id}."))
    })?;
    let mut ips = present(port);
    ips.retain(|ip| ip["ip_address"] != address);
    set(nova, ctx, &server, port, &ips, "removeFixedIp").await
}
