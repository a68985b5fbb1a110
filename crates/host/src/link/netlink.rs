//! A blocking rtnetlink client: it lives on a thread that is in the right namespace, for one visit.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::{IpNet, Ipv6Net};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::tc::{TcAttribute, TcBpfFlags, TcFilterBpfOption, TcHandle, TcMessage, TcOption};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::{Error, Result};

/// How often and how long to wait for the kernel to give a link's name free: 2 s in all.
const VETH_TRIES: u32 = 100;
const VETH_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// What to change on a link; `None` leaves as is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkChange {
    pub up: Option<bool>,
    pub mtu: Option<u32>,
    pub mac: Option<[u8; 6]>,
    /// Index of the bridge.
    pub bridge: Option<u32>,
    pub alias: Option<String>,
}

/// One end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethEnd {
    pub name: String,
    pub mac: Option<[u8; 6]>,
    pub mtu: u32,
}

impl Netlink {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = open().map_err(|error: std::io::Error| failure("open a netlink socket", &error))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Index of a link, `None` when there is no such link.
    pub fn index(&mut self, name: &str) -> Result<Option<u32>> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        match self.exchange(RouteNetlinkMessage::GetLink(message), 0) {
            Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link.header.index),
                _ => None,
            })),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(failure(&format!("look up link {name}"), &error)),
        }
    }

    /// Makes the kernel act now on a carrier that has just come. It does so by itself too, but for a veth whose peer
    /// happens to have the same index only within a second, in which a bridge forwards nothing. Asking for the one
    /// link is what makes it hurry (since Linux 6.8).
    pub fn settle(&mut self, name: &str) -> Result<()> {
        self.index(name).map(drop)
    }

    pub fn links(&mut self) -> Result<Vec<LinkMessage>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.dump(&request, "list links")?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .collect())
    }

    pub fn addresses(&mut self) -> Result<Vec<AddressMessage>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.dump(&request, "list addresses")?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(address) => Some(address),
                _ => None,
            })
            .collect())
    }

    pub fn routes(&mut self) -> Result<Vec<RouteMessage>> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.dump(&request, "list routes")?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(route) => Some(route),
                _ => None,
            })
            .collect())
    }

    /// A bridge without spanning tree, which forwards at once, and without multicast snooping: there is no querier
    /// in these networks, so snooping would sooner or later cut off IPv6 neighbour discovery.
    pub fn add_bridge(&mut self, name: &str, mac: [u8; 6], mtu: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes.extend([
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![
                    InfoBridge::ForwardDelay(0),
                    InfoBridge::StpState(BridgeStpState::Disabled),
                    InfoBridge::MulticastSnooping(false),
                ])),
            ]),
        ]);
        self.acknowledged(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
            &format!("add bridge {name}"),
        )
    }

    /// A veth pair in one step: `here` in this namespace, `there` in the namespace behind the descriptor.
    pub fn add_veth(&mut self, here: &VethEnd, there: &VethEnd, namespace: std::os::fd::RawFd) -> Result<()> {
        let mut peer = LinkMessage::default();
        end_attributes(&mut peer, there);
        peer.attributes.push(LinkAttribute::NetNsFd(namespace));
        let mut message = LinkMessage::default();
        end_attributes(&mut message, here);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        // The kernel clears a deleted namespace some time later; until then the other ends of its links keep their names.
        let mut tries = VETH_TRIES;
        loop {
            let message = RouteNetlinkMessage::NewLink(message.clone());
            match self.exchange(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL) {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) && tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(VETH_PAUSE);
                }
                Err(error) => {
                    let what = format!("add link {} with its peer {}", here.name, there.name);
                    return Err(failure(&what, &error));
                }
            }
        }
    }

    pub fn change_link(&mut self, index: u32, change: &LinkChange) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        if let Some(up) = change.up {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        }
        message.attributes.extend(change.mtu.map(LinkAttribute::Mtu));
        message.attributes.extend(change.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        message.attributes.extend(change.bridge.map(LinkAttribute::Controller));
        message.attributes.extend(change.alias.clone().map(LinkAttribute::IfAlias));
        self.acknowledged(RouteNetlinkMessage::SetLink(message), 0, &format!("change link {index}"))
    }

    pub fn delete_link(&mut self, index: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        match self.exchange(RouteNetlinkMessage::DelLink(message), NLM_F_ACK) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            Err(error) => Err(failure(&format!("delete link {index}"), &error)),
        }
    }

    pub fn add_address(&mut self, link: u32, address: IpNet) -> Result<()> {
        let mut message = address_message(link, address);
        if let IpNet::V4(address) = address
            && address.prefix_len() < 31
        {
            message.attributes.push(AddressAttribute::Broadcast(address.broadcast()));
        }
        self.acknowledged(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_REPLACE,
            &format!("add address {address}"),
        )
    }

    /// A link-local address of IPv6 that may be used at once: whether somebody else has it is not asked first.
    pub fn add_link_local(&mut self, link: u32, address: Ipv6Addr) -> Result<()> {
        let network = IpNet::V6(Ipv6Net::new_assert(address, 64));
        let mut message = address_message(link, network);
        message.header.scope = AddressScope::Link;
        message.header.flags = AddressHeaderFlags::Nodad;
        self.acknowledged(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_REPLACE,
            &format!("add address {network}"),
        )
    }

    pub fn delete_address(&mut self, link: u32, address: IpNet) -> Result<()> {
        let message = address_message(link, address);
        match self.exchange(RouteNetlinkMessage::DelAddress(message), NLM_F_ACK) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            Err(error) => Err(failure(&format!("delete address {address}"), &error)),
        }
    }

    pub fn add_route(&mut self, destination: IpNet, gateway: IpAddr) -> Result<()> {
        self.acknowledged(
            RouteNetlinkMessage::NewRoute(route_message(destination, gateway)),
            NLM_F_CREATE | NLM_F_REPLACE,
            &format!("add route to {destination} via {gateway}"),
        )
    }

    pub fn delete_route(&mut self, destination: IpNet, gateway: IpAddr) -> Result<()> {
        match self.exchange(RouteNetlinkMessage::DelRoute(route_message(destination, gateway)), NLM_F_ACK) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            Err(error) => Err(failure(&format!("delete route to {destination} via {gateway}"), &error)),
        }
    }

    /// Every frame that comes in by the link is judged by the program first, in place of the one that was there.
    pub fn classify(&mut self, link: u32, program: BorrowedFd<'_>) -> Result<()> {
        let what = format!("set a program on link {link}");
        let mut queue = TcMessage::with_index(link.cast_signed());
        queue.header.handle = INGRESS_QUEUE;
        queue.header.parent = TcHandle::INGRESS;
        queue.attributes.push(TcAttribute::Kind("ingress".to_owned()));
        self.acknowledged(RouteNetlinkMessage::NewQueueDiscipline(queue), NLM_F_CREATE, &what)?;
        let mut filter = program_filter(link);
        filter.attributes.push(TcAttribute::Options(vec![
            TcOption::Bpf(TcFilterBpfOption::ProgFd(program.as_raw_fd().cast_unsigned())),
            TcOption::Bpf(TcFilterBpfOption::ProgName("cumulet".to_owned())),
            TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
        ]));
        self.acknowledged(RouteNetlinkMessage::NewTrafficFilter(filter), NLM_F_CREATE, &what)
    }

    /// Takes the program off the link; none is fine.
    pub fn declassify(&mut self, link: u32) -> Result<()> {
        match self.exchange(RouteNetlinkMessage::DelTrafficFilter(program_filter(link)), NLM_F_ACK) {
            Ok(_) => Ok(()),
            // No such filter, no queue for filters, no such link.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP | libc::ENODEV)
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(&format!("take a program off link {link}"), &error)),
        }
    }

    fn acknowledged(&mut self, request: RouteNetlinkMessage, flags: u16, what: &str) -> Result<()> {
        self.exchange(request, flags | NLM_F_ACK).map(drop).map_err(|error| failure(what, &error))
    }

    fn dump(&mut self, request: &RouteNetlinkMessage, what: &str) -> Result<Vec<RouteNetlinkMessage>> {
        self.exchange(request.clone(), NLM_F_DUMP).map_err(|error| failure(what, &error))
    }

    fn exchange(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> std::io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut buffer = vec![0; message.buffer_len()];
        message.serialize(&mut buffer);
        self.socket.send(&buffer, 0)?;

        let until_done = flags & NLM_F_DUMP == NLM_F_DUMP;
        let until_ack = flags & NLM_F_ACK != 0;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
                // Messages are padded to four bytes within a datagram.
                let length = (message.header.length as usize).next_multiple_of(4).min(rest.len()).max(16);
                rest = rest.get(length..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => {
                        answers.push(inner);
                        if !until_done && !until_ack {
                            return Ok(answers);
                        }
                    }
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }
}

/// `ffff:`, as tc has it.
const INGRESS_QUEUE: TcHandle = TcHandle { major: 0xffff, minor: 0 };

/// The filter that runs before all others of a link's ingress queue.
fn program_filter(link: u32) -> TcMessage {
    const FIRST: u32 = 1;
    let mut message = TcMessage::with_index(link.cast_signed());
    message.header.parent = INGRESS_QUEUE;
    message.header.handle = TcHandle { major: 0, minor: 1 };
    message.header.info = FIRST << 16 | u32::from((libc::ETH_P_ALL as u16).to_be());
    message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
    message
}

fn end_attributes(message: &mut LinkMessage, end: &VethEnd) {
    message.attributes.push(LinkAttribute::IfName(end.name.clone()));
    message.attributes.push(LinkAttribute::Mtu(end.mtu));
    message.attributes.extend(end.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
}

fn address_message(link: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.index = link;
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}

fn route_message(destination: IpNet, gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Gateway(RouteAddress::from(gateway)));
    if destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(destination.network())));
    }
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn failure(what: &str, error: &std::io::Error) -> Error {
    Error::Link(format!("cannot {what}: {error}"))
}
