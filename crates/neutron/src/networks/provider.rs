//! `provider:*`: which kind of segment an admin wants a network to be, in the words of Neutron's ML2.

use base::{Error, Kind, Result};
use db::{Tx, sql};

use super::Network;
use super::rules::PHYSICAL_NETWORK;
use crate::fault::{self, conflict, invalid_input};
use crate::request::Input;

/// (type, its highest segmentation id, bytes that its headers take of a packet)
const SEGMENTED: [(&str, i64, i64); 3] =
    [("vlan", 4094, 0), ("vxlan", 16_777_215, 50), ("geneve", 16_777_215, 58)];

fn segmented(network_type: &str) -> Option<(&'static str, i64, i64)> {
    SEGMENTED.into_iter().find(|(name, ..)| *name == network_type)
}

/// Without any of it, a network is `local`.
pub fn read(input: &Input, network: &mut Network) -> Result<()> {
    let physical = input.text("provider:physical_network");
    let segment = input.int("provider:segmentation_id");
    let Some(kind) = input.text("provider:network_type") else {
        return match physical.is_some() || segment.is_some() {
            true => Err(invalid_input("provider:network_type required")),
            false => Ok(()),
        };
    };
    let known = |name: &str| match name {
        PHYSICAL_NETWORK => Ok(()),
        _ => {
            let shown = if kind == "vlan" { "VLAN" } else { kind };
            Err(invalid_input(format!("physical_network '{name}' unknown for {shown} provider network")))
        }
    };
    match (kind, physical) {
        ("local", Some(_)) => {
            return Err(invalid_input("provider:physical_network specified for local network"));
        }
        ("flat", None) => return Err(invalid_input("physical_network required for flat provider network")),
        ("flat" | "vlan", Some(name)) => known(name)?,
        ("vlan", None) if segment.is_some() => {
            return Err(invalid_input("segmentation_id requires physical_network for VLAN provider network"));
        }
        ("local" | "vlan", None) => {}
        (_, Some(_)) if segmented(kind).is_some() => {
            return Err(invalid_input(format!("provider:physical_network specified for {kind} network")));
        }
        (_, None) if segmented(kind).is_some() => {}
        _ => return Err(invalid_input(format!("network_type value '{kind}' not supported"))),
    }
    match (segmented(kind), segment) {
        (None, Some(_)) => {
            return Err(invalid_input(format!("segmentation_id prohibited for {kind} provider network")));
        }
        (Some((_, most, _)), Some(id)) if !(1..=most).contains(&id) => {
            return Err(invalid_input(format!("segmentation_id out of range (1 through {most})")));
        }
        _ => {}
    }
    network.mtu -= segmented(kind).map_or(0, |(_, _, headers)| headers);
    network.network_type = kind.into();
    network.physical_network = if matches!(kind, "flat" | "vlan") { PHYSICAL_NETWORK } else { "" }.into();
    network.segmentation_id = segment;
    Ok(())
}

/// The lowest segmentation id that nobody has, for a network that needs one and was given none.
pub async fn allocate(tx: &mut Tx, network: &mut Network) -> Result<()> {
    let Some((kind, most, _)) =
        segmented(&network.network_type).filter(|_| network.segmentation_id.is_none())
    else {
        return Ok(());
    };
    let taken: Vec<String> =
        sql("SELECT CAST(segmentation_id AS TEXT) FROM network WHERE network_type = $1 \
         AND segmentation_id IS NOT NULL ORDER BY segmentation_id")
        .bind(kind)
        .rows(tx)
        .await?;
    let free = (1..).zip(&taken).find(|(id, taken)| id.to_string() != **taken).map(|(id, _)| id);
    let free = free.unwrap_or(taken.len() as i64 + 1);
    if free > most {
        let none = "Unable to create the network. No project network is available for allocation.";
        return Err(Error::new(Kind::Unavailable, none).code("NoNetworkAvailable"));
    }
    network.segmentation_id = Some(free);
    Ok(())
}

/// Somebody has that segment.
pub fn in_use(network: &Network) -> Error {
    let (physical, id) = (&network.physical_network, network.segmentation_id.unwrap_or_default());
    match network.network_type.as_str() {
        "flat" => conflict(
            "FlatNetworkInUse",
            format!("Unable to create the flat network. Physical network {physical} is in use."),
        ),
        "vlan" => conflict(
            "VlanIdInUse",
            format!("Unable to create the network. The VLAN {id} on physical network {physical} is in use."),
        ),
        _ => fault::conflict(
            "TunnelIdInUse",
            format!("Unable to create the network. The tunnel ID {id} is in use."),
        ),
    }
}
