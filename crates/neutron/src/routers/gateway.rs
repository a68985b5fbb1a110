//! `external_gateway_info`.

use base::{Ctx, Result};
use db::Tx;
use serde_json::{Map, Value};

use super::{FullRouter, interfaces};
use crate::fault::{self, bad};
use crate::networks;
use crate::plane::Wakes;
use crate::ports::addresses::{self, Wanted};
use crate::ports::{self, FullPort, Port, ROUTER_GATEWAY};

/// What a body asks for; `network_id` None removes the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub network_id: Option<String>,
    pub enable_snat: Option<bool>,
    pub fixed_ips: Option<Vec<Wanted>>,
    /// Some(''): none.
    pub qos_policy_id: Option<String>,
}

/// Parses the object; `verb` is for the name of the policy that reserves parts of it for admins.
pub fn parse(ctx: &Ctx, value: &Value, verb: &str) -> Result<Asked> {
    let empty = Map::new();
    let object = value.as_object().unwrap_or(&empty);
    let wrong = |reason: String| {
        fault::http_bad_request(format!("Invalid input for external_gateway_info. Reason: {reason}."))
    };
    let mut asked = Asked::default();
    for (key, value) in object {
        match (key.as_str(), value) {
            ("network_id", Value::Null) => {}
            ("network_id", Value::String(id)) if crate::request::uuid_like(id) => {
                asked.network_id = Some(id.clone());
            }
            ("network_id", other) => return Err(wrong(format!("'{}' is not a valid UUID", plain(other)))),
            ("enable_snat", Value::Null) | ("external_fixed_ips", Value::Null) => {}
            ("enable_snat", value) => {
                let flag = match value {
                    Value::Bool(flag) => Some(*flag),
                    other => match plain(other).to_ascii_lowercase().as_str() {
                        "true" | "1" => Some(true),
                        "false" | "0" => Some(false),
                        _ => None,
                    },
                };
                let wrong = || wrong(format!("'{}' is not a valid boolean value", plain(value)));
                asked.enable_snat = Some(flag.ok_or_else(wrong)?);
            }
            ("qos_policy_id", Value::Null) => asked.qos_policy_id = Some(String::new()),
            ("qos_policy_id", Value::String(id)) if crate::request::uuid_like(id) => {
                asked.qos_policy_id = Some(id.clone());
            }
            ("external_fixed_ips", value) => {
                let ips = serde_json::from_value(value.clone())
                    .map_err(|_| wrong(format!("Invalid data format for fixed IP: '{}'", plain(value))))?;
                asked.fixed_ips = Some(ips);
            }
            (other, _) => return Err(wrong(format!("Unexpected keys supplied: {other}"))),
        }
    }
    if !object.is_empty() && asked.network_id.is_none() && !object.contains_key("network_id") {
        return Err(wrong("Expected keys not found: network_id".into()));
    }
    for (key, given) in [
        ("enable_snat", asked.enable_snat.is_some()),
        ("external_fixed_ips", asked.fixed_ips.as_ref().is_some_and(|f| !f.is_empty())),
    ] {
        if given && !ctx.is_admin() {
            return Err(fault::policy(&format!("{verb}_router:external_gateway_info:{key}")));
        }
    }
    Ok(asked)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

/// Makes the router's gateway what was asked. The router's row itself is the caller's to write.
pub async fn set(tx: &mut Tx, ctx: &Ctx, full: &mut FullRouter, asked: &Asked) -> Result<Wakes> {
    let id = full.router.standard.id.clone();
    let mut wakes = Wakes::router(&id);
    if let Some(flag) = asked.enable_snat {
        full.router.enable_snat = flag;
    }
    if let Some(policy) = &asked.qos_policy_id {
        crate::qos::store::usable(tx, ctx, policy).await?;
        full.router.gateway_qos_policy_id.clone_from(policy);
    }
    let stays = full.gateway.as_ref().is_some_and(|g| Some(&g.port.network_id) == asked.network_id.as_ref());
    if !stays && full.gateway.is_some() {
        wakes.extend(remove(tx, full).await?);
    }
    let Some(network_id) = &asked.network_id else {
        full.router.enable_snat = true;
        full.router.gateway_qos_policy_id.clear();
        return Ok(wakes);
    };
    let network = networks::store::visible(tx, ctx, network_id).await?;
    if !network.external {
        return Err(bad("router", format!("Network {network_id} is not an external network")));
    }
    check_addresses(tx, network_id, asked.fixed_ips.as_deref().unwrap_or(&[])).await?;
    wakes.networks.insert(network_id.clone());
    let wanted = asked.fixed_ips.as_deref().filter(|w| !w.is_empty());
    match full.gateway.take() {
        Some(mut gateway) => {
            if let Some(wanted) = wanted {
                let ips = addresses::allocate(tx, &gateway.port, Some(wanted), &gateway.fixed_ips).await?;
                addresses::write(tx, &gateway.port, &ips).await?;
                gateway.fixed_ips = ips;
            }
            full.gateway = Some(gateway);
        }
        None => {
            // It belongs to nobody: its owner could do nothing with it but harm.
            let mac = ports::macs::free(tx, network_id).await?;
            let port = Port::internal("", network_id, ROUTER_GATEWAY, &id, mac);
            let fixed_ips = addresses::allocate(tx, &port, wanted, &[]).await?;
            let gateway = FullPort { port, fixed_ips, groups: Vec::new() };
            let subnets = super::routes::subnets_of(tx, &[&gateway]).await?;
            interfaces::check_overlap(tx, full, &subnets).await?;
            ports::store::insert(tx, &gateway).await?;
            full.gateway = Some(gateway);
        }
    }
    Ok(wakes)
}

async fn check_addresses(tx: &mut Tx, network_id: &str, wanted: &[Wanted]) -> Result<()> {
    for subnet in crate::subnets::store::of_network(tx, network_id).await? {
        if let Some(gateway) = subnet.gateway
            && wanted.iter().any(|w| w.ip_address == Some(gateway))
        {
            return Err(bad("router", format!("External IP {gateway} is the same as the gateway IP")));
        }
    }
    Ok(())
}

async fn remove(tx: &mut Tx, full: &mut FullRouter) -> Result<Wakes> {
    let id = &full.router.standard.id;
    let Some(gateway) = full.gateway.take() else { return Ok(Wakes::default()) };
    let network_id = &gateway.port.network_id;
    if crate::floating_ips::store::any_of_router(tx, id).await? {
        return Err(fault::conflict(
            "RouterExternalGatewayInUseByFloatingIp",
            format!(
                "Gateway cannot be updated for router {id}, since a gateway to external network {network_id} is \
                 required by one or more floating IPs."
            ),
        ));
    }
    ports::store::remove(tx, &gateway.port.standard.id).await?;
    Ok(Wakes::network(network_id))
}
