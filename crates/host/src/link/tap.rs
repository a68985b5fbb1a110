//! Taps of virtual machines.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::netlink::{LinkChange, Netlink};
use crate::names::{self, NetnsName};
use crate::{Error, Result, netns};

/// Opens the port's tap on the network's bridge, for QEMU to inherit (`-netdev tap,fd=N`, without `vhost`).
///
/// The tap lives as long as the descriptor: it goes with its machine, whatever becomes of us. Its security group
/// rules refer to it by name, so they hold from its first frame. The descriptor is close-on-exec.
pub async fn open_tap(namespace: &NetnsName, port_id: &str, mtu: u32) -> Result<OwnedFd> {
    let name = names::tap(port_id);
    netns::inside(namespace, move || {
        let mut netlink = Netlink::open()?;
        let bridge = netlink.index(names::BRIDGE)?.ok_or_else(|| {
            Error::Link(format!("there is no bridge for {name}: its network must be applied first"))
        })?;
        let tap = attach(&name).map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => Error::Link(format!("tap {name} is in use by another process")),
            _ => Error::Link(format!("cannot make tap {name}: {error}")),
        })?;
        let index = netlink
            .index(&name)?
            .ok_or_else(|| Error::Link(format!("tap {name} vanished while it was made")))?;
        netlink.change_link(
            index,
            &LinkChange { up: Some(true), mtu: Some(mtu), bridge: Some(bridge), ..LinkChange::default() },
        )?;
        netlink.settle(&name)?;
        Ok(tap)
    })
    .await
}

fn attach(name: &str) -> io::Result<OwnedFd> {
    let tap = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags: 0, padding: [0; 22] };
    // The last byte stays zero: names are at most fifteen bytes (see `names`).
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    request.flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as i16;
    // SAFETY: the descriptor is open and TUNSETIFF reads and writes one `struct ifreq`, which `request` is laid out as.
    #[allow(unsafe_code)]
    let status = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(tap.into())
}

/// `struct ifreq` of Linux, 40 bytes, with `ifr_flags` of its union.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    padding: [u8; 22],
}
