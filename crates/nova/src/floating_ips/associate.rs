//! The server actions addFloatingIp and removeFloatingIp, until 2.43.

use base::{Ctx, Error, Result};
use http::Method;
use serde_json::{Value, json};

use super::policy;
use crate::Nova;
use crate::instance_actions::store as actions;
use crate::schema::{self, Field, Kind};
use crate::servers::store;

const ADD: &[Field] = &[Field::new("address", Kind::Ip).required(), Field::new("fixed_address", Kind::Ip)];
const REMOVE: &[Field] = &[Field::new("address", Kind::Ip).required()];
const JSON: &str = "application/json";

async fn lead(nova: &Nova, ctx: &Ctx, floating: &Value, target: Value) -> Result<()> {
    let path = format!("/v2.0/floatingips/{}", floating["id"].as_str().unwrap_or_default());
    nova.network_api.call(ctx, Method::PUT, &path, Some((JSON, &json!({"floatingip": target})))).await?;
    Ok(())
}

pub(crate) async fn add(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<()> {
    let fields = schema::body(body, "addFloatingIp", ADD, ctx.microversion.minor)?;
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(&policy::ADD, Some(&server.project_id))?;
    let address = fields["address"].as_str().unwrap_or_default();
    let ports = nova.ports(std::slice::from_ref(&server)).await?.remove(id).unwrap_or_default();
    let fixed: Vec<_> = ports.iter().flat_map(|p| p.fixed_ips.iter().map(move |ip| (p, ip))).collect();
    if fixed.is_empty() {
        return Err(Error::bad_request("No fixed IPs associated to instance"));
    }
    let (port, ip) = match fields.get("fixed_address").and_then(Value::as_str) {
        Some(asked) => fixed
            .iter()
            .find(|(_, ip)| ip.address.to_string() == asked)
            .ok_or_else(|| Error::bad_request("Specified fixed address not assigned to instance"))?,
        None => fixed.iter().find(|(_, ip)| ip.address.is_ipv4()).ok_or_else(|| {
            Error::bad_request(format!(
                "Unable to associate floating IP {address} to any fixed IPs for instance {id}. Instance has no \
                 fixed IPv4 addresses to associate."
            ))
        })?,
    };
    let floating = nova
        .floating_ip_at(ctx, address)
        .await
        .map_err(|e| if e.is_not_found() { Error::not_found("floating IP not found") } else { e })?;
    let fixed = ip.address.to_string();
    let target = json!({"port_id": port.id, "fixed_ip_address": fixed});
    // Neutron says 409 where the fixed address has another floating IP of that network already; Nova's word is 400.
    lead(nova, ctx, &floating, target).await.map_err(|e| {
        Error::bad_request(format!(
            "Unable to associate floating IP {address} to fixed IP {fixed} for instance {id}. Error: {}",
            e.message
        ))
    })?;
    db::write!(nova.db, |tx| actions::record(tx, ctx, id, &server.project_id, "addFloatingIp").await)
}

pub(crate) async fn remove(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<()> {
    let fields = schema::body(body, "removeFloatingIp", REMOVE, ctx.microversion.minor)?;
    let address = fields["address"].as_str().unwrap_or_default();
    let floating = nova.floating_ip_at(ctx, address).await?;
    let at = nova.server_of(ctx, &floating).await?;
    if at.as_deref() != Some(id) {
        return Err(Error::conflict(format!("Floating IP {address} is not associated with instance {id}.")));
    }
    let server = store::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(&policy::REMOVE, Some(&server.project_id))?;
    lead(nova, ctx, &floating, json!({"port_id": null})).await?;
    db::write!(nova.db, |tx| actions::record(tx, ctx, id, &server.project_id, "removeFloatingIp").await)
}
