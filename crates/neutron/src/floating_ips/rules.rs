//! Where a floating IP may lead.

use std::net::{IpAddr, Ipv4Addr};

use base::{Ctx, Result};

use super::v4;
use crate::fault::bad;
use crate::ports::FullPort;

/// The port's address that the floating IP shall lead to: the one asked for, or the only IPv4 one.
pub fn fixed_address(full: &FullPort, asked: Option<IpAddr>) -> Result<Ipv4Addr> {
    let id = &full.port.standard.id;
    let addresses: Vec<Ipv4Addr> = full.fixed_ips.iter().filter_map(|ip| v4(ip.address)).collect();
    if let Some(asked) = asked {
        let Some(asked) = v4(asked) else {
            return Err(bad(
                "floatingip",
                format!(
                    "Cannot process floating IP association with {asked}, since that is not an IPv4 address"
                ),
            ));
        };
        return if addresses.contains(&asked) {
            Ok(asked)
        } else {
            Err(bad("floatingip", format!("Port {id} does not have fixed ip {asked}")))
        };
    }
    match addresses.as_slice() {
        [only] => Ok(*only),
        [] => Err(bad(
            "floatingip",
            format!("Cannot add floating IP to port {id} that has no fixed IPv4 addresses"),
        )),
        _ => Err(bad(
            "floatingip",
            format!(
                "Port {id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when \
                 assigning a floating IP"
            ),
        )),
    }
}

/// An own floating IP to an own port.
pub fn check_port(ctx: &Ctx, owner: &str, full: &FullPort) -> Result<()> {
    let port = &full.port;
    if port.standard.project_id != owner && !ctx.is_admin() {
        return Err(bad(
            "floatingip",
            format!(
                "Cannot process floating IP association with Port {}, since that port is owned by a different \
                 project",
                port.standard.id
            ),
        ));
    }
    Ok(())
}
