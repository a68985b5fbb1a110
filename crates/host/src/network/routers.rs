//! Applying and removing one router.

use std::collections::HashMap;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::monitor::{self, Watch};
use super::{LinuxNetwork, delete_links, of_namespace, wanted};
use crate::link::netlink::Netlink;
use crate::link::packet::PacketSocket;
use crate::link::plan::{Mac, Observed, Step};
use crate::link::{execute, observe};
use crate::metadata::{self, Place};
use crate::nft::{self, Loaded};
use crate::plan::{RouterPlan, RouterPort};
use crate::{Drift, Error, Result, advertise, conntrack, names, netns};

/// What this process holds of a router besides what is in the kernel.
#[derive(Default)]
pub struct State {
    rules: Option<Loaded>,
    metadata: Option<metadata::Server>,
    announcers: JoinSet<()>,
    /// By link.
    advertisers: HashMap<String, advertise::Server>,
    watch: Option<Watch>,
}

struct Visit {
    rules: Option<Loaded>,
    metadata: Option<std::net::TcpListener>,
    announcements: Option<(PacketSocket, Vec<Announcement>)>,
    advertise: Vec<(String, advertise::Sockets)>,
    watch: Option<(File, monitor::Sockets)>,
}

/// An address that is new on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Announcement {
    link: u32,
    mac: Mac,
    address: Ipv4Addr,
}

impl LinuxNetwork {
    pub(super) async fn apply_router_to(&self, plan: &RouterPlan, state: &mut State) -> Result<()> {
        let ports: Vec<RouterPort> = match plan.admin_up {
            true => plan
                .interfaces
                .iter()
                .chain(plan.gateway.iter().map(|gateway| &gateway.port))
                .cloned()
                .collect(),
            false => Vec::new(),
        };
        let mut peers = HashMap::new();
        for (number, port) in ports.iter().enumerate() {
            let link = match number < plan.interfaces.len() {
                true => names::router_link(&port.port_id),
                false => names::gateway_link(&port.port_id),
            };
            peers.insert(link, self.open_network(&port.network_id, &plan.id)?);
        }
        let links: Vec<String> = peers.keys().cloned().collect();
        let namespace = self.router_namespace(&plan.id);
        self.note(|| of_namespace(&namespace))?;
        if let Some(watch) = &state.watch {
            watch.restore(&namespace)?;
        }
        if netns::create(&namespace, &plan.id).await? {
            *state = State::default();
            for port in &ports {
                self.delete_peer(port).await?;
            }
        }
        self.callers.set_router(plan);
        let advertisements = advertisements(plan);
        let ended: Vec<String> = state
            .advertisers
            .iter()
            .filter(|(link, server)| !server.is_alive() || !advertisements.contains_key(*link))
            .map(|(link, _)| link.clone())
            .collect();
        for link in ended {
            if let Some(server) = state.advertisers.remove(&link) {
                server.stop().await;
            }
        }
        if let Some(server) = state.metadata.take_if(|server| !server.is_alive()) {
            tracing::error!("a metadata server had ended: starting another");
            server.stop().await;
        }
        let advertised =
            |link: &String| (link.clone(), state.advertisers.get(link).map(|server| server.link));
        let visitor = Visitor {
            plan: plan.clone(),
            peers,
            advertised: advertisements.keys().map(advertised).collect(),
            rules: state.rules.take(),
            watch: state.watch.is_none(),
            listen: state.metadata.is_none() && self.metadata.get().is_some(),
        };
        let visit = netns::inside(&namespace, move || visitor.work()).await?;
        state.rules = visit.rules;
        let mut connected = false;
        for port in ports {
            connected |= self.connect_peer(port).await?;
        }
        if connected {
            netns::inside(&namespace, move || {
                let mut netlink = Netlink::open()?;
                links.iter().try_for_each(|link| netlink.settle(link))
            })
            .await?;
        }
        if let (Some(listener), Some(source)) = (visit.metadata, self.metadata.get()) {
            let place = Place::Router(plan.id.clone());
            let server =
                metadata::Server::start(listener, place, Arc::clone(&self.callers), Arc::clone(source))?;
            state.metadata = Some(server);
        }
        for (link, sockets) in visit.advertise {
            if let Some(message) = advertisements.get(&link) {
                state.advertisers.insert(link, advertise::Server::start(sockets, message.clone())?);
            }
        }
        for (link, message) in advertisements {
            if let Some(server) = state.advertisers.get(&link) {
                server.replace(message);
            }
        }
        while state.announcers.try_join_next().is_some() {}
        if let Some((socket, announcements)) = visit.announcements {
            state.announcers.spawn(announce(socket, announcements));
        }
        if let Some(opened) = visit.watch {
            let drift = Drift::Router(plan.id.clone());
            state.watch = Some(Watch::start(opened, namespace, drift, self.drifts.clone())?);
        }
        if let Some(watch) = &state.watch {
            watch.monitor.settle(false);
        }
        Ok(())
    }

    pub(super) async fn remove_router_from(&self, id: &str, state: &mut State) -> Result<()> {
        self.callers.remove_router(id);
        state.watch = None;
        state.announcers.shutdown().await;
        for server in std::mem::take(&mut state.advertisers).into_values() {
            server.stop().await;
        }
        if let Some(server) = state.metadata.take() {
            server.stop().await;
        }
        let namespace = self.router_namespace(id);
        if netns::is_namespace(&namespace.path()) {
            netns::inside(&namespace, delete_links).await?;
        }
        netns::remove(&namespace)?;
        self.forget(|| of_namespace(&namespace))
    }

    fn open_network(&self, network_id: &str, router_id: &str) -> Result<File> {
        let path = self.namespace(network_id).path();
        File::open(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::Link(format!(
                "router {router_id} needs network {network_id}, which has not been applied: apply it first"
            )),
            _ => Error::File { operation: "open", path, source },
        })
    }

    /// For a new namespace: a predecessor that lost its name may linger, and the other ends of its links with it.
    async fn delete_peer(&self, port: &RouterPort) -> Result<()> {
        let peer = names::router_peer(&port.port_id);
        netns::inside(&self.namespace(&port.network_id), move || {
            let mut netlink = Netlink::open()?;
            netlink.index(&peer)?.map_or(Ok(()), |index| netlink.delete_link(index))
        })
        .await
    }

    /// Puts the other end of a router's link on its network's bridge; false if it was there.
    async fn connect_peer(&self, port: RouterPort) -> Result<bool> {
        let namespace = self.namespace(&port.network_id);
        netns::inside(&namespace, move || {
            let mut netlink = Netlink::open()?;
            let observed = Observed { links: observe::observe_links(&mut netlink)?, routes: Vec::new() };
            let steps = execute::reconcile(&mut netlink, &observed, &wanted::router_peer(&port), &|link| {
                Err(Error::Link(format!("{link} is not there: apply its router again")))
            })?;
            Ok(!steps.is_empty())
        })
        .await
    }
}

/// The work inside the namespace.
struct Visitor {
    plan: RouterPlan,
    /// The namespace of the network that each link leads to.
    peers: HashMap<String, File>,
    /// Links that shall advertise, and the index of the link on which that is done already.
    advertised: Vec<(String, Option<u32>)>,
    rules: Option<Loaded>,
    watch: bool,
    listen: bool,
}

impl Visitor {
    fn work(mut self) -> Result<Visit> {
        sysctls()?;
        let changed = nft::load(&nft::router::render(&self.plan), &mut self.rules)?;
        let mut netlink = Netlink::open()?;
        let observed = observe::observe(&mut netlink)?;
        let (wanted, unreachable) = wanted::router(&self.plan);
        for (destination, next_hop) in unreachable {
            tracing::warn!(router = self.plan.id, %destination, %next_hop, "no link leads to this route's next hop");
        }
        let steps = execute::reconcile(&mut netlink, &observed, &wanted, &|link| {
            let peer = self.peers.get(link).map(AsRawFd::as_raw_fd);
            peer.ok_or_else(|| Error::Link(format!("{link} leads to no network")))
        })?;
        if changed {
            let forgotten = conntrack::sweep_router(&self.plan)?;
            tracing::debug!(router = self.plan.id, forgotten, "rules loaded");
        }
        if !steps.is_empty() {
            tracing::debug!(router = self.plan.id, ?steps, "router changed");
        }
        let observed = Observed { links: observe::observe_links(&mut netlink)?, routes: Vec::new() };
        let announcements = announcements(&steps, &observed);
        let mut advertise = Vec::new();
        for (name, before) in self.advertised {
            let index = observed.links.iter().find(|link| link.name == name).map(|link| link.index);
            if let Some(index) = index.filter(|index| before != Some(*index)) {
                let sockets = advertise::Sockets::open(&name, index)?;
                advertise.push((name, sockets));
            }
        }
        Ok(Visit {
            rules: self.rules,
            metadata: self.listen.then(metadata::listen).transpose()?,
            announcements: match announcements.is_empty() {
                true => None,
                false => Some((PacketSocket::open()?, announcements)),
            },
            advertise,
            watch: self.watch.then(monitor::open).transpose()?,
        })
    }
}

/// What is advertised, by link.
fn advertisements(plan: &RouterPlan) -> HashMap<String, Vec<u8>> {
    let interfaces = plan.interfaces.iter().filter(|_| plan.admin_up);
    interfaces
        .filter_map(|port| Some((names::router_link(&port.port_id), advertise::message(port)?)))
        .collect()
}

fn announcements(steps: &[Step], observed: &Observed) -> Vec<Announcement> {
    let new = steps.iter().filter_map(|step| match step {
        Step::AddAddress { link, address } => Some((link, address.addr())),
        _ => None,
    });
    new.filter_map(|(name, address)| {
        let link = observed.links.iter().find(|link| link.name == *name && link.name != "lo")?;
        match address {
            IpAddr::V4(address) => Some(Announcement { link: link.index, mac: link.mac?, address }),
            IpAddr::V6(_) => None,
        }
    })
    .collect()
}

/// Neighbours that have just learnt another MAC for the address refuse to learn anew within a second, so it is said
/// again.
async fn announce(socket: PacketSocket, announcements: Vec<Announcement>) {
    for pause in [0, 1200, 2000] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        for Announcement { link, mac, address } in &announcements {
            if let Err(error) = socket.announce(*link, *mac, *address) {
                tracing::debug!(%error, %address, "announcing an address");
            }
        }
    }
}

fn sysctls() -> Result<()> {
    netns::sysctl("net/ipv4/ip_forward", "1")?;
    for interface in ["all", "default"] {
        // A floating address is answered for outside only, and metadata's never.
        netns::sysctl(&format!("net/ipv4/conf/{interface}/arp_ignore"), "1")?;
        netns::sysctl(&format!("net/ipv4/conf/{interface}/promote_secondaries"), "1")?;
        netns::sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "0")?;
        // From one subnet back into it is what a floating address does; the router stays in between.
        netns::sysctl(&format!("net/ipv4/conf/{interface}/send_redirects"), "0")?;
        if std::path::Path::new("/proc/sys/net/ipv6").exists() {
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_ra"), "0")?;
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0")?;
            netns::sysctl(&format!("net/ipv6/conf/{interface}/forwarding"), "1")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::plan::ObservedLink;

    #[test]
    fn only_new_addresses_are_announced() {
        let link = |index, name: &str| ObservedLink {
            index,
            name: name.into(),
            mac: Some([2, 0, 0, 0, 0, index as u8]),
            ..ObservedLink::default()
        };
        let observed =
            Observed { links: vec![link(1, "lo"), link(2, "qg-1"), link(3, "qr-1")], routes: vec![] };
        let add = |link: &str, address: &str| Step::AddAddress {
            link: link.into(),
            address: address.parse().unwrap(),
        };
        let steps = [
            add("lo", "169.254.169.254/32"),
            add("qg-1", "198.51.100.7/32"),
            add("qr-1", "2001:db8::1/64"),
            Step::DeleteAddress { link: "qr-1".into(), address: "10.0.0.1/24".parse().unwrap() },
        ];
        let expected = Announcement { link: 2, mac: [2, 0, 0, 0, 0, 2], address: [198, 51, 100, 7].into() };
        assert_eq!(announcements(&steps, &observed), [expected]);
    }
}
