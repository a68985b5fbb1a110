//! Frames past the IP stack: answers to machines that have no address yet, and announcements of addresses.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::plan::Mac;
use crate::{Error, Result};

pub const BROADCAST: Mac = [0xff; 6];

/// The kernel writes the Ethernet header, with the link's own address as the source.
pub struct PacketSocket(OwnedFd);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtherType {
    Ipv4,
    Ipv6,
    Arp,
}

impl EtherType {
    /// As the kernel wants it in addresses.
    fn protocol(self) -> u16 {
        let number = match self {
            Self::Ipv4 => libc::ETH_P_IP,
            Self::Ipv6 => libc::ETH_P_IPV6,
            Self::Arp => libc::ETH_P_ARP,
        };
        (number as u16).to_be()
    }
}

impl PacketSocket {
    /// In the namespace of the calling thread. It never receives.
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

    /// In the namespace of the calling thread. It receives IPv6 datagrams of UDP that come to the link for that port,
    /// whether or not the link speaks IPv6 itself.
    pub fn listen_udp6(link: u32, port: u16) -> Result<Self> {
        let socket = Self::open()?;
        socket
            .accept_udp6_only(port)
            .and_then(|()| socket.bind(link, EtherType::Ipv6))
            .map_err(|error| Error::Link(format!("cannot listen on link {link}: {error}")))?;
        Ok(socket)
    }

    /// A filter in the kernel: next header UDP, and the port it is for.
    fn accept_udp6_only(&self, port: u16) -> io::Result<()> {
        let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut steps = [
            step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 6),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, 17),
            step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 42),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, port.into()),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, 0xffff),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: the program and its steps are alive for the call, which copies them; the size is given.
        #[allow(unsafe_code)]
        let status = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn bind(&self, link: u32, kind: EtherType) -> io::Result<()> {
        let address = link_address(link, kind);
        // SAFETY: the address is alive for the call and its size is given.
        #[allow(unsafe_code)]
        let status = unsafe {
            libc::bind(
                self.0.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// A packet without its Ethernet header, and the sender's MAC. It does not wait.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Mac)> {
        let mut address = link_address(0, EtherType::Ipv6);
        let mut size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: buffer and address are alive for the call and their sizes are given.
        #[allow(unsafe_code)]
        let length = unsafe {
            libc::recvfrom(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut address).cast(),
                &raw mut size,
            )
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let [a, b, c, d, e, f, ..] = address.sll_addr;
        Ok((length, [a, b, c, d, e, f]))
    }

    pub fn send(&self, link: u32, to: Mac, kind: EtherType, payload: &[u8]) -> io::Result<()> {
        let mut address = link_address(link, kind);
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

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

fn link_address(link: u32, kind: EtherType) -> libc::sockaddr_ll {
    // SAFETY: all zeroes is a valid value of this plain C struct.
    #[allow(unsafe_code)]
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = kind.protocol();
    address.sll_ifindex = i32::try_from(link).unwrap_or_default();
    address
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

    let mut pseudo_header = Vec::with_capacity(12);
    pseudo_header.extend(from.0.octets());
    pseudo_header.extend(to.0.octets());
    pseudo_header.extend([0, 17]);
    pseudo_header.extend(udp_length.to_be_bytes());
    packet.extend(datagram(from.1, to.1, &pseudo_header, payload));
    packet
}

/// A UDP datagram with its IPv6 header.
#[must_use]
pub fn udp6(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16), payload: &[u8]) -> Vec<u8> {
    let udp_length = (payload.len() + 8) as u16;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(udp_length.to_be_bytes());
    packet.extend([17, 64]);
    packet.extend(from.0.octets());
    packet.extend(to.0.octets());
    let mut pseudo_header = packet[8..40].to_vec();
    pseudo_header.extend([0, 0]);
    pseudo_header.extend(udp_length.to_be_bytes());
    pseudo_header.extend([0, 0, 0, 17]);
    packet.extend(datagram(from.1, to.1, &pseudo_header, payload));
    packet
}

fn datagram(from: u16, to: u16, pseudo_header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(payload.len() + 8);
    datagram.extend(from.to_be_bytes());
    datagram.extend(to.to_be_bytes());
    datagram.extend(((payload.len() + 8) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(payload);
    let sum = ones_complement_sum(ones_complement_sum(0, pseudo_header), &datagram);
    // Zero would mean "no checksum".
    let checksum = if sum == 0xffff { 0xffff } else { !sum };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    datagram
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
    fn checksums_of_ipv6_verify() {
        let at = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
        let packet = udp6((at(1), 547), (at(2), 546), b"an odd number of bytes!");
        assert_eq!(packet[4..6], 31u16.to_be_bytes());
        let mut checked = packet[8..40].to_vec();
        checked.extend([0, 0, 0, 31, 0, 0, 0, 17]);
        checked.extend_from_slice(&packet[40..]);
        assert_eq!(ones_complement_sum(0, &checked), 0xffff);
    }

    #[test]
    fn an_announcement_names_its_sender_twice() {
        let packet = announcement([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(packet.len(), 28);
        assert_eq!(packet[14..18], packet[24..28]);
    }
}
