//! What is in the calling thread's namespace.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};

use super::netlink::Netlink;
use super::plan::{Observed, ObservedLink};
use crate::Result;

pub fn observe(netlink: &mut Netlink) -> Result<Observed> {
    let mut links = observe_links(netlink)?;
    for message in netlink.addresses()? {
        let Some(address) = address(&message) else { continue };
        if let Some(link) = links.iter_mut().find(|link| link.index == message.header.index) {
            link.addresses.push(address);
        }
    }
    Ok(Observed { links, routes: observe_routes(netlink)? })
}

/// Without their addresses.
pub fn observe_links(netlink: &mut Netlink) -> Result<Vec<ObservedLink>> {
    Ok(netlink.links()?.iter().map(link).collect())
}

pub fn observe_routes(netlink: &mut Netlink) -> Result<Vec<(IpNet, IpAddr)>> {
    Ok(netlink.routes()?.iter().filter_map(route).collect())
}

fn link(message: &LinkMessage) -> ObservedLink {
    let mut link = ObservedLink {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        ..ObservedLink::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok(),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(bridge) => link.bridge = Some(*bridge),
            _ => {}
        }
    }
    link
}

/// `None` for addresses that the kernel gives by itself.
fn address(message: &AddressMessage) -> Option<IpNet> {
    let find = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    // IPv6 has only `Address`; with IPv4 that would be the peer of a point-to-point link.
    let address = find(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    })
    .or_else(|| {
        find(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    let automatic = match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    if automatic { None } else { IpNet::new(address, message.header.prefix_len).ok() }
}

/// Only routes such as we make.
fn route(message: &RouteMessage) -> Option<(IpNet, IpAddr)> {
    let header = &message.header;
    if header.table != RouteHeader::RT_TABLE_MAIN
        || header.protocol != RouteProtocol::Static
        || header.kind != RouteType::Unicast
    {
        return None;
    }
    let mut destination = None;
    let mut gateway = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            _ => {}
        }
    }
    let gateway = gateway?;
    let everywhere = match gateway {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    };
    let destination = IpNet::new(destination.unwrap_or(everywhere), header.destination_prefix_length).ok()?;
    Some((destination, gateway))
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}
