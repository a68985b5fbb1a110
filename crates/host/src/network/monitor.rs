//! Notices what others do to a namespace of ours, so that it is repaired in a moment and not at the next round.
//!
//! The kernel tells each namespace's sockets of changes of links, addresses, routes and rules. What we did ourselves is
//! heard too: an apply forgets it at its end ([`Monitor::settle`]). A message too many costs one look that finds nothing.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::names::NetnsName;
use crate::nfnetlink::attributes;
use crate::{Drift, Error, Result, netns};

/// Changes come in flocks.
const FLOCK: Duration = Duration::from_millis(200);
/// Nobody tells of a namespace that lost its name.
const ROUND: Duration = Duration::from_secs(5);

/// RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE.
const LINK_GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
/// NFNLGRP_NFTABLES.
const RULE_GROUPS: [u32; 1] = [7];

/// Opened in a namespace, used from anywhere.
pub struct Sockets([Socket; 2]);

impl Sockets {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let open = |protocol, groups: &[u32]| -> io::Result<Socket> {
            let mut socket = Socket::new(protocol)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            groups.iter().try_for_each(|group| socket.add_membership(*group))?;
            socket.set_non_blocking(true)?;
            Ok(socket)
        };
        let both = || Ok(Self([open(NETLINK_ROUTE, &LINK_GROUPS)?, open(NETLINK_NETFILTER, &RULE_GROUPS)?]));
        both().map_err(|error: io::Error| Error::Link(format!("cannot watch a namespace: {error}")))
    }
}

/// The calling thread's namespace itself, and sockets in it.
pub fn open() -> Result<(File, Sockets)> {
    const PATH: &str = "/proc/thread-self/ns/net";
    let namespace =
        File::open(PATH).map_err(|source| Error::File { operation: "open", path: PATH.into(), source })?;
    Ok((namespace, Sockets::open()?))
}

/// A namespace that is watched, and kept: whoever takes its name away does not take its machines' links.
pub struct Watch {
    namespace: File,
    pub monitor: Monitor,
}

impl Watch {
    pub fn start(
        (namespace, sockets): (File, Sockets),
        name: NetnsName,
        what: Drift,
        tell: broadcast::Sender<Drift>,
    ) -> Result<Self> {
        Ok(Self { namespace, monitor: Monitor::start(sockets, name, what, tell)? })
    }

    /// Gives the namespace its name back.
    pub fn restore(&self, name: &NetnsName) -> Result<()> {
        if netns::restore(name, &self.namespace)? {
            tracing::warn!(namespace = %name, "it had lost its name: given back");
        }
        Ok(())
    }
}

/// Watches until it is dropped.
pub struct Monitor {
    watched: Arc<Watched>,
    task: JoinHandle<()>,
}

struct Watched {
    links: AsyncFd<Socket>,
    rules: AsyncFd<Socket>,
    /// Taps that come matter: they are to be limited.
    taps_matter: AtomicBool,
}

impl Monitor {
    pub fn start(
        sockets: Sockets,
        namespace: NetnsName,
        what: Drift,
        tell: broadcast::Sender<Drift>,
    ) -> Result<Self> {
        // SAFETY: a socket is open and the same for as long as it lives, and the AsyncFd owns it.
        #[allow(unsafe_code)]
        let register = |socket| {
            unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
                .map_err(|error| Error::Link(format!("cannot watch {namespace}: {error}")))
        };
        let Sockets([links, rules]) = sockets;
        let watched = Arc::new(Watched {
            links: register(links)?,
            rules: register(rules)?,
            taps_matter: AtomicBool::new(false),
        });
        let task = tokio::spawn(watch(Arc::clone(&watched), namespace, what, tell));
        Ok(Self { watched, task })
    }

    /// Forgets what was heard so far: it was we who did it.
    pub fn settle(&self, taps_matter: bool) {
        self.watched.taps_matter.store(taps_matter, Ordering::Relaxed);
        for socket in [&self.watched.links, &self.watched.rules] {
            while receive(socket.get_ref()).is_ok() {}
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(watched: Arc<Watched>, namespace: NetnsName, what: Drift, tell: broadcast::Sender<Drift>) {
    loop {
        let heard = tokio::select! {
            ready = watched.links.readable() => ready.is_ok(),
            ready = watched.rules.readable() => ready.is_ok(),
            () = tokio::time::sleep(ROUND) => false,
        };
        let mut drifted = !netns::is_namespace(&namespace.path());
        if heard {
            tokio::time::sleep(FLOCK).await;
            let taps = watched.taps_matter.load(Ordering::Relaxed);
            drifted |= drain(&watched.links, |datagram| link_matters(datagram, taps));
            drifted |= drain(&watched.rules, |_| true);
        }
        if drifted {
            tracing::info!(%namespace, "somebody changed it: looking after it");
            // Nobody listens in tests.
            let _ = tell.send(what.clone());
        }
        if !heard && drifted {
            // Until it has its name again, once a round is enough.
            tokio::time::sleep(ROUND).await;
        }
    }
}

/// Whether anything of what was heard matters.
fn drain(socket: &AsyncFd<Socket>, matters: impl Fn(&[u8]) -> bool) -> bool {
    let mut any = false;
    loop {
        match receive(socket.get_ref()) {
            Ok(datagram) => any |= matters(&datagram),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // More was said than the socket can hold.
            Err(_) => any = true,
        }
    }
    // The runtime learns that nothing is left.
    let _ = socket.try_io(Interest::READABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    any
}

fn receive(socket: &Socket) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(8192);
    socket.recv(&mut buffer, 0)?;
    Ok(buffer)
}

/// What went matters, and what went down; what came was made by us or QEMU.
fn link_matters(datagram: &[u8], taps: bool) -> bool {
    const NEW_LINK: u16 = 16;
    const DELETED: [u16; 3] = [17, 21, 25];
    const HEADER: usize = 16;
    const LINK_HEADER: usize = 16;
    const NAME: u16 = 3;
    const UP: u32 = 1;
    let mut rest = datagram;
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length) as usize) {
        let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER) else { return true };
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        if DELETED.contains(&kind) {
            return true;
        }
        if kind == NEW_LINK
            && let Some(body) = message.get(HEADER + LINK_HEADER..)
        {
            let flags = message[HEADER + 8..].first_chunk().map_or(UP, |flags| u32::from_ne_bytes(*flags));
            let tap = attributes(body).any(|(kind, name)| kind == NAME && name.starts_with(b"tap"));
            if (tap && taps) || (!tap && flags & UP == 0) {
                return true;
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nfnetlink::push_attribute;

    fn message(kind: u16, flags: u32, name: &str) -> Vec<u8> {
        let mut body = vec![0; 16];
        body[8..12].copy_from_slice(&flags.to_ne_bytes());
        push_attribute(&mut body, 3, false, &[name.as_bytes(), &[0]].concat());
        let mut bytes = ((body.len() + 16) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn what_went_matters() {
        assert!(link_matters(&message(17, 1, "br0"), false));
        assert!(link_matters(&message(16, 0, "br0"), false), "it is down");
        assert!(!link_matters(&message(16, 1, "br0"), false));
        assert!(!link_matters(&message(16, 0, "tap0"), false), "a machine's");
        assert!(link_matters(&message(16, 1, "tap0"), true), "it is to be limited");
        let both = [message(16, 1, "br0"), message(21, 0, "br0")].concat();
        assert!(link_matters(&both, false), "also the second of one datagram");
        assert!(!link_matters(&[], false));
    }
}
