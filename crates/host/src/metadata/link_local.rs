//! Metadata for machines that speak IPv6 only: fe80::a9fe:a9fe on their network's link, as Neutron has it.
//!
//! Who asks is known by the link-local address that IPv6 makes of a MAC address: the rules let nobody else ask from it.

use std::net::{Ipv6Addr, SocketAddrV6};

use netlink_packet_route::address::AddressAttribute;
use socket2::{Domain, Socket, Type};

use crate::link::netlink::Netlink;
use crate::{Error, Result, names, netns};

pub const METADATA6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe);

/// Gives the network's bridge the address and no other of IPv6. False: this machine's kernel has no IPv6.
pub fn address(netlink: &mut Netlink, bridge: u32) -> Result<bool> {
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        return Ok(false);
    }
    let set =
        |key: &str, value: &str| netns::sysctl(&format!("net/ipv6/conf/{}/{key}", names::BRIDGE), value);
    // Before IPv6 is on: neither an address of the bridge's own, nor what somebody on the network advertises.
    for (key, value) in [("addr_gen_mode", "1"), ("accept_ra", "0"), ("accept_redirects", "0")] {
        set(key, value)?;
    }
    set("disable_ipv6", "0")?;
    let wanted = AddressAttribute::Address(METADATA6.into());
    let there = netlink
        .addresses()?
        .iter()
        .any(|address| address.header.index == bridge && address.attributes.contains(&wanted));
    if !there {
        netlink.add_link_local(bridge, METADATA6)?;
    }
    Ok(true)
}

/// In the namespace of the calling thread, whose bridge of that index has the address.
pub fn listen(bridge: u32) -> Result<std::net::TcpListener> {
    let listen = || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        socket.set_only_v6(true)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV6::new(METADATA6, 80, 0, bridge).into())?;
        socket.listen(128)?;
        Ok(socket.into())
    };
    listen().map_err(|error: std::io::Error| Error::Link(format!("cannot listen on {METADATA6}:80: {error}")))
}
