//! The sockets, and the way to the resolvers of this machine. What is passed on leaves from the daemon's own namespace,
//! so a resolver on the machine's loopback serves guests as well.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::Names;
use crate::plan::NetworkPlan;
use crate::{Error, Result};

const PORT: u16 = 53;
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// As long as a stub resolver waits before it asks again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions of one network under way at once; more are dropped, and asked again by whoever asked.
const AT_ONCE: usize = 256;
/// The largest message over UDP that EDNS clients ask for.
const LARGEST: usize = 4096;

/// The addresses on which a network's guests expect an answer.
pub fn addresses(plan: &NetworkPlan) -> Vec<Ipv4Addr> {
    let own = plan.subnets.iter().filter(|subnet| subnet.dns_nameservers.is_empty());
    own.filter_map(|subnet| match subnet.dhcp_address {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    })
    .collect()
}

/// Opened in a network's namespace, used from anywhere.
pub struct Sockets {
    address: Ipv4Addr,
    udp: Socket,
    tcp: Socket,
}

impl Sockets {
    /// In the namespace of the calling thread.
    pub fn open(address: Ipv4Addr) -> Result<Self> {
        let open = |kind: Type| {
            let socket = Socket::new(Domain::IPV4, kind, None)?;
            socket.set_reuse_address(true)?;
            // A bridge that is being repaired has lost its address for a moment.
            socket.set_freebind_v4(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SocketAddrV4::new(address, PORT).into())?;
            Ok(socket)
        };
        let told =
            |error: std::io::Error| Error::Link(format!("cannot open the DNS socket {address}: {error}"));
        let tcp = open(Type::STREAM).map_err(told)?;
        tcp.listen(64).map_err(told)?;
        Ok(Self { address, udp: open(Type::DGRAM).map_err(told)?, tcp })
    }
}

/// Answers on one network until it is dropped.
#[derive(Default)]
pub struct Relay {
    tasks: BTreeMap<Ipv4Addr, [JoinHandle<()>; 2]>,
    names: SharedNames,
}

type SharedNames = Arc<RwLock<Arc<Names>>>;

impl Relay {
    pub fn listens_on(&self) -> Vec<Ipv4Addr> {
        let alive = |tasks: &[JoinHandle<()>; 2]| !tasks.iter().any(JoinHandle::is_finished);
        self.tasks.iter().filter(|(_, tasks)| alive(tasks)).map(|(address, _)| *address).collect()
    }

    /// Whom it knows itself, from now on.
    pub fn know(&self, names: Names) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }

    /// Takes new sockets, and stops on addresses that are not wanted any more.
    pub fn update(&mut self, wanted: &[Ipv4Addr], opened: Vec<Sockets>) -> Result<()> {
        self.tasks.retain(|address, tasks| {
            let keep = wanted.contains(address);
            if !keep {
                tasks.iter().for_each(JoinHandle::abort);
            }
            keep
        });
        for sockets in opened {
            let told = |error: std::io::Error| Error::Link(format!("cannot listen for DNS: {error}"));
            let udp = UdpSocket::from_std(sockets.udp.into()).map_err(told)?;
            let tcp = TcpListener::from_std(sockets.tcp.into()).map_err(told)?;
            let slots = Arc::new(Semaphore::new(AT_ONCE));
            let tasks = [
                tokio::spawn(datagrams(udp, Arc::clone(&slots), Arc::clone(&self.names))),
                tokio::spawn(streams(tcp, slots)),
            ];
            self.tasks.insert(sockets.address, tasks);
        }
        Ok(())
    }

    /// When this returns, its sockets are closed.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks).into_values().flatten() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.values().flatten().for_each(JoinHandle::abort);
    }
}

async fn datagrams(socket: UdpSocket, slots: Arc<Semaphore>, names: SharedNames) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; LARGEST];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let known = Arc::clone(&names.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(answer) = known.answer(&buffer[..length]) {
            drop(socket.send_to(&answer, from).await);
            continue;
        }
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let (socket, question) = (Arc::clone(&socket), buffer[..length].to_vec());
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, ask(&question)).await {
                Ok(Ok(answer)) => drop(socket.send_to(&answer, from).await),
                Ok(Err(error)) => tracing::debug!(%error, "a resolver of this machine does not answer"),
                Err(_) => {}
            }
            drop(slot);
        });
    }
}

/// The first resolver that answers.
async fn ask(question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut last = std::io::Error::other(format!("no resolver in {RESOLV_CONF}"));
    for resolver in resolvers().await {
        match ask_one(resolver, question).await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask_one(resolver: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: SocketAddr = match resolver {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A socket for each question: its random port is part of what protects against forged answers.
    let socket = UdpSocket::bind(any).await?;
    socket.connect(resolver).await?;
    socket.send(question).await?;
    let mut answer = vec![0; LARGEST];
    let length = tokio::time::timeout(PATIENCE / 2, socket.recv(&mut answer)).await??;
    answer.truncate(length);
    Ok(answer)
}

/// Large answers come over TCP.
async fn streams(listener: TcpListener, slots: Arc<Semaphore>) {
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        tokio::spawn(async move {
            let pass = async {
                for resolver in resolvers().await {
                    if let Ok(mut server) = TcpStream::connect(resolver).await {
                        return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
                    }
                }
                Ok(())
            };
            let _ = tokio::time::timeout(4 * PATIENCE, pass).await;
            drop(slot);
        });
    }
}

/// Read each time: the file changes when the machine moves to another network.
async fn resolvers() -> Vec<SocketAddr> {
    parse(&tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default())
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok())?
    });
    servers.map(|address| SocketAddr::new(address, PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_as_libc_reads_them() {
        let text = "# comment\nsearch example\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1 \noptions edns0\nnameserver nonsense\n";
        let found: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
