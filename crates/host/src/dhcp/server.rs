//! The sockets and the loop.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};

use dhcproto::v4::Message;
use dhcproto::{Decodable, Decoder, Encodable};
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::answer::{Answer, answer};
use super::table::Table;
use crate::link::packet::{self, EtherType, PacketSocket};
use crate::{Error, Result, names};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

/// Opened in a network's namespace, used from anywhere.
pub struct Sockets {
    receive: Socket,
    send: PacketSocket,
    bridge: u32,
}

impl Sockets {
    /// In the namespace of the calling thread.
    pub fn open(bridge: u32) -> Result<Self> {
        let open = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_broadcast(true)?;
            socket.bind_device(Some(names::BRIDGE.as_bytes()))?;
            socket.set_nonblocking(true)?;
            socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT).into())?;
            Ok(socket)
        };
        let receive = open()
            .map_err(|error: std::io::Error| Error::Link(format!("cannot open the DHCP socket: {error}")))?;
        Ok(Self { receive, send: PacketSocket::open()?, bridge })
    }
}

/// Answers until it is dropped.
pub struct Server {
    table: Arc<RwLock<Arc<Table>>>,
    /// Index of the bridge it listens on.
    pub bridge: u32,
    task: JoinHandle<()>,
}

impl Server {
    pub fn start(sockets: Sockets, table: Table) -> Result<Self> {
        let Sockets { receive, send, bridge } = sockets;
        let receive = UdpSocket::from_std(receive.into())
            .map_err(|error| Error::Link(format!("cannot listen for DHCP: {error}")))?;
        let table = Arc::new(RwLock::new(Arc::new(table)));
        let task = tokio::spawn(serve(receive, send, bridge, Arc::clone(&table)));
        Ok(Self { table, bridge, task })
    }

    pub fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    pub fn is_alive(&self) -> bool {
        !self.task.is_finished()
    }

    /// When this returns, its sockets are closed.
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

async fn serve(receive: UdpSocket, send: PacketSocket, bridge: u32, table: Arc<RwLock<Arc<Table>>>) {
    let mut buffer = vec![0; 4096];
    loop {
        let length = match receive.recv(&mut buffer).await {
            Ok(length) => length,
            Err(error) => {
                // The bridge is down for a moment; nothing is lost, clients ask again.
                tracing::debug!(%error, "receiving a DHCP request");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                continue;
            }
        };
        let request = match Message::decode(&mut Decoder::new(&buffer[..length])) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%error, "a malformed DHCP request");
                continue;
            }
        };
        let table = Arc::clone(&table.read().unwrap_or_else(PoisonError::into_inner));
        let Some(answer) = answer(&table, &request) else { continue };
        if let Err(error) = deliver(&send, bridge, &answer) {
            tracing::warn!(%error, address = %answer.to, "sending a DHCP answer");
        }
    }
}

fn deliver(send: &PacketSocket, bridge: u32, answer: &Answer) -> std::io::Result<()> {
    let mut payload = answer.message.to_vec().map_err(std::io::Error::other)?;
    // Old clients drop what is shorter than a BOOTP message (RFC 1542, 2.1).
    payload.resize(payload.len().max(300), 0);
    let packet = packet::udp((answer.from, SERVER_PORT), (answer.to, CLIENT_PORT), &payload);
    send.send(bridge, answer.to_mac, EtherType::Ipv4, &packet)
}
