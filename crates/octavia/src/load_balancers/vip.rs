//! Where a VIP shall be: from whatever the body says of port, network, subnet and address.

use std::net::IpAddr;

use base::{Ctx, Error, Kind, Result};
use db::Tx;
use neutron::PortView;
use neutron::balancers::BalancerPort;
use neutron::plane::Wakes;
use serde_json::{Value, json};

use super::OWN_PORT;
use crate::request::{Fields, Look};
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
    check_qos(app, tx, ctx, node.text("vip_qos_policy_id")).await?;
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
    let mut addresses = vec![(subnet.clone(), address)];
    addresses.extend(more(app, tx, ctx, node, &network, &subnet).await?);
    make(app, tx, ctx, node, &network, &addresses).await
}

/// Makes the port, the first of whose addresses is the VIP.
async fn make(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    node: &mut Node,
    network: &str,
    addresses: &[(String, Option<IpAddr>)],
) -> Result<Wakes> {
    let wanted = BalancerPort {
        balancer_id: &node.id,
        project_id: &node.project_id,
        network_id: network,
        addresses,
        qos_policy_id: node.text("vip_qos_policy_id"),
        is_leg: false,
    };
    let made = app.neutron.create_balancer_port(tx, ctx, &wanted).await;
    let (view, wakes) = made.map_err(|error| match error.kind {
        Kind::Conflict => Error::conflict(format!("The VIP IP address is already in use: {}", error.message)),
        _ => error,
    })?;
    let subnet = addresses.first().map_or("", |(subnet, _)| subnet);
    write(node, &view, subnet, None, true)?;
    Ok(wakes)
}

/// Makes the port again, with the addresses that it had, where somebody has deleted it. As in the real service it is the
/// load balancer's own then, whosever it was before. None: it is there.
pub async fn restore(app: &Octavia, tx: &mut Tx, node: &mut Node) -> Result<Option<Wakes>> {
    let ctx = Ctx::internal("load-balancer");
    match app.neutron.port_in(tx, &ctx, node.text("vip_port_id")).await {
        Ok(_) => return Ok(None),
        Err(e) if e.is_not_found() => {}
        Err(e) => return Err(e),
    }
    let one = |fields: &Fields, subnet: &str, address: &str| {
        (fields.text(subnet).to_owned(), fields.text(address).parse::<IpAddr>().ok())
    };
    let mut addresses = vec![one(&node.fields, "vip_subnet_id", "vip_address")];
    let more = node.fields.list("additional_vips").iter().filter_map(Value::as_object);
    addresses.extend(more.map(|fields| one(fields, "subnet_id", "ip_address")));
    let network = node.text("vip_network_id").to_owned();
    make(app, tx, &ctx, node, &network, &addresses).await.map(Some)
}

/// A policy that the caller may use; '' is none.
pub async fn check_qos(app: &Octavia, tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<()> {
    app.neutron.qos_in(tx, ctx, id).await.map_err(|error| missing("qos_policy", id, error))
}

/// Subnets and addresses of the VIPs besides the first: one a subnet, all in its network.
async fn more(
    app: &Octavia,
    tx: &mut Tx,
    ctx: &Ctx,
    node: &Node,
    network: &str,
    first: &str,
) -> Result<Vec<(String, Option<IpAddr>)>> {
    let mut all: Vec<(String, Option<IpAddr>)> = Vec::new();
    for one in node.fields.list("additional_vips").iter().filter_map(Value::as_object) {
        let id = one.text("subnet_id");
        if id == first || all.iter().any(|(known, _)| known == id) {
            let words = "Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.";
            return Err(fault::invalid(words));
        }
        let found = app.neutron.subnet_in(tx, ctx, id).await;
        let unknown = || fault::invalid(format!("Subnet {id} not found"));
        let subnet = found.map_err(|error| if error.is_not_found() { unknown() } else { error })?;
        if subnet.network_id != network {
            return Err(fault::invalid("All VIP subnets must belong to the same network."));
        }
        all.push((id.to_owned(), one.text("ip_address").parse().ok()));
    }
    Ok(all)
}

/// `address`: which of the port's, where the subnet does not tell.
fn write(node: &mut Node, port: &PortView, subnet: &str, address: Option<IpAddr>, own: bool) -> Result<()> {
    let on = |subnet: &str| port.fixed_ips.iter().find(|ip| ip.subnet_id == subnet).map(|ip| ip.address);
    let text = |address: Option<IpAddr>| address.map_or(Value::Null, |address| address.to_string().into());
    let mut others = Vec::new();
    for one in node.fields.list("additional_vips").iter().filter_map(Value::as_object) {
        let subnet = one.text("subnet_id");
        let address = on(subnet).ok_or_else(|| {
            fault::invalid("No VIP address found on the specified VIP port within the specified subnet.")
        })?;
        others.push(json!({"subnet_id": subnet, "ip_address": address.to_string(), "port_id": port.id}));
    }
    node.set("additional_vips", others);
    node.set("vip_port_id", port.id.clone());
    node.set("vip_network_id", port.network_id.clone());
    node.set("vip_subnet_id", subnet);
    node.set("vip_address", text(address.or_else(|| on(subnet))));
    node.set(OWN_PORT, own);
    Ok(())
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
    let (subnet, address) = (chosen.subnet_id.clone(), chosen.address);
    more(app, tx, ctx, node, &view.network_id, &subnet).await?;
    write(node, &view, &subnet, Some(address), false)?;
    let policy = node.text("vip_qos_policy_id").to_owned();
    let (_, wakes) = app.neutron.bind_vip(tx, ctx, port, &node.id, &policy).await?;
    Ok(wakes)
}
