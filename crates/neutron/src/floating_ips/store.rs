use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use base::{Ctx, Error, Result};
use db::{AnyConnection, Event, Tx, sql};

use super::{FloatingIp, SPEC, Target, rules, v4};
use crate::fault::{self, bad, conflict};
use crate::plane::Wakes;
use crate::ports::addresses::{self, Wanted};
use crate::ports::{self, FLOATING_IP, FullPort, Port};
use crate::request::Input;
use crate::rows::{self, Where, texts};
use crate::standard::Standard;
use crate::subnets::Subnet;
use crate::{networks, port_forwardings, qos, quotas, request};

/// 404 for another project's.
pub async fn visible(conn: &mut AnyConnection, ctx: &Ctx, id: &str) -> Result<FloatingIp> {
    request::visible(conn, ctx, id).await
}

/// Id of an external network -> its QoS policy.
pub async fn network_policies(
    conn: &mut AnyConnection,
    ips: &[FloatingIp],
) -> Result<HashMap<String, String>> {
    let ids: BTreeSet<&String> = ips.iter().map(|f| &f.floating_network_id).collect();
    let mut conditions = Where::default();
    conditions.among("id", texts(ids)).and("qos_policy_id <> ''", []);
    let pairs: Vec<(String, String)> =
        conditions.statement("SELECT id, qos_policy_id FROM network", "").rows(conn).await?;
    Ok(pairs.into_iter().collect())
}

/// Port id -> port, of those that the floating IPs lead to.
pub async fn targets(conn: &mut AnyConnection, ips: &[FloatingIp]) -> Result<HashMap<String, Port>> {
    let ids: Vec<&String> = ips.iter().filter_map(|f| f.target.as_ref()).map(|t| &t.port_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut conditions = Where::default();
    conditions.among("id", texts(ids));
    let ports: Vec<Port> = conditions.rows(conn, ports::SPEC.table).await?;
    Ok(ports.into_iter().map(|p| (p.standard.id.clone(), p)).collect())
}

pub async fn create(tx: &mut Tx, ctx: &Ctx, input: &Input) -> Result<(FloatingIp, Wakes)> {
    let owner = input.owner(ctx)?;
    quotas::store::check(tx, &owner, "floatingip", 1).await?;
    let standard = Standard::of(&owner, input);
    let network_id = input.text("floating_network_id").unwrap_or_default();
    let network = networks::store::visible(tx, ctx, network_id).await?;
    if !network.external {
        return Err(bad("floatingip", format!("Network {network_id} is not a valid external network")));
    }
    let (port_id, floating_address) = reserve(tx, input, network_id, &standard.id).await?;
    let mut ip = FloatingIp {
        standard,
        floating_network_id: network_id.into(),
        floating_port_id: port_id,
        floating_address,
        target: None,
        status: "DOWN".into(),
        carried_by: String::new(),
        forwarded_by: String::new(),
        qos_policy_id: input.text("qos_policy_id").unwrap_or("").into(),
        dns_name: input.text("dns_name").unwrap_or("").into(),
        dns_domain: input.text("dns_domain").unwrap_or("").into(),
    };
    if ip.dns_name.is_empty() != ip.dns_domain.is_empty() {
        return Err(bad("floatingip", "dns_domain and dns_name must be specified together"));
    }
    qos::store::usable(tx, ctx, &ip.qos_policy_id).await?;
    ip.target = target(tx, ctx, &ip, input).await?;
    if let Some(target) = &ip.target {
        ip.carried_by.clone_from(&target.router_id);
    }
    let s = &ip.standard;
    rows::insert(tx, SPEC.table, &s.id, ip.columns()).await?;
    tx.event(Event::new("network", "floatingip.create", &s.id, &s.project_id, ctx)).await?;
    let wakes = Wakes::routers(ip.target.iter().map(|t| t.router_id.clone()));
    Ok((ip, wakes))
}

/// Takes an address of the external network, held by a port that belongs to nobody.
async fn reserve(tx: &mut Tx, input: &Input, network_id: &str, id: &str) -> Result<(String, Ipv4Addr)> {
    let subnets = crate::subnets::store::of_network(tx, network_id).await?;
    let v4_subnets: Vec<&Subnet> = subnets.iter().filter(|s| s.ip_version() == 4).collect();
    if v4_subnets.is_empty() {
        return Err(bad("floatingip", format!("Network {network_id} does not contain any IPv4 subnet")));
    }
    let mac = ports::macs::free(tx, network_id).await?;
    let mut port = Port::internal("", network_id, FLOATING_IP, id, mac);
    port.status = "N/A".into();
    let asked = Wanted {
        subnet_id: input.text("subnet_id").map(Into::into),
        ip_address: input.address("floating_ip_address"),
    };
    let fixed_ips = if asked == Wanted::default() {
        let mut found = Err(fault::no_more_addresses(network_id));
        for subnet in v4_subnets {
            found = addresses::allocate(tx, &port, Some(&[Wanted::on(&subnet.standard.id)]), &[]).await;
            if found.is_ok() {
                break;
            }
        }
        found
    } else {
        addresses::allocate(tx, &port, Some(&[asked]), &[]).await
    };
    let fixed_ips = fixed_ips.map_err(|e| match e.code {
        "IpAddressGenerationFailure" => fault::invalid(
            "ExternalIpAddressExhausted",
            format!("Unable to find any IP address on external network {network_id}."),
        ),
        _ => e,
    })?;
    let address = fixed_ips
        .iter()
        .find_map(|ip| v4(ip.address))
        .ok_or_else(|| bad("floatingip", format!("Network {network_id} does not contain any IPv4 subnet")))?;
    let full = FullPort { port, fixed_ips, groups: Vec::new() };
    ports::store::insert(tx, &full).await?;
    Ok((full.port.standard.id, address))
}

/// Where the body wants it to lead.
async fn target(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp, input: &Input) -> Result<Option<Target>> {
    let Some(port_id) = input.text("port_id") else {
        return if input.address("fixed_ip_address").is_some() {
            Err(bad("floatingip", "fixed_ip_address cannot be specified without a port_id"))
        } else {
            Ok(None)
        };
    };
    let (full, _) = ports::store::visible(tx, ctx, port_id).await?;
    rules::check_port(ctx, &ip.standard.project_id, &full)?;
    let fixed = rules::fixed_address(&full, input.address("fixed_ip_address"))?;
    let taken = sql("SELECT id FROM floating_ip WHERE port_id = $1 AND fixed_ip_address = $2 AND id <> $3 \
         AND floating_network_id = $4")
    .bind(port_id)
    .bind(fixed.to_string())
    .bind(&ip.standard.id)
    .bind(&ip.floating_network_id)
    .exists(tx)
    .await?;
    if taken {
        return Err(conflict(
            "FloatingIPPortAlreadyAssociated",
            format!(
                "Cannot associate floating IP {} ({}) with port {port_id} using fixed IP {fixed}, as that fixed IP \
                 already has a floating IP on external network {}.",
                ip.floating_address, ip.standard.id, ip.floating_network_id
            ),
        ));
    }
    let router_id = router_for(tx, ip, &full, fixed).await?;
    Ok(Some(Target { port_id: port_id.into(), fixed, router_id }))
}

/// The router that has an interface on the address's subnet and its gateway on the external network. The one that
/// is the subnet's gateway comes first: the guest's answers go through it.
pub async fn router_for(tx: &mut Tx, ip: &FloatingIp, full: &FullPort, fixed: Ipv4Addr) -> Result<String> {
    let subnet_id = full
        .fixed_ips
        .iter()
        .find(|i| i.address == IpAddr::V4(fixed))
        .map(|i| i.subnet_id.clone())
        .unwrap_or_default();
    let router: Option<String> = sql("SELECT p.device_id FROM port p \
         JOIN ip_allocation a ON a.port_id = p.id \
         JOIN subnet s ON s.id = a.subnet_id \
         JOIN port g ON g.device_id = p.device_id AND g.device_owner = $1 AND g.network_id = $2 \
         WHERE p.device_owner = $3 AND a.subnet_id = $4 \
         ORDER BY CASE WHEN a.address = s.gateway_ip THEN 0 ELSE 1 END, p.created_at LIMIT 1")
    .bind(ports::ROUTER_GATEWAY)
    .bind(&ip.floating_network_id)
    .bind(ports::ROUTER_INTERFACE)
    .bind(&subnet_id)
    .optional(tx)
    .await?;
    router.ok_or_else(|| {
        Error::not_found(format!(
            "External network {} is not reachable from subnet {subnet_id}.  Therefore, cannot associate Port {} \
             with a Floating IP.",
            ip.floating_network_id, full.port.standard.id
        ))
        .code("ExternalGatewayForFloatingIPNotFound")
    })
}

pub async fn update(
    tx: &mut Tx,
    ctx: &Ctx,
    mut ip: FloatingIp,
    input: &Input,
) -> Result<(FloatingIp, Wakes)> {
    let seen = ip.standard.revision;
    let mut wakes = Wakes::default();
    if input.has("qos_policy_id") {
        let policy = input.text("qos_policy_id").unwrap_or("");
        qos::store::usable(tx, ctx, policy).await?;
        if policy != ip.qos_policy_id {
            let forwarder = Some(ip.forwarded_by.clone()).filter(|r| !r.is_empty());
            wakes = Wakes::routers(ip.target.iter().map(|t| t.router_id.clone()).chain(forwarder));
        }
        ip.qos_policy_id = policy.into();
    }
    // An update that says nothing at all takes the address away from its port, as it did before there was anything else
    // to say.
    let to_another = input.has("port_id") || input.is_empty();
    if to_another || input.has("fixed_ip_address") {
        if input.text("port_id").is_some() {
            port_forwardings::store::check_free(tx, &ip).await?;
        }
        let next = if to_another {
            target(tx, ctx, &ip, input).await?
        } else {
            // Another address of the same port.
            retarget(tx, ctx, &ip, input).await?
        };
        // On one router they are swapped in one step; on two, the old one must let go first.
        wakes.extend(Wakes::routers(ip.target.iter().chain(&next).map(|t| t.router_id.clone())));
        if let Some(next) = &next {
            if ip.target.as_ref() != Some(next) {
                ip.status = "DOWN".into();
            }
            ip.carried_by.clone_from(&next.router_id);
        }
        ip.target = next;
    }
    ip.standard.apply(input);
    let s = &ip.standard;
    rows::update(tx, SPEC.table, &s.id, seen, ip.columns()).await?;
    tx.event(Event::new("network", "floatingip.update", &s.id, &s.project_id, ctx)).await?;
    Ok((ip, wakes))
}

async fn retarget(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp, input: &Input) -> Result<Option<Target>> {
    match (&ip.target, input.address("fixed_ip_address")) {
        (Some(old), Some(fixed)) => {
            let (full, _) = ports::store::visible(tx, ctx, &old.port_id).await?;
            let fixed = rules::fixed_address(&full, Some(fixed))?;
            let router_id = router_for(tx, ip, &full, fixed).await?;
            Ok(Some(Target { port_id: old.port_id.clone(), fixed, router_id }))
        }
        (None, Some(_)) => Err(bad("floatingip", "fixed_ip_address cannot be specified without a port_id")),
        (old, None) => Ok(old.clone()),
    }
}

pub async fn delete(tx: &mut Tx, ctx: &Ctx, ip: &FloatingIp) -> Result<Wakes> {
    port_forwardings::store::check_free(tx, ip).await?;
    let s = &ip.standard;
    let forwarder = Some(ip.forwarded_by.clone()).filter(|r| !r.is_empty());
    rows::delete(tx, SPEC.table, &s.id).await?;
    ports::store::remove(tx, &ip.floating_port_id).await?;
    tx.event(Event::new("network", "floatingip.delete", &s.id, &s.project_id, ctx)).await?;
    let carrier = Some(ip.carried_by.clone()).filter(|c| !c.is_empty());
    Ok(Wakes::routers(ip.target.iter().map(|t| t.router_id.clone()).chain(carrier).chain(forwarder)))
}

/// Deletes those of an external network that lead nowhere.
pub async fn delete_unused(tx: &mut Tx, ctx: &Ctx, network_id: &str) -> Result<Wakes> {
    let mut conditions = Where::of("floating_network_id", network_id);
    conditions.and("port_id = '' AND router_id = ''", []);
    let mut wakes = Wakes::default();
    for ip in conditions.rows::<FloatingIp>(tx, SPEC.table).await? {
        wakes.extend(delete(tx, ctx, &ip).await?);
    }
    Ok(wakes)
}

/// Lets go of the floating IPs of a port (of one of its addresses), as it is going.
pub async fn release(tx: &mut Tx, port_id: &str, address: Option<IpAddr>) -> Result<Wakes> {
    let mut conditions = Where::of("port_id", port_id);
    if let Some(address) = address {
        conditions.and("fixed_ip_address = ?", [address.to_string().into()]);
    }
    let mut wakes = port_forwardings::store::release(tx, port_id, address).await?;
    for mut ip in conditions.rows::<FloatingIp>(tx, SPEC.table).await? {
        let seen = ip.standard.revision;
        wakes.routers.extend(ip.target.take().map(|t| t.router_id));
        ip.standard.touch();
        rows::update(tx, SPEC.table, &ip.standard.id, seen, ip.columns()).await?;
    }
    Ok(wakes)
}

/// IPv4 subnets of the external networks that the caller may see.
pub async fn pools(conn: &mut AnyConnection, ctx: &Ctx) -> Result<Vec<Subnet>> {
    let mut networks = Where::of("external", 1);
    <networks::Network as request::Resource>::scope(ctx, &mut networks);
    let mut conditions = Where::of("ip_version", 4);
    conditions.and_in("network_id", "SELECT id FROM network", networks);
    Ok(conditions.rows(conn, crate::subnets::SPEC.table).await?)
}

pub async fn any_of_router(tx: &mut Tx, router_id: &str) -> Result<bool> {
    Ok(sql("SELECT id FROM floating_ip WHERE router_id = $1 LIMIT 1").bind(router_id).exists(tx).await?)
}

/// Floating IPs that lead through the router to addresses on the subnet.
pub async fn any_through(tx: &mut Tx, router_id: &str, subnet_id: &str) -> Result<bool> {
    Ok(sql("SELECT f.id FROM floating_ip f \
         JOIN ip_allocation a ON a.port_id = f.port_id AND a.address = f.fixed_ip_address \
         WHERE f.router_id = $1 AND a.subnet_id = $2 LIMIT 1")
    .bind(router_id)
    .bind(subnet_id)
    .exists(tx)
    .await?)
}
