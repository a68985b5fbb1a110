//! Applying and removing one network.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;

use super::monitor::{self, Watch};
use super::{LinuxNetwork, delete_links, of_namespace, wanted};
use crate::ledger::{Ledger, Thing};
use crate::link::netlink::Netlink;
use crate::link::packet::PacketSocket;
use crate::link::plan::{Mac, ObservedLink, Step};
use crate::link::{execute, observe, shape, trunk};
use crate::metadata::{self, Place};
use crate::nft::Loaded;
use crate::nft::network::{Outcome, Rules};
use crate::plan::{Dhcpv6, NetworkPlan, PortKind, PortPlan};
use crate::{Drift, Error, Result, conntrack, names, netns};
use crate::{dhcp, dhcpv6, dns};

/// What this process holds of a network besides what is in the kernel.
#[derive(Default)]
pub struct State {
    rules: Rules,
    /// The plan whose rules those are; set when all of it was applied.
    applied: Option<NetworkPlan>,
    pub(super) host_rules: Option<Loaded>,
    dhcp: Option<dhcp::Server>,
    dhcpv6: Option<dhcpv6::Server>,
    dns: dns::Relay,
    metadata: Option<metadata::Server>,
    /// With the index of the bridge that it answers on.
    metadata6: Option<(metadata::Server, u32)>,
    watch: Option<Watch>,
}

/// What a visit to the namespace brought back.
struct Visit {
    rules: Rules,
    host_link_gone: bool,
    /// Index and MAC.
    bridge: (u32, Mac),
    dhcp: Option<dhcp::Sockets>,
    dhcpv6: Option<PacketSocket>,
    dns: Vec<dns::Sockets>,
    metadata: Option<std::net::TcpListener>,
    metadata6: Option<std::net::TcpListener>,
    watch: Option<(File, monitor::Sockets)>,
}

impl LinuxNetwork {
    pub(super) async fn apply_network_to(&self, plan: &NetworkPlan, state: &mut State) -> Result<()> {
        let namespace = self.namespace(&plan.id);
        self.note(|| of_namespace(&namespace))?;
        if let Some(watch) = &state.watch {
            watch.restore(&namespace)?;
        }
        if netns::create(&namespace, &plan.id).await? {
            // Whatever this process knew was of a namespace that is gone.
            // In a new one there are no connections, as under a plan without ports.
            let empty = NetworkPlan { ports: Vec::new(), ..plan.clone() };
            *state = State { host_rules: state.host_rules.take(), applied: Some(empty), ..State::default() };
        } else if let Some(before) =
            state.applied.take_if(|before| before != plan && only_machines(before, plan))
        {
            return self.apply_machines(plan, before, state).await;
        }
        self.callers.set_network(plan);
        let before = state.applied.clone();
        let resolving = dns::addresses(plan);
        let mut unheard = resolving.clone();
        unheard.retain(|address| !state.dns.listens_on().contains(address));
        self.bury_the_dead(state).await;
        if plan.subnets.iter().all(|subnet| subnet.dhcpv6 == Dhcpv6::Off)
            && let Some(server) = state.dhcpv6.take()
        {
            server.stop().await;
        }
        let visitor = Visitor {
            plan: plan.clone(),
            applied: state.applied.take(),
            rules: std::mem::take(&mut state.rules),
            dhcp_bridge: state.dhcp.as_ref().map(|server| server.bridge),
            dhcpv6_bridge: state.dhcpv6.as_ref().map(|server| server.bridge),
            unheard,
            listen: state.metadata.is_none() && self.metadata.get().is_some(),
            metadata6: self.metadata.get().is_some(),
            metadata6_on: state.metadata6.as_ref().map(|(_, bridge)| *bridge),
            watch: state.watch.is_none(),
            host_end: self.host_end(plan).await?,
            ledger: self.options.ledger.clone(),
        };
        let visit = netns::inside(&namespace, move || visitor.work()).await?;
        state.rules = visit.rules;

        state.dns.know(dns::Names::new(plan));
        state.dns.update(&resolving, visit.dns)?;
        let table = dhcp::Table::new(plan);
        match (visit.dhcp, &state.dhcp) {
            (Some(sockets), _) => state.dhcp = Some(dhcp::Server::start(sockets, table)?),
            (None, Some(server)) => server.replace(table),
            (None, None) => {}
        }
        let table = dhcpv6::Table::new(plan);
        match (visit.dhcpv6, &state.dhcpv6) {
            (Some(socket), _) => {
                state.dhcpv6 = Some(dhcpv6::Server::start(socket, visit.bridge, table)?);
            }
            (None, Some(server)) => server.replace(table),
            (None, None) => {}
        }
        if let (Some(listener), Some(source)) = (visit.metadata, self.metadata.get()) {
            let place = Place::Network(plan.id.clone());
            let server =
                metadata::Server::start(listener, place, Arc::clone(&self.callers), Arc::clone(source))?;
            state.metadata = Some(server);
        }
        if let (Some(listener), Some(source)) = (visit.metadata6, self.metadata.get()) {
            let place = Place::Network(plan.id.clone());
            let server =
                metadata::Server::start(listener, place, Arc::clone(&self.callers), Arc::clone(source))?;
            state.metadata6 = Some((server, visit.bridge.0));
        }
        if visit.host_link_gone {
            self.remove_host_end(&plan.id, state).await?;
        }
        self.apply_host_end(plan, state).await?;
        let unserved = self.apply_trunks(plan, before.as_ref()).await?;
        self.unserved_subports().insert(plan.id.clone(), unserved);
        state.applied = Some(plan.clone());
        if let Some(opened) = visit.watch {
            let drift = Drift::Network(plan.id.clone());
            state.watch = Some(Watch::start(opened, namespace, drift, self.drifts.clone())?);
        }
        if let Some(watch) = &state.watch {
            watch.monitor.settle(taps_matter(plan));
        }
        Ok(())
    }

    /// The quick way, when nothing but machines' ports differs from what was applied before: links and addresses are not
    /// looked at. Whoever wants them looked at applies an equal plan.
    async fn apply_machines(&self, plan: &NetworkPlan, before: NetworkPlan, state: &mut State) -> Result<()> {
        self.callers.set_network(plan);
        let mut rules = std::mem::take(&mut state.rules);
        let wanted = plan.clone();
        let load = move || {
            load_rules(&mut rules, Some(&before), &wanted)?;
            shape::apply(Some(&before), &wanted)?;
            Ok((rules, wanted))
        };
        let (rules, applied) = netns::inside(&self.namespace(&plan.id), load).await?;
        state.rules = rules;
        state.applied = Some(applied);
        state.dns.know(dns::Names::new(plan));
        if let Some(server) = &state.dhcp {
            server.replace(dhcp::Table::new(plan));
        }
        if let Some(server) = &state.dhcpv6 {
            server.replace(dhcpv6::Table::new(plan));
        }
        if let Some(watch) = &state.watch {
            watch.monitor.settle(taps_matter(plan));
        }
        Ok(())
    }

    /// What ended by a fault of its own is started again.
    async fn bury_the_dead(&self, state: &mut State) {
        if let Some(server) = state.dhcp.take_if(|server| !server.is_alive()) {
            tracing::error!("a DHCP server had ended: starting another");
            server.stop().await;
        }
        if let Some(server) = state.dhcpv6.take_if(|server| !server.is_alive()) {
            tracing::error!("a DHCPv6 server had ended: starting another");
            server.stop().await;
        }
        if let Some(server) = state.metadata.take_if(|server| !server.is_alive()) {
            tracing::error!("a metadata server had ended: starting another");
            server.stop().await;
        }
        if let Some((server, _)) = state.metadata6.take_if(|(server, _)| !server.is_alive()) {
            tracing::error!("a metadata server of IPv6 had ended: starting another");
            server.stop().await;
        }
    }

    pub(super) async fn remove_network_from(&self, id: &str, state: &mut State) -> Result<()> {
        self.callers.remove_network(id);
        if let Some(server) = state.dhcp.take() {
            server.stop().await;
        }
        if let Some(server) = state.dhcpv6.take() {
            server.stop().await;
        }
        std::mem::take(&mut state.dns).stop().await;
        if let Some(server) = state.metadata.take() {
            server.stop().await;
        }
        if let Some((server, _)) = state.metadata6.take() {
            server.stop().await;
        }
        state.watch = None;
        self.remove_host_end(id, state).await?;
        let namespace = self.namespace(id);
        if netns::is_namespace(&namespace.path()) {
            netns::inside(&namespace, delete_links).await?;
        }
        netns::remove(&namespace)?;
        self.forget(|| of_namespace(&namespace))
    }
}

/// The work inside the namespace.
struct Visitor {
    plan: NetworkPlan,
    applied: Option<NetworkPlan>,
    rules: Rules,
    dhcp_bridge: Option<u32>,
    dhcpv6_bridge: Option<(u32, Mac)>,
    /// Addresses on which DNS sockets are to be opened.
    unheard: Vec<std::net::Ipv4Addr>,
    listen: bool,
    metadata6: bool,
    metadata6_on: Option<u32>,
    watch: bool,
    /// The daemon's own namespace, and whether the host's end is there.
    host_end: (File, bool),
    ledger: Option<Arc<Ledger>>,
}

impl Visitor {
    fn work(mut self) -> Result<Visit> {
        sysctls(self.ledger.as_deref())?;
        // Rules first: they name links, so they may be there before them, and nothing ever passes unjudged.
        load_rules(&mut self.rules, self.applied.as_ref(), &self.plan)?;
        let mut netlink = Netlink::open()?;
        let mut observed = observe::observe(&mut netlink)?;
        let (host_namespace, host_end_there) = &self.host_end;
        let orphan = |link: &ObservedLink| {
            link.name == names::HOST_LINK_PEER && self.plan.host_link.is_some() && !host_end_there
        };
        if let Some(at) = observed.links.iter().position(orphan) {
            // Its other end is in a namespace in which no daemon runs any more.
            netlink.delete_link(observed.links.remove(at).index)?;
        }
        let wanted = wanted::network(&self.plan);
        let host = host_namespace.as_raw_fd();
        let steps = execute::reconcile(&mut netlink, &observed, &wanted, &|_| Ok(host))?;
        if !steps.is_empty() {
            tracing::debug!(network = self.plan.id, ?steps, "network changed");
        }
        shape::apply(self.applied.as_ref(), &self.plan)?;
        let index = netlink
            .index(names::BRIDGE)?
            .ok_or_else(|| Error::Link(format!("the bridge of network {} vanished", self.plan.id)))?;
        let bridge = (index, wanted::bridge_mac(&self.plan));
        let has_metadata6 = metadata::link_local::address(&mut netlink, index)?;
        // A socket on a link-local address is bound to the link as well, and hears nothing on another of its name.
        let listen6 = self.metadata6 && has_metadata6 && self.metadata6_on != Some(index);
        let dhcpv6 = self.plan.subnets.iter().any(|subnet| subnet.dhcpv6 != Dhcpv6::Off)
            && self.dhcpv6_bridge != Some(bridge);
        let gone = Step::DeleteLink { link: names::HOST_LINK_PEER.to_owned() };
        Ok(Visit {
            rules: self.rules,
            host_link_gone: steps.contains(&gone),
            bridge,
            dhcp: match self.dhcp_bridge == Some(index) {
                true => None,
                false => Some(dhcp::Sockets::open(index)?),
            },
            dhcpv6: dhcpv6.then(|| dhcpv6::Server::listen(index)).transpose()?,
            dns: self.unheard.iter().map(|address| dns::Sockets::open(*address)).collect::<Result<_>>()?,
            metadata: self.listen.then(metadata::listen).transpose()?,
            metadata6: listen6.then(|| metadata::link_local::listen(index)).transpose()?,
            watch: self.watch.then(monitor::open).transpose()?,
        })
    }
}

/// `before`: what was applied last, if that is known.
fn load_rules(rules: &mut Rules, before: Option<&NetworkPlan>, plan: &NetworkPlan) -> Result<()> {
    let before = match rules.load(plan)? {
        Outcome::Same => return Ok(()),
        Outcome::Changed => before,
        Outcome::Restored => None,
    };
    let forgotten = conntrack::sweep_network(before, plan)?;
    tracing::debug!(network = plan.id, forgotten, "rules loaded");
    Ok(())
}

/// Whether something is to be done when a tap comes.
fn taps_matter(plan: &NetworkPlan) -> bool {
    shape::limits(plan) || trunk::any(plan)
}

/// Whether two plans of a network are the same but for machines' ports and what is known of their peers.
fn only_machines(before: &NetworkPlan, after: &NetworkPlan) -> bool {
    let NetworkPlan { id, mtu, subnets, ports: _, groups: _, host_link } = before;
    // The cloud's own ports are addresses and links of the namespace.
    let own = |plan: &'_ NetworkPlan| -> Vec<PortPlan> {
        let own = plan.ports.iter().filter(|port| matches!(port.kind, PortKind::Router | PortKind::Dhcp));
        own.cloned().collect()
    };
    !trunk::any(before)
        && !trunk::any(after)
        && (id, mtu, subnets, host_link) == (&after.id, &after.mtu, &after.subnets, &after.host_link)
        && own(before) == own(after)
}

fn sysctls(ledger: Option<&Ledger>) -> Result<()> {
    if !std::path::Path::new("/proc/sys/net/bridge").exists() {
        if let Some(ledger) = ledger {
            ledger.note(Thing::Module { name: "br_netfilter".to_owned() })?;
        }
        // A missing modprobe shows below as well as a missing module does.
        let _ = Command::new("modprobe").arg("br_netfilter").output();
        if !std::path::Path::new("/proc/sys/net/bridge").exists() {
            return Err(Error::Refused(
                "security groups need the kernel module br_netfilter: load it with `modprobe br_netfilter`"
                    .to_owned(),
            ));
        }
    }
    netns::sysctl("net/bridge/bridge-nf-call-iptables", "1")?;
    netns::sysctl("net/bridge/bridge-nf-call-ip6tables", "1")?;
    // Some of these would be inherited from the host.
    netns::sysctl("net/ipv4/ip_forward", "0")?;
    netns::sysctl("net/ipv4/conf/all/promote_secondaries", "1")?;
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        netns::sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
    }
    Ok(())
}
