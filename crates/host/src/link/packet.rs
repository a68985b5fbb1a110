//! Frames past the IP stack: answers to machines that have no address yet, and announcements of addresses.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::plan::Mac;
use crate::{Error, Result};

pub const BROADCAST: Mac = [0xff; 6];

/// The kernel writes the Ethernet header, with the link's own address as the source. It never receives.
pub struct PacketSocket(OwnedFd);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtherType {
    Ipv4,
    Arp,
}

impl PacketSocket {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        // SAFETY: a plain system call; the result is checked before it is owned.
        #[allow(unsafe_code)]
        let fd = unsafe {
            libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
        };
        if fd < 0 {
            return Err(Error::Link(format!("cannot open a packet socket: {}", io::Error::last_os_error())));
        }
        // SAFETY: `fd` was just opened and nobody else has it.
        #[allow(unsafe_code)]
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn send(&self, link: u32, to: Mac, kind: EtherType, payload: &[u8]) -> io::Result<()> {
        // SAFETY: all zeroes is a valid value of this plain C struct.
        #[allow(unsafe_code)]
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        let protocol = match kind {
            EtherType::Ipv4 => libc::ETH_P_IP,
            EtherType::Arp => libc::ETH_P_ARP,
        };
        address.sll_protocol = (protocol as u16).to_be();
        address.sll_ifindex = i32::try_from(link).unwrap_or_default();
        address.sll_halen = 6;
        address.sll_addr[..6].copy_from_slice(&to);
        // SAFETY: payload and address are alive for the call and their sizes are given.
        #[allow(unsafe_code)]
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                payload.as_ptr().cast(),
                payload.len(),
                0,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Tells everybody on the link that `address` is at `mac` now (RFC 5227, an ARP announcement).
    pub fn announce(&self, link: u32, mac: Mac, address: Ipv4Addr) -> io::Result<()> {
        self.send(link, BROADCAST, EtherType::Arp, &announcement(mac, address))
    }
}

fn announcement(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    // Ethernet, IPv4, lengths 6 and 4, operation 1 (request).
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1];
    packet.extend(mac);
    packet.extend(address.octets());
    packet.extend([0; 6]);
    packet.extend(address.octets());
    packet
}

/// A UDP datagram with its IPv4 header.
#[must_use]
pub fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let udp_length = (payload.len() + 8) as u16;
    // Version and header length, class, total length, id, flags and offset, TTL, protocol, checksum.
    let mut packet = vec![0x45, 0];
    packet.extend((udp_length + 20).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.0.octets());
    packet.extend(to.0.octets());
    let checksum = !ones_complement_sum(0, &packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut datagram = Vec::with_capacity(payload.len() + 8);
    datagram.extend(from.1.to_be_bytes());
    datagram.extend(to.1.to_be_bytes());
    datagram.extend(udp_length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(payload);
    let mut pseudo_header = Vec::with_capacity(12);
    pseudo_header.extend(from.0.octets());
    pseudo_header.extend(to.0.octets());
    pseudo_header.extend([0, 17]);
    pseudo_header.extend(udp_length.to_be_bytes());
    let sum = ones_complement_sum(ones_complement_sum(0, &pseudo_header), &datagram);
    // Zero would mean "no checksum".
    let checksum = if sum == 0xffff { 0xffff } else { !sum };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(datagram);
    packet
}

fn ones_complement_sum(start: u16, bytes: &[u8]) -> u16 {
    let mut sum = u32::from(start);
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_verify() {
        let packet = udp(
            (Ipv4Addr::new(10, 0, 0, 2), 67),
            (Ipv4Addr::new(255, 255, 255, 255), 68),
            b"an odd number of bytes!",
        );
        assert_eq!(ones_complement_sum(0, &packet[..20]), 0xffff);
        let mut checked = packet[12..20].to_vec();
        checked.extend([0, 17]);
        checked.extend_from_slice(&packet[24..26]);
        checked.extend_from_slice(&packet[20..]);
        assert_eq!(ones_complement_sum(0, &checked), 0xffff);
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
    }

    #[test]
    fn an_announcement_names_its_sender_twice() {
        let packet = announcement([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(packet.len(), 28);
        assert_eq!(packet[14..18], packet[24..28]);
    }
}
