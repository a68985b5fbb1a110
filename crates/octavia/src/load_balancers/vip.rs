//! Where a VIP shall be: from whatever the body says of port, network, subnet and address.

use std::net::IpAddr;

use base::{Ctx, Error, Result};
use db::Tx;
use neutron::balancers::VipPort;
use neutron::plane::Wakes;
use serde_json::Value;

use super::OWN_PORT;
use crate::request::Look;
use crate::tree::Node;
use crate::{Octavia, fault};

/// As a part of the body that is not there: 400, not 404.
fn missing(what: &str, id: &str, error: Error) -> Error {
    if error.is_not_found() { fault::no_such(what, id) } else { error }
}

/// Makes or takes the port, and writes into the node what came of it.
pub async fn settle(app: &Octavia, tx: &mut Tx, ctx: &Ctx, node: &mut Node) -> Result<Wakes> {
    let address: Option<IpAddr> = node.text("vip_address").parse().ok();
    let (port, network, subnet) = (
        node.text("vip_port_id").to_owned(),
        node.text("vip_network_id").to_owned(),
        node.text("vip_subnet_id").to_owned(),
    );
    if port.is_empty() && network.is_empty() && subnet.is_empty() {
        return Err(fault::invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."));
    }
    if node.fields.is_set("vip_qos_policy_id") {
        return Err(fault::invalid("VIP QoS policy is not allowed in this deployment."));
    }
    if !port.is_empty() {
        return take(app, tx, ctx, node, &port, &subnet, address).await;
    }
    let (network, subnet) = match network.as_str() {
        "" => {
            let found = app.neutron.subnet_in(tx, ctx, &subnet).await;
            (found.map_err(|e| missing("Subnet", &subnet, e))?.network_id, subnet)
        }
        _ => on_network(app, tx, ctx, network, subnet, address).await?,
    };
    let wanted = VipPort {
        balancer_id: &node.id,
        project_id: &node.project_id,
        network_id: &network,
        subnet_id: &subnet,
        address,
    };
    let (view, wakes) = app.neutron.create_vip(tx, ctx, &wanted).await?;
    let address = view.fixed_ips.first().map_or(Value::Null, |ip| ip.address.to_string().into());
    write(node, &view.id, &network, &subnet, address, true);
    Ok(wakes)
}

fn write(node: &mut Node, port: &str, network: &str, subnet: &str, address: Value, own: bool) {
    node.set("vip_port_id", port);
    node.set("vip_network_id", network);
    node.set("vip_subnet_id", subnet);
    node.set("vip_address", address);
    node.set(OWN_PORT, own);
}

/// A subnet of the network: the given one, the one with the address, else the first of IPv4.
async fn on_network(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    network: String,
    subnet: String,
    address: Option<IpAddr>,
) -> Result<(String, String)> {
    let all = app.neutron.subnets_in(tx, ctx, &network).await.map_err(|e| missing("Network", &network, e))?;
    if !subnet.is_empty() {
        return match all.iter().any(|one| one.id == subnet) {
            true => Ok((network, subnet)),
            false => Err(fault::no_such("Subnet", &subnet)),
        };
    }
    let chosen = match address {
        Some(address) => all.iter().find(|one| one.cidr.contains(&address)).ok_or_else(|| {
            fault::invalid("Supplied network does not contain a subnet for VIP address specified.")
        }),
        None => all
            .iter()
            .find(|one| one.cidr.addr().is_ipv4())
            .or_else(|| all.first())
            .ok_or_else(|| fault::invalid("Supplied network does not contain a subnet.")),
    };
    Ok((network, chosen?.id.clone()))
}

async fn take(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    node: &mut Node,
    port: &str,
    subnet: &str,
    address: Option<IpAddr>,
) -> Result<Wakes> {
    let view = app.neutron.port_in(tx, ctx, port).await.map_err(|e| missing("Port", port, e))?;
    if !view.device_id.is_empty() {
        return Err(fault::invalid(format!("Port {port} is already used by device {} ", view.device_id)));
    }
    let chosen = match (subnet, address) {
        ("", None) => match view.fixed_ips.as_slice() {
            [only] => Ok(only),
            _ => Err(
                "VIP port's subnet could not be determined. Please specify either a VIP subnet or address.",
            ),
        },
        ("", Some(address)) => view
            .fixed_ips
            .iter()
            .find(|ip| ip.address == address)
            .ok_or("Specified VIP address not found on the specified VIP port."),
        (subnet, _) => view
            .fixed_ips
            .iter()
            .find(|ip| ip.subnet_id == subnet)
            .ok_or("No VIP address found on the specified VIP port within the specified subnet."),
    };
    let chosen = chosen.map_err(fault::invalid)?;
    let (subnet, address) = (chosen.subnet_id.clone(), chosen.address.to_string());
    write(node, port, &view.network_id, &subnet, address.into(), false);
    let (_, wakes) = app.neutron.bind_vip(tx, ctx, port, &node.id).await?;
    Ok(wakes)
}
