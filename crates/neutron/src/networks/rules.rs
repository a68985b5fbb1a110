//! What a network may be, and who may see it.

use base::{Ctx, Error, Result};

use super::{Network, provider};
use crate::fault;
use crate::request::Input;
use crate::standard::Standard;

/// The physical network of external networks: this machine's link to the outside.
pub const PHYSICAL_NETWORK: &str = "public";

/// Bridges and taps carry jumbo frames.
const MAX_MTU: i64 = 9000;

/// The only availability zone.
pub const ZONE: &str = "nova";

/// The project whose things the caller sees; None for an admin, who sees all.
pub fn limited_to(ctx: &Ctx) -> Option<String> {
    // A token without a project owns nothing: no project has that id.
    (!ctx.is_admin()).then(|| ctx.project().map_or_else(|| "-".to_owned(), |p| p.id.clone()))
}

/// The same of networks, subnets and ports: other services see all of those too.
pub fn limited_to_seen(ctx: &Ctx) -> Option<String> {
    limited_to(ctx).filter(|_| !ctx.auth.has_role("service"))
}

pub fn create(ctx: &Ctx, input: &Input, default_mtu: u32) -> Result<Network> {
    let external = input.flag("router:external").unwrap_or(false);
    let mut network = Network {
        standard: Standard::of(&input.owner(ctx)?, input),
        admin_state_up: input.flag("admin_state_up").unwrap_or(true),
        shared: input.flag("shared").unwrap_or(false),
        external,
        is_default: input.flag("is_default").unwrap_or(false),
        mtu: i64::from(default_mtu),
        port_security: input.flag("port_security_enabled").unwrap_or(true),
        network_type: "local".into(),
        physical_network: String::new(),
        segmentation_id: None,
        availability_zone_hints: zones(input)?,
        dns_domain: input.text("dns_domain").unwrap_or("").into(),
        qos_policy_id: input.text("qos_policy_id").unwrap_or("").into(),
    };
    provider::read(input, &mut network)?;
    if let Some(mtu) = input.int("mtu").filter(|m| *m > 0) {
        network.mtu = mtu;
    }
    check(&network)?;
    Ok(network)
}

pub fn zones(input: &Input) -> Result<Vec<String>> {
    let hints: Vec<String> = input.parsed("availability_zone_hints")?.unwrap_or_default();
    match hints.iter().find(|h| *h != ZONE) {
        Some(other) => Err(Error::not_found(format!("AvailabilityZone {other} could not be found."))
            .code("AvailabilityZoneNotFound")),
        None => Ok(hints),
    }
}

fn check(network: &Network) -> Result<()> {
    if network.mtu > MAX_MTU {
        return Err(fault::invalid_input(format!("Requested MTU is too big, maximum is {MAX_MTU}")));
    }
    if network.is_default && !network.external {
        return Err(fault::invalid_input("Only an external network can be the default one (is_default)"));
    }
    Ok(())
}

pub fn apply(network: &mut Network, input: &Input) -> Result<()> {
    let provider = ["provider:network_type", "provider:physical_network", "provider:segmentation_id"];
    if provider.iter().any(|p| input.has(p)) {
        return Err(fault::invalid_input("Plugin does not support updating provider attributes"));
    }
    let set = |name: &str, slot: &mut bool| {
        if let Some(flag) = input.flag(name) {
            *slot = flag;
        }
    };
    set("admin_state_up", &mut network.admin_state_up);
    set("shared", &mut network.shared);
    set("router:external", &mut network.external);
    set("is_default", &mut network.is_default);
    set("port_security_enabled", &mut network.port_security);
    if let Some(mtu) = input.int("mtu").filter(|m| *m > 0) {
        network.mtu = mtu;
    }
    if let Some(domain) = input.text("dns_domain") {
        network.dns_domain = domain.into();
    }
    if input.has("qos_policy_id") {
        network.qos_policy_id = input.text("qos_policy_id").unwrap_or("").into();
    }
    network.standard.apply(input);
    check(network)
}

/// RFC 791 and RFC 8200: what a subnet of that version needs of its link.
pub fn check_mtu(network_id: &str, mtu: i64, ip_versions: impl IntoIterator<Item = i64>) -> Result<()> {
    for version in ip_versions {
        let least = if version == 6 { 1280 } else { 68 };
        if mtu < least {
            return Err(fault::conflict(
                "NetworkMTUSubnetConflict",
                format!("MTU of {network_id} is not valid, subnet requires a minimum of {least}"),
            ));
        }
    }
    Ok(())
}
