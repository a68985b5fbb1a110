//! The socket and the loop.

use std::net::Ipv6Addr;
use std::sync::{Arc, PoisonError, RwLock};

use dhcproto::v6::Message;
use dhcproto::{Decodable, Decoder, Encodable};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use super::answer::answer;
use super::table::Table;
use crate::link::packet::{self, EtherType, PacketSocket};
use crate::link::plan::Mac;
use crate::nft::link_local;
use crate::{Error, Result};

pub const SERVER_PORT: u16 = 547;
const CLIENT_PORT: u16 = 546;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;

/// Answers until it is dropped.
pub struct Server {
    table: Arc<RwLock<Arc<Table>>>,
    /// Index and MAC of the bridge it listens on.
    pub bridge: (u32, Mac),
    task: JoinHandle<()>,
}

impl Server {
    /// `socket` was opened in the network's namespace, on the bridge.
    pub fn start(socket: PacketSocket, bridge: (u32, Mac), table: Table) -> Result<Self> {
        // SAFETY: the socket is open and the same for as long as it lives, and the AsyncFd owns it.
        #[allow(unsafe_code)]
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(|error| Error::Link(format!("cannot listen for DHCPv6: {error}")))?;
        let table = Arc::new(RwLock::new(Arc::new(table)));
        let task = tokio::spawn(serve(socket, bridge, Arc::clone(&table)));
        Ok(Self { table, bridge, task })
    }

    /// In the namespace of the calling thread.
    pub fn listen(bridge: u32) -> Result<PacketSocket> {
        PacketSocket::listen_udp6(bridge, SERVER_PORT)
    }

    pub fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    pub fn is_alive(&self) -> bool {
        !self.task.is_finished()
    }

    /// When this returns, its socket is closed.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: AsyncFd<PacketSocket>, bridge: (u32, Mac), table: Arc<RwLock<Arc<Table>>>) {
    let mut buffer = vec![0; 4096];
    loop {
        let received = socket.async_io(Interest::READABLE, |socket| socket.receive(&mut buffer)).await;
        let (length, mac) = match received {
            Ok(received) => received,
            Err(error) => {
                // The bridge is down for a moment; nothing is lost, clients ask again.
                tracing::debug!(%error, "receiving a DHCPv6 request");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                continue;
            }
        };
        let Some((client, payload)) = unwrap(&buffer[..length]) else { continue };
        let request = match Message::decode(&mut Decoder::new(payload)) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%error, "a malformed DHCPv6 request");
                continue;
            }
        };
        let table = Arc::clone(&table.read().unwrap_or_else(PoisonError::into_inner));
        let Some(answer) = table.0.get(&mac).and_then(|lease| answer(lease, bridge.1, &request)) else {
            continue;
        };
        let sent = answer.to_vec().map_err(std::io::Error::other).and_then(|payload| {
            let from = (link_local(bridge.1), SERVER_PORT);
            let packet = packet::udp6(from, (client, CLIENT_PORT), &payload);
            socket.get_ref().send(bridge.0, mac, EtherType::Ipv6, &packet)
        });
        if let Err(error) = sent {
            tracing::warn!(%error, address = %client, "sending a DHCPv6 answer");
        }
    }
}

/// The sender and the payload of a datagram without extension headers, which the socket's filter has let through.
fn unwrap(packet: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    let length = usize::from(u16::from_be_bytes([*packet.get(4)?, *packet.get(5)?]));
    let payload = packet.get(IPV6_HEADER + UDP_HEADER..IPV6_HEADER + length)?;
    let source = Ipv6Addr::from(source);
    // Relay agents are outside of every network here.
    source.is_unicast_link_local().then_some((source, payload))
}
