//! The socket and the loop of one interface.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::message::INTERVAL;
use crate::{Error, Result};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ROUTER_SOLICITATION: u8 = 133;
/// Least time between two to everybody.
const RARELY: Duration = Duration::from_millis(500);
/// The first ones come quickly (RFC 4861, 6.2.4).
const FIRST: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// Opened in a router's namespace, used from anywhere.
pub struct Sockets {
    socket: Socket,
    link: u32,
}

impl Sockets {
    /// In the namespace of the calling thread, on that link of a router.
    pub fn open(name: &str, link: u32) -> Result<Self> {
        let open = || {
            let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
            socket.bind_device(Some(name.as_bytes()))?;
            solicitations_only(&socket)?;
            // What has passed a router is not of this link, and is told by this.
            socket.set_multicast_hops_v6(255)?;
            socket.set_unicast_hops_v6(255)?;
            socket.set_multicast_if_v6(link)?;
            socket.set_multicast_loop_v6(false)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let told = |error: io::Error| {
            Error::Link(format!("cannot open the socket for router advertisements on {name}: {error}"))
        };
        Ok(Self { socket: open().map_err(told)?, link })
    }
}

fn solicitations_only(socket: &Socket) -> io::Result<()> {
    const ICMP6_FILTER: libc::c_int = 1;
    // A set bit blocks a type.
    let mut filter = [u32::MAX; 8];
    filter[usize::from(ROUTER_SOLICITATION >> 5)] &= !(1 << (ROUTER_SOLICITATION & 31));
    // SAFETY: the filter is alive for the call, which copies it; its size is given.
    #[allow(unsafe_code)]
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_ICMPV6,
            ICMP6_FILTER,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Advertises until it is dropped.
pub struct Server {
    told: Arc<Told>,
    pub link: u32,
    task: JoinHandle<()>,
}

struct Told {
    message: Mutex<Arc<Vec<u8>>>,
    changed: Notify,
}

impl Told {
    fn message(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.message.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Server {
    pub fn start(sockets: Sockets, message: Vec<u8>) -> Result<Self> {
        let Sockets { socket, link } = sockets;
        // Sending to and receiving from an address is the same for a raw socket.
        let socket = UdpSocket::from_std(socket.into())
            .map_err(|error| Error::Link(format!("cannot advertise: {error}")))?;
        let told = Arc::new(Told { message: Mutex::new(Arc::new(message)), changed: Notify::new() });
        let task = tokio::spawn(serve(socket, link, Arc::clone(&told)));
        Ok(Self { told, link, task })
    }

    /// From now on; at once, if it is another.
    pub fn replace(&self, message: Vec<u8>) {
        let mut now = self.told.message.lock().unwrap_or_else(PoisonError::into_inner);
        if **now != message {
            *now = Arc::new(message);
            self.told.changed.notify_one();
        }
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

async fn serve(socket: UdpSocket, link: u32, told: Arc<Told>) {
    let everybody = SocketAddr::V6(SocketAddrV6::new(ALL_NODES, 0, 0, link));
    let mut buffer = [0; 1500];
    let mut sent = 0;
    let mut next = Instant::now();
    let mut last = None::<Instant>;
    loop {
        let to = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((_, SocketAddr::V6(from))) if from.ip().is_unicast_link_local() => SocketAddr::V6(from),
                // From a machine without an address yet. Everybody is told, so not for everybody's asking.
                Ok((_, SocketAddr::V6(from)))
                    if from.ip().is_unspecified() && last.is_none_or(|last| last.elapsed() > RARELY) =>
                {
                    everybody
                }
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, "receiving a router solicitation");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
            () = tokio::time::sleep_until(next) => everybody,
            () = told.changed.notified() => everybody,
        };
        let result = socket.send_to(&told.message(), to).await;
        if to == everybody {
            let now = Instant::now();
            match &result {
                Ok(_) => {
                    next = now + FIRST.get(sent).copied().unwrap_or(INTERVAL);
                    last = Some(now);
                    sent += 1;
                }
                // The interface has no carrier, and so no address, yet.
                Err(_) => next = now + Duration::from_millis(300),
            }
        }
        if let Err(error) = result {
            tracing::debug!(%error, %to, "sending a router advertisement");
        }
    }
}
