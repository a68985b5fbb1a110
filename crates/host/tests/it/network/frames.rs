//! Frames byte by byte, as no honest stack sends them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Guest;

pub type Mac = [u8; 6];

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;

/// Sends and hears everything on a guest's eth0.
pub struct Wire {
    socket: OwnedFd,
    link: i32,
}

impl Wire {
    pub async fn of(guest: &Guest) -> Self {
        let link = guest.run("cat", &["/sys/class/net/eth0/ifindex"]).await;
        // `/sys` shows the namespace in which it was mounted, so the index is asked for by `ip`.
        let shown = guest.run("ip", &["-o", "link", "show", "eth0"]).await;
        let index = shown.split(':').next().unwrap_or(&link).trim().parse().unwrap();
        guest.inside(move || Ok(Self::open(index))).await
    }

    #[allow(unsafe_code)]
    fn open(link: i32) -> Self {
        const ALL: u16 = 3;
        // SAFETY: plain system calls; the address is a whole, initialized structure of the size that is given.
        unsafe {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            let fd = libc::socket(libc::AF_PACKET, kind, i32::from(ALL.to_be()));
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            let socket = OwnedFd::from_raw_fd(fd);
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = ALL.to_be();
            address.sll_ifindex = link;
            let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            assert_eq!(libc::bind(fd, (&raw const address).cast(), size), 0);
            Self { socket, link }
        }
    }

    #[allow(unsafe_code)]
    pub fn send(&self, frame: &[u8]) {
        let mut frame = frame.to_vec();
        frame.resize(frame.len().max(60), 0);
        // SAFETY: the buffer is alive for the call and its length is given.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{} on link {}", std::io::Error::last_os_error(), self.link);
    }

    #[allow(unsafe_code)]
    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        // SAFETY: the buffer is alive for the call and its length is given.
        let length =
            unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        buffer.truncate(usize::try_from(length).ok()?);
        Some(buffer)
    }

    /// Forgets what has come so far.
    pub fn drain(&self) {
        while self.receive().is_some() {}
    }

    /// Whether such a frame comes within `patience`.
    pub async fn hears(&self, patience: Duration, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let end = Instant::now() + patience;
        loop {
            while let Some(frame) = self.receive() {
                if wanted(&frame) {
                    return true;
                }
            }
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), payload].concat()
}

/// The frame with a VLAN tag.
pub fn tagged(frame: &[u8], protocol: u16, vlan: u16) -> Vec<u8> {
    [&frame[..12], &protocol.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

pub fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4];
    packet.extend(operation.to_be_bytes());
    for (mac, address) in [sender, target] {
        packet.extend(mac);
        packet.extend(address.octets());
    }
    packet
}

pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = !checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

pub fn ipv6(from: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend_from_slice(payload);
    packet
}

/// UDP between those addresses, with its checksum.
pub fn udp(from: (IpAddr, u16), to: (IpAddr, u16), data: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(from.1.to_be_bytes());
    datagram.extend(to.1.to_be_bytes());
    datagram.extend((8 + data.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(data);
    let sum = transport_checksum(from.0, to.0, UDP, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

pub fn tcp_syn(from: (IpAddr, u16), to: (IpAddr, u16)) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.1.to_be_bytes());
    segment.extend(to.1.to_be_bytes());
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0]);
    let sum = transport_checksum(from.0, to.0, TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// An ICMPv6 message, with its checksum; `rest` begins after the checksum.
pub fn icmpv6(from: Ipv6Addr, to: Ipv6Addr, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(rest);
    let sum = transport_checksum(from.into(), to.into(), ICMPV6, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn transport_checksum(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> u16 {
    let mut bytes = Vec::new();
    for address in [from, to] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes.extend_from_slice(payload);
    !checksum(&bytes)
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
