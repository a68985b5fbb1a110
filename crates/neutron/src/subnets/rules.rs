//! What a subnet may be.

use std::net::IpAddr;

use base::{Ctx, Result};
use ipnet::IpNet;

use super::Subnet;
use crate::fault;
use crate::ipam::{self, Pool, Route};
use crate::request::Input;
use crate::standard::Standard;

const MAX_NAMESERVERS: usize = 5;
const MAX_HOST_ROUTES: usize = 20;

/// `pooled`: the pool that it comes from, and what it has of it.
pub fn create(ctx: &Ctx, input: &Input, pooled: Option<(String, IpNet)>) -> Result<Subnet> {
    let (subnetpool_id, cidr) = match pooled {
        Some((pool, cidr)) => (pool, cidr),
        None => {
            let cidr = input.text("cidr").and_then(|c| c.parse().ok());
            let missing = || fault::bad("subnets", "a subnetpool must be specified in the absence of a cidr");
            (String::new(), cidr.ok_or_else(missing)?)
        }
    };
    let gateway =
        if input.has("gateway_ip") { input.address("gateway_ip") } else { ipam::default_gateway(&cidr) };
    let given: Option<Vec<Pool>> = input.parsed("allocation_pools")?;
    let subnet = Subnet {
        standard: Standard::of(&input.owner(ctx)?, input),
        network_id: input.text("network_id").unwrap_or_default().into(),
        cidr,
        gateway,
        enable_dhcp: input.flag("enable_dhcp").unwrap_or(true),
        pools: given.unwrap_or_else(|| ipam::default_pools(&cidr, gateway)),
        nameservers: input.parsed("dns_nameservers")?.unwrap_or_default(),
        host_routes: input.parsed("host_routes")?.unwrap_or_default(),
        ra_mode: input.text("ipv6_ra_mode").unwrap_or("").into(),
        address_mode: input.text("ipv6_address_mode").unwrap_or("").into(),
        next_address: None,
        subnetpool_id,
        service_types: service_types(input)?,
        dns_publish_fixed_ip: input.flag("dns_publish_fixed_ip").unwrap_or(false),
    };
    if let Some(version) = input.int("ip_version") {
        check_version(&subnet, version)?;
    }
    check(&subnet)?;
    Ok(subnet)
}

/// Beginnings of device owners: `compute:nova`, `network:`.
fn service_types(input: &Input) -> Result<Vec<String>> {
    let types: Vec<String> = input.parsed("service_types")?.unwrap_or_default();
    // Neutron's own list ends with the letters of `compute:` one by one, and clients have come to rely on what that lets
    // through.
    let known = |owner: &String| {
        ["network:", "neutron:", "baremetal:"].iter().any(|prefix| owner.starts_with(prefix))
            || owner.starts_with(['c', 'o', 'm', 'p', 'u', 't', 'e', ':'])
    };
    match types.iter().find(|owner| !known(owner)) {
        None => Ok(types),
        Some(other) => Err(fault::invalid(
            "InvalidSubnetServiceType",
            format!("Subnet service type {other} does not correspond to a valid device owner."),
        )),
    }
}

fn check_version(subnet: &Subnet, version: i64) -> Result<()> {
    if !matches!(version, 4 | 6) {
        return Err(fault::http_bad_request(format!(
            "Invalid input for ip_version. Reason: '{version}' is not in [4, 6]."
        )));
    }
    let mismatch = |name: &str, value: &dyn std::fmt::Display| {
        Err(fault::invalid_input(format!("{name} '{value}' does not match the ip_version '{version}'")))
    };
    if subnet.ip_version() != version {
        return mismatch("cidr", &subnet.cidr);
    }
    Ok(())
}

pub fn check(subnet: &Subnet) -> Result<()> {
    let (cidr, version) = (&subnet.cidr, subnet.ip_version());
    let family = |address: IpAddr| ipam::same_family(address, cidr.network());
    if cidr.prefix_len() == 0 {
        return Err(fault::invalid_input("0 is not allowed as CIDR prefix length"));
    }
    check_dhcp(subnet)?;
    if let Some(gateway) = subnet.gateway {
        if !family(gateway) {
            return Err(fault::invalid_input(format!(
                "gateway_ip '{gateway}' does not match the ip_version '{version}'"
            )));
        }
        if !ipam::valid_gateway(cidr, gateway) {
            return Err(fault::invalid_input("Gateway is not valid on subnet"));
        }
    }
    if subnet.nameservers.len() > MAX_NAMESERVERS {
        return Err(fault::invalid(
            "DNSNameServersExhausted",
            format!(
                "Unable to complete operation for {}. \
                 The number of DNS nameservers exceeds the limit {MAX_NAMESERVERS}.",
                subnet.standard.id
            ),
        ));
    }
    for server in &subnet.nameservers {
        if !family(*server) {
            return Err(fault::invalid_input(format!(
                "dns_nameserver '{server}' does not match the ip_version '{version}'"
            )));
        }
    }
    check_routes(subnet)?;
    ipam::check_pools(cidr, subnet.gateway, &subnet.pools)?;
    check_ipv6(subnet)
}

fn check_dhcp(subnet: &Subnet) -> Result<()> {
    if !subnet.enable_dhcp {
        return Ok(());
    }
    let IpNet::V4(net) = &subnet.cidr else {
        return if subnet.cidr.prefix_len() > 126 && !subnet.is_auto_address() {
            Err(fault::invalid_input(
                "Subnet has a prefix length that is incompatible with DHCP service enabled",
            ))
        } else {
            Ok(())
        };
    };
    let refusal = if net.prefix_len() > 30 {
        "Subnet has a prefix length that is incompatible with DHCP service enabled"
    } else if net.network().is_multicast() {
        "Multicast IP subnet is not supported if enable_dhcp is True"
    } else if net.network().is_loopback() {
        "Loopback IP subnet is not supported if enable_dhcp is True"
    } else if net.network().is_unspecified() {
        "First IP '0.0.0.0' of network is not supported if enable_dhcp is True."
    } else {
        return Ok(());
    };
    Err(fault::invalid_input(refusal))
}

fn check_routes(subnet: &Subnet) -> Result<()> {
    if subnet.host_routes.len() > MAX_HOST_ROUTES {
        return Err(fault::invalid(
            "HostRoutesExhausted",
            format!(
                "Unable to complete operation for {}. \
                 The number of host routes exceeds the limit {MAX_HOST_ROUTES}.",
                subnet.standard.id
            ),
        ));
    }
    for Route { destination, nexthop } in &subnet.host_routes {
        let network = subnet.cidr.network();
        if !ipam::same_family(destination.network(), network) || !ipam::same_family(*nexthop, network) {
            return Err(fault::invalid_input(format!(
                "Invalid route: {{'destination': '{destination}', 'nexthop': '{nexthop}'}}"
            )));
        }
    }
    Ok(())
}

fn check_ipv6(subnet: &Subnet) -> Result<()> {
    let (ra, address) = (subnet.ra_mode.as_str(), subnet.address_mode.as_str());
    if subnet.ip_version() == 4 {
        return match (ra, address) {
            ("", "") => Ok(()),
            ("", _) => Err(fault::invalid_input("ipv6_address_mode is not valid when ip_version is 4")),
            _ => Err(fault::invalid_input("ipv6_ra_mode is not valid when ip_version is 4")),
        };
    }
    if ra.is_empty() && address.is_empty() {
        return Ok(());
    }
    if !subnet.enable_dhcp {
        return Err(fault::invalid_input(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
        ));
    }
    if !ra.is_empty() && !address.is_empty() && ra != address {
        return Err(fault::invalid_input(format!(
            "ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. If both \
             attributes are set, they must be the same value"
        )));
    }
    if subnet.is_auto_address() && subnet.cidr.prefix_len() != 64 {
        return Err(fault::invalid_input(format!(
            "Invalid CIDR {} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires \
             the prefix to be /64",
            subnet.cidr
        )));
    }
    Ok(())
}

pub fn apply(subnet: &mut Subnet, input: &Input) -> Result<()> {
    if input.has("gateway_ip") {
        subnet.gateway = input.address("gateway_ip");
    }
    if let Some(flag) = input.flag("enable_dhcp") {
        let has_modes = !subnet.ra_mode.is_empty() || !subnet.address_mode.is_empty();
        if !flag && has_modes {
            return Err(fault::invalid_input("Cannot disable enable_dhcp with ipv6 attributes set"));
        }
        subnet.enable_dhcp = flag;
    }
    if let Some(pools) = input.parsed("allocation_pools")? {
        subnet.pools = pools;
    }
    if input.has("dns_nameservers") {
        subnet.nameservers = input.parsed("dns_nameservers")?.unwrap_or_default();
    }
    if input.has("host_routes") {
        subnet.host_routes = input.parsed("host_routes")?.unwrap_or_default();
    }
    if input.has("service_types") {
        subnet.service_types = service_types(input)?;
    }
    if let Some(flag) = input.flag("dns_publish_fixed_ip") {
        subnet.dns_publish_fixed_ip = flag;
    }
    subnet.standard.apply(input);
    check(subnet)
}

/// Two subnets of one network share no address.
pub fn check_overlap<'a>(subnet: &Subnet, others: impl IntoIterator<Item = &'a Subnet>) -> Result<()> {
    if others.into_iter().any(|o| ipam::overlap(&o.cidr, &subnet.cidr)) {
        return Err(fault::invalid_input(format!(
            "Requested subnet with cidr: {} for network: {} overlaps with another subnet",
            subnet.cidr, subnet.network_id
        )));
    }
    Ok(())
}

/// The subnets of one IP version on a network come from one pool, or all from none.
pub fn check_pool(subnet: &Subnet, others: &[Subnet]) -> Result<()> {
    let same = |o: &&Subnet| o.ip_version() == subnet.ip_version();
    if others.iter().filter(same).any(|o| o.subnetpool_id != subnet.subnetpool_id) {
        return Err(fault::invalid(
            "NetworkSubnetPoolAffinityError",
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
        ));
    }
    Ok(())
}
