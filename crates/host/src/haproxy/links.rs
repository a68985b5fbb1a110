//! The links of a load balancer's namespace: the VIP's, and one into each other subnet that members are in.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

use super::enforced::Enforced;
use crate::balancer::{BalancerPlan, LinkPlan};
use crate::link::netlink::Netlink;
use crate::link::plan::{Observed, Wanted, WantedKind, WantedLink, parse_mac};
use crate::link::{execute, observe};
use crate::names::{self, NetnsName};
use crate::{Error, Result, netns};

fn all(plan: &BalancerPlan) -> impl Iterator<Item = &LinkPlan> {
    std::iter::once(&plan.vip).chain(&plan.legs)
}

/// Links, addresses, routes and rules. The other ends are on the networks' bridges afterwards.
pub async fn connect(
    prefix: &str,
    plan: &BalancerPlan,
    namespace: &NetnsName,
    enforced: &Arc<Mutex<Enforced>>,
) -> Result<()> {
    let mut networks: BTreeMap<NetnsName, Vec<LinkPlan>> = BTreeMap::new();
    let mut files = HashMap::new();
    for link in all(plan) {
        let network = NetnsName::network(prefix, &link.network_id);
        files.insert(names::balancer_link(&link.port_id), open(&network, &plan.id)?);
        networks.entry(network).or_default().push(link.clone());
    }
    let (enforced, plan_of_rules, links) = (enforced.clone(), plan.clone(), wanted(plan));
    netns::inside(namespace, move || {
        sysctls(plan_of_rules.listeners.iter().any(|listener| listener.forwarded))?;
        enforced.lock().unwrap_or_else(PoisonError::into_inner).apply(&plan_of_rules)?;
        let mut netlink = Netlink::open()?;
        let observed = observe::observe(&mut netlink)?;
        execute::reconcile(&mut netlink, &observed, &links, &|link| {
            let file = files.get(link).ok_or_else(|| Error::Link(format!("{link} leads nowhere")))?;
            Ok(file.as_raw_fd())
        })?;
        Ok(())
    })
    .await?;
    for (network, links) in networks {
        netns::inside(&network, move || {
            let mut netlink = Netlink::open()?;
            let observed = Observed { links: observe::observe_links(&mut netlink)?, routes: Vec::new() };
            execute::reconcile(&mut netlink, &observed, &peers(&links), &|link| {
                Err(Error::Link(format!("{link} is not there: apply its load balancer again")))
            })
        })
        .await?;
    }
    let own: Vec<String> = all(plan).map(|link| names::balancer_link(&link.port_id)).collect();
    netns::inside(namespace, move || {
        let mut netlink = Netlink::open()?;
        own.iter().try_for_each(|link| netlink.settle(link))
    })
    .await
}

/// Takes ends off the networks' bridges that are left of a namespace which has lost its name.
pub async fn cut(prefix: &str, plan: &BalancerPlan) -> Result<()> {
    for link in all(plan) {
        let network = NetnsName::network(prefix, &link.network_id);
        let peer = names::tap(&link.port_id);
        netns::inside(&network, move || {
            let mut netlink = Netlink::open()?;
            netlink.index(&peer)?.map_or(Ok(()), |index| netlink.delete_link(index))
        })
        .await?;
    }
    Ok(())
}

fn open(network: &NetnsName, id: &str) -> Result<File> {
    let path = network.path();
    File::open(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Link(format!(
            "load balancer {id} needs network namespace {network}, which is not there: apply its network first"
        )),
        _ => Error::File { operation: "open", path, source },
    })
}

fn wanted(plan: &BalancerPlan) -> Wanted {
    let links = all(plan).map(|link| WantedLink {
        name: names::balancer_link(&link.port_id),
        kind: WantedKind::Veth { peer: names::tap(&link.port_id) },
        mac: parse_mac(&link.mac),
        mtu: Some(link.mtu),
        bridge: None,
        addresses: Some(link.addresses.clone()),
    });
    let reachable = |hop: &IpAddr| all(plan).flat_map(|link| &link.addresses).any(|own| own.contains(hop));
    // The VIP's come first, and the first of a destination counts.
    let routes: Vec<(IpNet, IpAddr)> =
        all(plan).flat_map(|link| link.routes.iter().copied()).filter(|(_, hop)| reachable(hop)).collect();
    Wanted {
        links: links.collect(),
        routes: Some(routes),
        port_mtu: None,
        ports: None,
        ours: &[names::BALANCER_LINKS],
    }
}

/// The ends on a network's bridge. They have machines' names, so that whatever looks after those looks after them.
fn peers(links: &[LinkPlan]) -> Wanted {
    let links = links.iter().map(|link| WantedLink {
        name: names::tap(&link.port_id),
        kind: WantedKind::Present,
        mac: None,
        mtu: Some(link.mtu),
        bridge: Some(names::BRIDGE),
        addresses: None,
    });
    Wanted { links: links.collect(), routes: None, port_mtu: None, ports: None, ours: &[] }
}

fn sysctls(forwards: bool) -> Result<()> {
    let forwards = if forwards { "1" } else { "0" };
    netns::sysctl("net/ipv4/ip_forward", forwards)?;
    // For the pings of root's own.
    netns::sysctl("net/ipv4/ping_group_range", "0 0")?;
    netns::sysctl("net/ipv4/ip_local_port_range", "1026 65535")?;
    // Many short connections to one member, and many at once from everywhere.
    netns::sysctl("net/ipv4/tcp_tw_reuse", "1")?;
    netns::sysctl("net/ipv4/tcp_fin_timeout", "5")?;
    netns::sysctl("net/ipv4/tcp_max_syn_backlog", "65535")?;
    netns::sysctl("net/core/somaxconn", "65535")?;
    // Two links may be on one bridge: each answers for its own addresses.
    netns::sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
    netns::sysctl("net/ipv4/conf/all/arp_announce", "2")?;
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        netns::sysctl("net/ipv6/conf/all/forwarding", forwards)?;
    }
    for interface in ["all", "default"] {
        netns::sysctl(&format!("net/ipv4/conf/{interface}/promote_secondaries"), "1")?;
        if std::path::Path::new("/proc/sys/net/ipv6").exists() {
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_ra"), "0")?;
            netns::sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0")?;
        }
    }
    Ok(())
}
