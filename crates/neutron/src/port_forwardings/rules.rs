//! What a forwarding may say, and which ones collide.

use std::net::{IpAddr, Ipv4Addr};

use base::{Ctx, Result};

use super::{PortForwarding, PortRange};
use crate::fault::bad;
use crate::floating_ips::{FloatingIp, v4};
use crate::ports::FullPort;
use crate::request::Input;

fn refuse<T>(message: impl std::fmt::Display) -> Result<T> {
    Err(bad("port_forwarding", message))
}

/// A `first:last` range, or one port; None: neither is in the body.
fn range(input: &Input, name: &str) -> Result<Option<PortRange>> {
    let one = input.int(name);
    let many = input.value(&format!("{name}_range")).filter(|v| !v.is_null());
    let Some(many) = many else { return Ok(one.map(|p| (p, p))) };
    let shown = many.as_str().map_or_else(|| many.to_string(), Into::into);
    let (first, last) = shown.split_once(':').unwrap_or((&shown, &shown));
    let range = first.parse::<i64>().ok().zip(last.parse::<i64>().ok());
    match range {
        Some((first, last)) if (1..=65_535).contains(&first) && (first..=65_535).contains(&last) => {
            if one.is_some_and(|p| (p, p) != (first, last)) {
                return refuse(format!("The {name} and {name}_range do not agree"));
            }
            Ok(Some((first, last)))
        }
        _ => refuse("Invalid port value, the port value must be a value between 1 and 65535."),
    }
}

pub fn create(ctx: &Ctx, ip: &FloatingIp, input: &Input) -> Result<PortForwarding> {
    let now = base::time::now();
    let owner = if ctx.is_admin() { ip.standard.project_id.clone() } else { input.owner(ctx)? };
    let (Some(internal), Some(external)) = (range(input, "internal_port")?, range(input, "external_port")?)
    else {
        return refuse(
            "Both internal_port (or internal_port_range) and external_port (or external_port_range) are needed",
        );
    };
    let forwarding = PortForwarding {
        id: base::id::uuid(),
        floating_ip_id: ip.standard.id.clone(),
        project_id: owner,
        description: input.text("description").unwrap_or("").into(),
        protocol: input.text("protocol").unwrap_or_default().into(),
        internal_port_id: input.text("internal_port_id").unwrap_or_default().into(),
        internal_address: internal_address(input)?.unwrap_or(Ipv4Addr::UNSPECIFIED),
        internal,
        external,
        created_at: now,
        updated_at: now,
        revision: 0,
    };
    check_ranges(&forwarding)?;
    Ok(forwarding)
}

fn internal_address(input: &Input) -> Result<Option<Ipv4Addr>> {
    match input.address("internal_ip_address") {
        None => Ok(None),
        Some(address) => match v4(address) {
            Some(address) => Ok(Some(address)),
            None => refuse(format!("'{address}' is not a valid IPv4 address")),
        },
    }
}

pub fn apply(forwarding: &mut PortForwarding, input: &Input) -> Result<()> {
    if let Some(range) = range(input, "internal_port")? {
        forwarding.internal = range;
    }
    if let Some(range) = range(input, "external_port")? {
        forwarding.external = range;
    }
    if let Some(address) = internal_address(input)? {
        forwarding.internal_address = address;
    }
    let set = |name: &str, slot: &mut String| {
        if let Some(text) = input.text(name) {
            *slot = text.into();
        }
    };
    set("protocol", &mut forwarding.protocol);
    set("internal_port_id", &mut forwarding.internal_port_id);
    set("description", &mut forwarding.description);
    forwarding.revision += 1;
    forwarding.updated_at = base::time::now();
    check_ranges(forwarding)
}

fn check_ranges(forwarding: &PortForwarding) -> Result<()> {
    let size = |(first, last): PortRange| last - first;
    let inner = size(forwarding.internal);
    if inner > 0 && inner != size(forwarding.external) {
        return refuse(
            "Invalid ranges of internal and/or external ports. The relation between internal and external ports must \
             be N-N or 1-N",
        );
    }
    Ok(())
}

/// The internal address is the port's.
pub fn check_port(forwarding: &PortForwarding, port: &FullPort) -> Result<()> {
    let id = &forwarding.internal_port_id;
    if !port.fixed_ips.iter().any(|ip| ip.address.is_ipv4()) {
        return refuse(format!("Requested internal port {id} must allocate an IPv4 address at least."));
    }
    let address = IpAddr::V4(forwarding.internal_address);
    if port.fixed_ips.iter().any(|ip| ip.address == address) {
        return Ok(());
    }
    let ips: Vec<String> = port.fixed_ips.iter().map(|ip| format!("'{}'", ip.address)).collect();
    refuse(format!(
        "Requested internal IP address {address} is not suitable for internal neutron port {id}, as its fixed_ips are \
         [{}]",
        ips.join(", ")
    ))
}

/// `others`: of the same floating IP, or to the same port.
pub fn check_collisions(new: &PortForwarding, others: &[PortForwarding]) -> Result<()> {
    let meets = |a: PortRange, b: PortRange| a.0.max(b.0) <= a.1.min(b.1);
    for other in others.iter().filter(|o| o.id != new.id && o.protocol == new.protocol) {
        let same_target =
            other.internal_port_id == new.internal_port_id && other.internal_address == new.internal_address;
        let pairs = [
            ("external_port_range", new.external, other.external, other.floating_ip_id == new.floating_ip_id),
            ("internal_port_range", new.internal, other.internal, same_target),
        ];
        for (key, mine, theirs, same) in pairs {
            if same && meets(mine, theirs) {
                return refuse(format!(
                    "There is a port collision with the {key}. The following ranges collide: {}:{} and {}:{}",
                    theirs.0, theirs.1, mine.0, mine.1
                ));
            }
        }
    }
    Ok(())
}
