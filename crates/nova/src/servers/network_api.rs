//! `/v2.1/servers/{id}/ips` and `/os-interface`, and its volumes (there are none yet).

use std::sync::Arc;

use base::{Ctx, Error};
use neutron::PortView;
use serde_json::{Value, json};
use web::{Caller, Path, Response, Result, State};

use super::{Server, store, view};
use crate::Nova;

async fn ports_of(nova: &Nova, ctx: &Ctx, id: &str) -> Result<(Server, Vec<PortView>)> {
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    let ports = nova.ports(std::slice::from_ref(&server)).await?.remove(id).unwrap_or_default();
    Ok((server, ports))
}

pub async fn ips(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    Ok(web::json(200, &json!({"addresses": view::addresses(&ports, false)})))
}

pub async fn ips_of_network(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, network)): Path<(String, String)>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let all = view::addresses(&ports, false);
    let list =
        all.get(&network).ok_or_else(|| Error::not_found("Instance is not a member of specified network"))?;
    Ok(web::json(200, &json!({&*network: list})))
}

fn interface(ctx: &Ctx, port: &PortView, tag: Option<&str>) -> Value {
    let ips: Vec<Value> = port
        .fixed_ips
        .iter()
        .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.address.to_string()}))
        .collect();
    let mut out = json!({
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": ips,
    });
    if ctx.at_least(2, 70) {
        out["tag"] = json!(tag);
    }
    out
}

pub async fn interfaces(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let spec = store::spec(&mut *nova.db.read().await?, &id).await?;
    let tag = |port: &PortView| spec.nics.iter().find(|n| n.port_id.as_ref() == Some(&port.id))?.tag.clone();
    let views: Vec<Value> = ports.iter().map(|p| interface(&ctx, p, tag(p).as_deref())).collect();
    Ok(web::json(200, &json!({"interfaceAttachments": views})))
}

pub async fn show_interface(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, port_id)): Path<(String, String)>,
) -> Result<Response> {
    let (_, ports) = ports_of(&nova, &ctx, &id).await?;
    let port = ports
        .iter()
        .find(|p| p.id == port_id)
        .ok_or_else(|| Error::not_found(format!("Instance {id} does not have a port with id {port_id}")))?;
    let spec = store::spec(&mut *nova.db.read().await?, &id).await?;
    let nic = spec.nics.iter().find(|n| n.port_id.as_ref() == Some(&port_id));
    let view = interface(&ctx, port, nic.and_then(|n| n.tag.as_deref()));
    Ok(web::json(200, &json!({"interfaceAttachment": view})))
}

/// A server's disk is its image's copy: it has no volumes until there is a volume service.
pub async fn volumes(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    store::find(&mut *nova.db.read().await?, &ctx, &id).await?;
    Ok(web::json(200, &json!({"volumeAttachments": []})))
}
