//! A namespace in a virtual machine's place.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use host::link::netlink::{LinkChange, Netlink, VethEnd};
use host::link::plan::parse_mac;
use host::names::{self, NetnsName};
use host::network::LinuxNetwork;
use host::plan::{NetworkPlan, PortPlan};
use host::{Result, netns};

use super::sandbox::{command, try_command, within};

pub struct Guest {
    pub namespace: NetnsName,
}

impl Guest {
    /// Plugs a namespace in where the machine's tap would be. It has no address yet.
    pub async fn plug(network: &LinuxNetwork, plan: &NetworkPlan, port: &PortPlan) -> Self {
        // Ports of different tenants may have one address, so the guest is named after its port.
        let namespace = NetnsName::network("guest", &port.id);
        netns::create(&namespace, "guest").await.unwrap();
        let inside = File::open(namespace.path()).unwrap();
        let here = VethEnd { name: names::tap(&port.id), mac: None, mtu: plan.mtu };
        let there = VethEnd { name: "eth0".into(), mac: parse_mac(&port.mac), mtu: plan.mtu };
        let tap_name = here.name.clone();
        netns::inside(&network.namespace(&plan.id), move || {
            let mut netlink = Netlink::open()?;
            let bridge = netlink.index(names::BRIDGE)?;
            netlink.add_veth(&here, &there, inside.as_raw_fd())?;
            let tap = netlink.index(&here.name)?.unwrap();
            netlink.change_link(tap, &LinkChange { up: Some(true), bridge, ..LinkChange::default() })
        })
        .await
        .unwrap();
        let guest = Self { namespace };
        guest.run("ip", &["link", "set", "eth0", "up"]).await;
        netns::inside(&network.namespace(&plan.id), move || Netlink::open()?.settle(&tap_name))
            .await
            .unwrap();
        guest.inside(|| Netlink::open()?.settle("eth0")).await;
        guest
    }

    /// Plugged in, with its first address and the gateway 10.0.0.1 set by hand.
    pub async fn start(network: &LinuxNetwork, plan: &NetworkPlan, port: &PortPlan) -> Self {
        let guest = Self::plug(network, plan, port).await;
        guest.address(&format!("{}/24", port.fixed_ips[0].1)).await;
        guest.run("ip", &["route", "add", "default", "via", "10.0.0.1"]).await;
        guest
    }

    pub async fn address(&self, address: &str) {
        self.run("ip", &["address", "add", address, "dev", "eth0", "nodad"]).await;
    }

    /// The kernel speaks from its link-local address, and answers for it, once it has seen that nobody else has it.
    pub async fn has_link_local(&self) {
        let shown = ["-6", "-o", "address", "show", "dev", "eth0", "scope", "link", "-tentative"];
        within(20, "a link-local address", async || self.run("ip", &shown).await.contains("fe80::")).await;
    }

    pub async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let (program, arguments) = owned(program, arguments);
        self.inside(move || Ok(command(&program, &borrowed(&arguments)))).await
    }

    /// Whether any answer comes. The first may be lost to a neighbour's address that is just being set up.
    pub async fn pings(&self, address: &str) -> bool {
        let (program, arguments) = owned("ping", &["-c3", "-i0.4", "-W1", address]);
        self.inside(move || Ok(try_command(&program, &borrowed(&arguments)).0)).await
    }

    /// Answers TCP connections with what they send, from now on.
    pub async fn echo(&self, address: &str) {
        let address: SocketAddr = address.parse().unwrap();
        let listener = self.inside(move || Ok(TcpListener::bind(address).unwrap())).await;
        echo(listener);
    }

    /// `None` when nobody answers.
    pub async fn connect(&self, address: &str) -> Option<TcpStream> {
        let address: SocketAddr = address.parse().unwrap();
        self.inside(move || Ok(connect(address))).await
    }

    pub async fn udp(&self, address: &str) -> UdpSocket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = self.inside(move || Ok(UdpSocket::bind(address).unwrap())).await;
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        socket
    }

    pub async fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> T {
        netns::inside(&self.namespace, work).await.unwrap()
    }
}

/// The socket's threads end with the test's process.
pub fn echo(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// From the thread's namespace.
pub fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(1500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    Some(stream)
}

/// Whether what is sent comes back.
pub fn talks(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut buffer).is_ok()
}

fn owned(program: &str, arguments: &[&str]) -> (String, Vec<String>) {
    (program.to_owned(), arguments.iter().map(|&argument| argument.to_owned()).collect())
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}
