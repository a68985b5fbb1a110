//! Which addresses a port gets. Rows say what is taken; `ipam` says what could be.

use std::collections::HashSet;
use std::net::IpAddr;

use base::Result;
use db::{AnyConnection, Tx, sql};
use serde::Deserialize;

use super::{DHCP, FixedIp, Port};
use crate::rows::{Bind, Where, texts};
use crate::subnets::Subnet;
use crate::{fault, ipam};

/// One entry of a request's `fixed_ips`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    pub subnet_id: Option<String>,
    #[serde(default)]
    pub ip_address: Option<IpAddr>,
}

impl Wanted {
    pub fn on(subnet_id: &str) -> Self {
        Wanted { subnet_id: Some(subnet_id.into()), ip_address: None }
    }
}

const MAX_FIXED_IPS: usize = 5;

/// How many candidates are looked up at once.
const BATCH: usize = 16;

/// Finds the addresses for `wanted` (None: the default ones). `kept` are addresses that the port has already.
pub async fn allocate(
    tx: &mut Tx,
    port: &Port,
    wanted: Option<&[Wanted]>,
    kept: &[FixedIp],
) -> Result<Vec<FixedIp>> {
    let mut subnets: Vec<Subnet> =
        Where::of("network_id", &port.network_id).rows(tx, crate::subnets::SPEC.table).await?;
    match wanted {
        // Nobody asked: only subnets that are for such devices.
        None if subnets.iter().any(|s| !s.service_types.is_empty()) => {
            let all = subnets.len();
            let typed = |s: &Subnet| {
                s.service_types
                    .iter()
                    .any(|t| !port.device_owner.is_empty() && port.device_owner.starts_with(t))
            };
            let has_typed = subnets.iter().any(typed);
            subnets.retain(|s| if has_typed { typed(s) } else { s.service_types.is_empty() });
            if subnets.is_empty() && all > 0 {
                return Err(fault::no_more_addresses(&port.network_id));
            }
            default_addresses(tx, port, &mut subnets).await
        }
        None => default_addresses(tx, port, &mut subnets).await,
        Some(wanted) => {
            if wanted.len() > MAX_FIXED_IPS && !port.is_trusted() {
                return Err(fault::invalid_input("Exceeded maximum amount of fixed ips per port"));
            }
            let mut found = Vec::new();
            for one in wanted {
                let at = subnet_of(port, &subnets, one)?;
                found.push(one_address(tx, port, &mut subnets[at], one.ip_address, kept, &found).await?);
            }
            // A subnet whose hosts make their addresses themselves gives one to every port, asked or not.
            if !port.is_trusted() {
                for subnet in subnets.iter().filter(|s| s.is_auto_address()) {
                    if !wanted.is_empty() && !found.iter().any(|f| f.subnet_id == subnet.standard.id) {
                        found.extend(auto_address(tx, port, subnet, kept).await?);
                    }
                }
            }
            Ok(found)
        }
    }
}

/// One IPv4 address, one IPv6 address of a stateful subnet, and those that the host makes for itself.
async fn default_addresses(tx: &mut Tx, port: &Port, subnets: &mut [Subnet]) -> Result<Vec<FixedIp>> {
    let mut found = Vec::new();
    for version in [4, 6] {
        let mut full = false;
        let mut has = false;
        for subnet in subnets.iter_mut().filter(|s| s.ip_version() == version && !s.is_auto_address()) {
            if let Some(address) = next_free(tx, subnet).await? {
                found.push(FixedIp { subnet_id: subnet.standard.id.clone(), address });
                has = true;
                break;
            }
            full = true;
        }
        if full && !has {
            return Err(fault::no_more_addresses(&port.network_id));
        }
    }
    for subnet in subnets.iter().filter(|s| s.is_auto_address()) {
        found.extend(auto_address(tx, port, subnet, &[]).await?);
    }
    Ok(found)
}

async fn auto_address(
    tx: &mut Tx,
    port: &Port,
    subnet: &Subnet,
    kept: &[FixedIp],
) -> Result<Option<FixedIp>> {
    let Some(address) = ipam::eui64(&subnet.cidr, &port.mac) else { return Ok(None) };
    if !kept.iter().any(|k| k.address == address) && is_taken(tx, &port.network_id, address).await? {
        return Err(fault::ip_in_use(&port.network_id, address));
    }
    Ok(Some(FixedIp { subnet_id: subnet.standard.id.clone(), address }))
}

fn subnet_of(port: &Port, subnets: &[Subnet], wanted: &Wanted) -> Result<usize> {
    if subnets.is_empty() {
        return Err(fault::invalid_input("IP allocation requires subnets for network"));
    }
    if let Some(id) = &wanted.subnet_id {
        let at = subnets.iter().position(|s| s.standard.id == *id).ok_or_else(|| {
            fault::invalid_input(format!(
                "Failed to create port on network {}, because fixed_ips included invalid subnet {id}",
                port.network_id
            ))
        })?;
        return match wanted.ip_address {
            Some(address) if !ipam::valid_on(&subnets[at].cidr, address) => Err(fault::invalid(
                "InvalidIpForSubnet",
                format!("IP address {address} is not a valid IP for the specified subnet."),
            )),
            _ => Ok(at),
        };
    }
    let address = wanted
        .ip_address
        .ok_or_else(|| fault::invalid_input("IP allocation requires subnet_id or ip_address"))?;
    subnets.iter().position(|s| ipam::valid_on(&s.cidr, address)).ok_or_else(|| {
        fault::invalid(
            "InvalidIpForNetwork",
            format!(
                "IP address {address} is not a valid IP for any of the subnets on the specified network."
            ),
        )
    })
}

async fn one_address(
    tx: &mut Tx,
    port: &Port,
    subnet: &mut Subnet,
    asked: Option<IpAddr>,
    kept: &[FixedIp],
    found: &[FixedIp],
) -> Result<FixedIp> {
    let subnet_id = subnet.standard.id.clone();
    let address = match asked {
        Some(address) => {
            if subnet.is_auto_address()
                && !port.is_trusted()
                && ipam::eui64(&subnet.cidr, &port.mac) != Some(address)
            {
                return Err(fault::invalid_input(format!(
                    "IPv6 address {address} can not be directly assigned to a port on subnet {subnet_id} since \
                     the subnet is configured for automatic addresses"
                )));
            }
            let mine = kept.iter().any(|k| k.address == address);
            if found.iter().any(|f| f.address == address)
                || (!mine && is_taken(tx, &port.network_id, address).await?)
            {
                return Err(fault::ip_in_use(&port.network_id, address));
            }
            address
        }
        None if subnet.is_auto_address() && !port.is_trusted() => {
            return auto_address(tx, port, subnet, kept)
                .await?
                .ok_or_else(|| fault::no_more_addresses(&port.network_id));
        }
        None => {
            // An update that names only the subnet keeps the address that the port has there.
            let reusable = kept
                .iter()
                .find(|k| k.subnet_id == subnet_id && !found.iter().any(|f| f.address == k.address));
            match reusable {
                Some(ip) => ip.address,
                None => {
                    next_free(tx, subnet).await?.ok_or_else(|| fault::no_more_addresses(&port.network_id))?
                }
            }
        }
    };
    Ok(FixedIp { subnet_id, address })
}

async fn is_taken(conn: &mut AnyConnection, network_id: &str, address: IpAddr) -> db::Result<bool> {
    sql("SELECT port_id FROM ip_allocation WHERE network_id = $1 AND address = $2")
        .bind(network_id)
        .bind(address.to_string())
        .exists(conn)
        .await
}

/// The next free address of the subnet's pools, going round, so that a freed address is not given out at once again.
async fn next_free(tx: &mut Tx, subnet: &mut Subnet) -> Result<Option<IpAddr>> {
    let network_id = subnet.network_id.clone();
    let batch: Vec<IpAddr> = ipam::candidates(&subnet.pools, subnet.next_address).take(BATCH).collect();
    let mut conditions = Where::of("network_id", network_id);
    conditions.among("address", texts(batch.iter().map(ToString::to_string)));
    let taken = addresses(tx, conditions).await?;
    let mut free = batch.into_iter().find(|a| !taken.contains(a));
    if free.is_none() {
        let taken = addresses(tx, Where::of("subnet_id", &subnet.standard.id)).await?;
        // Every candidate is in the set or free, so this looks at one more than the set holds at most.
        free = ipam::candidates(&subnet.pools, subnet.next_address).find(|a| !taken.contains(a));
    }
    if let Some(address) = free {
        subnet.next_address = free;
        sql("UPDATE subnet SET next_address = $1 WHERE id = $2")
            .bind(address.to_string())
            .bind(&subnet.standard.id)
            .run(tx)
            .await?;
    }
    Ok(free)
}

async fn addresses(conn: &mut AnyConnection, conditions: Where) -> Result<HashSet<IpAddr>> {
    let texts: Vec<String> = conditions.statement("SELECT address FROM ip_allocation", "").rows(conn).await?;
    Ok(texts.iter().filter_map(|t| t.parse().ok()).collect())
}

/// Makes `fixed_ips` the port's addresses.
pub async fn write(tx: &mut Tx, port: &Port, fixed_ips: &[FixedIp]) -> Result<()> {
    sql("DELETE FROM ip_allocation WHERE port_id = $1").bind(&port.standard.id).run(tx).await?;
    for (position, ip) in fixed_ips.iter().enumerate() {
        sql("INSERT INTO ip_allocation (network_id, address, subnet_id, port_id, position) \
             VALUES ($1, $2, $3, $4, $5)")
        .bind(&port.network_id)
        .bind(ip.address.to_string())
        .bind(&ip.subnet_id)
        .bind(&port.standard.id)
        .bind(position as i64)
        .run(tx)
        .await
        .map_err(|e| match db::is_unique(&e) {
            true => fault::ip_in_use(&port.network_id, ip.address),
            false => e.into(),
        })?;
    }
    Ok(())
}

/// The DHCP port wants an address on each of these subnets; one that is full goes without.
pub async fn for_dhcp(tx: &mut Tx, subnets: &mut [Subnet], kept: &[FixedIp]) -> Result<Vec<FixedIp>> {
    let mut found = Vec::new();
    for subnet in subnets {
        if let Some(ip) = kept.iter().find(|k| k.subnet_id == subnet.standard.id) {
            found.push(ip.clone());
        } else if let Some(address) = next_free(tx, subnet).await? {
            found.push(FixedIp { subnet_id: subnet.standard.id.clone(), address });
        } else {
            tracing::warn!(
                subnet = subnet.standard.id,
                owner = DHCP,
                "no address left for DHCP on this subnet"
            );
        }
    }
    Ok(found)
}

/// A condition on ports by their addresses.
pub fn having(column: &str, values: Vec<Bind>) -> (String, Vec<Bind>) {
    let marks = vec!["?"; values.len()].join(", ");
    (format!("id IN (SELECT port_id FROM ip_allocation WHERE {column} IN ({marks}))"), values)
}

/// The ports that are on a network already make addresses of their own on a new subnet that tells them to.
pub async fn for_new_subnet(tx: &mut Tx, subnet: &Subnet) -> Result<()> {
    if !subnet.is_auto_address() {
        return Ok(());
    }
    let mut conditions = Where::of("network_id", &subnet.network_id);
    conditions.and("device_owner NOT LIKE ?", ["network:%".into()]);
    for full in super::store::load_where(tx, conditions).await? {
        if full.fixed_ips.is_empty() {
            continue;
        }
        let mut fixed_ips = full.fixed_ips.clone();
        fixed_ips.extend(auto_address(tx, &full.port, subnet, &[]).await?);
        write(tx, &full.port, &fixed_ips).await?;
    }
    Ok(())
}

/// The addresses of a port whose MAC address changed: those that it makes from it are made again.
pub async fn remade(tx: &mut Tx, port: &Port, kept: &[FixedIp]) -> Result<Vec<FixedIp>> {
    let subnets: Vec<Subnet> =
        Where::of("network_id", &port.network_id).rows(tx, crate::subnets::SPEC.table).await?;
    let mut fixed_ips = Vec::new();
    for ip in kept {
        match subnets.iter().find(|s| s.standard.id == ip.subnet_id && s.is_auto_address()) {
            Some(subnet) if !port.is_trusted() => {
                fixed_ips.extend(auto_address(tx, port, subnet, kept).await?);
            }
            _ => fixed_ips.push(ip.clone()),
        }
    }
    Ok(fixed_ips)
}
