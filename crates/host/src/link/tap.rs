//! Taps of virtual machines.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::thread::LinkNameSpaceType;

use super::netlink::{LinkChange, Netlink};
use super::observe;
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
        let tap = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
        let tap =
            tap.and_then(|tap| attach(&tap, &name).map(|()| tap.into())).map_err(|error| {
                match error.raw_os_error() {
                    Some(libc::EBUSY) => Error::Link(format!("tap {name} is in use by another process")),
                    _ => Error::Link(format!("cannot make tap {name}: {error}")),
                }
            })?;
        connect(&mut netlink, &name, mtu)?;
        Ok(tap)
    })
    .await
}

/// Makes a tap again whose link was deleted under an open descriptor, in the namespace in which it was opened. `header`:
/// bytes before each frame; `offloads`: `TUN_F_*` of what its reader takes unfinished.
pub async fn revive_tap(tap: OwnedFd, port_id: &str, header: i32, offloads: u32) -> Result<()> {
    let name = names::tap(port_id);
    netns::on_own_thread(move || {
        let failed = |error| Error::Link(format!("cannot make tap {name} again: {error}"));
        attach(&tap, &name).map_err(failed)?;
        // SAFETY: the descriptor is open; the first call reads an int that is alive, the others take numbers.
        #[allow(unsafe_code)]
        let namespace = unsafe {
            if libc::ioctl(tap.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const header) < 0
                || libc::ioctl(tap.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) < 0
            {
                return Err(failed(io::Error::last_os_error()));
            }
            libc::ioctl(tap.as_raw_fd(), libc::TUNGETDEVNETNS)
        };
        if namespace < 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        // SAFETY: the kernel has just opened it for us and nobody else has it.
        #[allow(unsafe_code)]
        let namespace = unsafe { OwnedFd::from_raw_fd(namespace) };
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| failed(errno.into()))?;
        let mut netlink = Netlink::open()?;
        let links = observe::observe_links(&mut netlink)?;
        let mtu = links.iter().find(|link| link.name == names::BRIDGE).map_or(1500, |bridge| bridge.mtu);
        connect(&mut netlink, &name, mtu)
    })
    .await
}

/// Up, and on the bridge.
fn connect(netlink: &mut Netlink, name: &str, mtu: u32) -> Result<()> {
    let bridge = netlink.index(names::BRIDGE)?.ok_or_else(|| {
        Error::Link(format!("there is no bridge for {name}: its network must be applied first"))
    })?;
    let index =
        netlink.index(name)?.ok_or_else(|| Error::Link(format!("tap {name} vanished while it was made")))?;
    let change = LinkChange { up: Some(true), mtu: Some(mtu), bridge: Some(bridge), ..LinkChange::default() };
    netlink.change_link(index, &change)?;
    netlink.settle(name)
}

fn attach(tap: &impl AsRawFd, name: &str) -> io::Result<()> {
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
    Ok(())
}

/// `struct ifreq` of Linux, 40 bytes, with `ifr_flags` of its union.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    padding: [u8; 22],
}
