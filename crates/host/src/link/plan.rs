//! From what is there to what is wanted, as a list of steps. No IO.

use std::net::IpAddr;

use ipnet::IpNet;

pub type Mac = [u8; 6];

/// What is wanted of one namespace (or, for the host's own, of the one link that is ours).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub links: Vec<WantedLink>,
    /// (destination, next hop). Only the first for each destination counts. `None`: routes are none of our business.
    pub routes: Option<Vec<(IpNet, IpAddr)>>,
    /// Every other link on a bridge gets this MTU.
    pub port_mtu: Option<u32>,
    /// Links whose names begin like this belong on that bridge, whoever made them.
    pub ports: Option<(&'static str, &'static [&'static str])>,
    /// Links whose names begin like this are ours: they go when they are not wanted.
    pub ours: &'static [&'static str],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedLink {
    pub name: String,
    pub kind: WantedKind,
    pub mac: Option<Mac>,
    pub mtu: Option<u32>,
    /// Name of the bridge it is a port of.
    pub bridge: Option<&'static str>,
    /// `None`: its addresses are none of our business.
    pub addresses: Option<Vec<IpNet>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedKind {
    /// Somebody else makes it: the kernel (loopback), or whoever makes its other end.
    Present,
    Bridge,
    /// The peer is made along with it, in the namespace that the executor knows by this link's name.
    Veth {
        peer: String,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    pub links: Vec<ObservedLink>,
    /// Static routes of the main table.
    pub routes: Vec<(IpNet, IpAddr)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedLink {
    pub index: u32,
    pub name: String,
    pub alias: Option<String>,
    pub mac: Option<Mac>,
    pub mtu: u32,
    pub up: bool,
    /// Index of the bridge it is a port of.
    pub bridge: Option<u32>,
    /// Without those that the kernel gives by itself.
    pub addresses: Vec<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    DeleteLink { link: String },
    AddBridge { link: String, mac: Mac, mtu: u32 },
    AddVeth { link: String, peer: String, mac: Option<Mac>, mtu: u32 },
    SetMac { link: String, mac: Mac },
    SetMtu { link: String, mtu: u32 },
    SetBridge { link: String, bridge: String },
    SetUp { link: String },
    DeleteAddress { link: String, address: IpNet },
    AddAddress { link: String, address: IpNet },
    DeleteRoute { destination: IpNet, gateway: IpAddr },
    AddRoute { destination: IpNet, gateway: IpAddr },
}

const DEFAULT_MTU: u32 = 1500;

/// Links and their addresses. Nothing is touched whose state matches: a link that carries traffic does not flap.
#[must_use]
pub fn plan_links(observed: &Observed, wanted: &Wanted) -> Vec<Step> {
    let mut steps = Vec::new();
    for link in &observed.links {
        let ours = wanted.ours.iter().any(|prefix| link.name.starts_with(prefix));
        if ours && !wanted.links.iter().any(|wanted| wanted.name == link.name) {
            steps.push(Step::DeleteLink { link: link.name.clone() });
        }
    }
    for link in &wanted.links {
        let there = observed.links.iter().find(|candidate| candidate.name == link.name);
        plan_link(observed, there, link, &mut steps);
    }
    if let Some((bridge, prefixes)) = wanted.ports {
        let index = observed.links.iter().find(|link| link.name == bridge).map(|link| link.index);
        let astray = observed.links.iter().filter(|link| {
            prefixes.iter().any(|prefix| link.name.starts_with(prefix))
                && (index.is_none() || link.bridge != index)
        });
        for link in astray {
            steps.push(Step::SetBridge { link: link.name.clone(), bridge: bridge.to_owned() });
        }
    }
    if let Some(mtu) = wanted.port_mtu {
        let others = observed.links.iter().filter(|link| {
            link.bridge.is_some()
                && link.mtu != mtu
                && !wanted.links.iter().any(|wanted| wanted.name == link.name)
        });
        steps.extend(others.map(|link| Step::SetMtu { link: link.name.clone(), mtu }));
    }
    steps
}

fn plan_link(observed: &Observed, there: Option<&ObservedLink>, link: &WantedLink, steps: &mut Vec<Step>) {
    let name = || link.name.clone();
    let made;
    let now = match (there, &link.kind) {
        (Some(there), _) => there,
        (None, kind) => {
            let mtu = link.mtu.unwrap_or(DEFAULT_MTU);
            let mac = link.mac;
            match kind {
                WantedKind::Bridge => {
                    steps.push(Step::AddBridge { link: name(), mac: mac.unwrap_or_default(), mtu });
                }
                WantedKind::Veth { peer } => {
                    steps.push(Step::AddVeth { link: name(), peer: peer.clone(), mac, mtu });
                }
                WantedKind::Present => {}
            }
            made = ObservedLink { name: name(), mac, mtu, ..ObservedLink::default() };
            &made
        }
    };
    if let Some(mac) = link.mac
        && now.mac != Some(mac)
    {
        steps.push(Step::SetMac { link: name(), mac });
    }
    if let Some(mtu) = link.mtu
        && now.mtu != mtu
    {
        steps.push(Step::SetMtu { link: name(), mtu });
    }
    if let Some(bridge) = link.bridge {
        let index = observed.links.iter().find(|candidate| candidate.name == bridge).map(|found| found.index);
        if index.is_none() || now.bridge != index {
            steps.push(Step::SetBridge { link: name(), bridge: bridge.to_owned() });
        }
    }
    if !now.up {
        steps.push(Step::SetUp { link: name() });
    }
    if let Some(addresses) = &link.addresses {
        // Old ones go first: the same address with another prefix length must not be refused or lose its route.
        let stale = now.addresses.iter().filter(|address| !addresses.contains(address));
        steps.extend(stale.map(|address| Step::DeleteAddress { link: name(), address: *address }));
        let new = addresses.iter().filter(|address| !now.addresses.contains(address));
        steps.extend(new.map(|address| Step::AddAddress { link: name(), address: *address }));
    }
}

/// Routes, after links and addresses are as wanted: the kernel drops routes along with the link they went by.
#[must_use]
pub fn plan_routes(observed: &Observed, wanted: &Wanted) -> Vec<Step> {
    let Some(routes) = &wanted.routes else { return Vec::new() };
    let mut kept: Vec<(IpNet, IpAddr)> = Vec::new();
    for (destination, gateway) in routes {
        let destination = destination.trunc();
        if !kept.iter().any(|(known, _)| *known == destination) {
            kept.push((destination, *gateway));
        }
    }
    let stale = observed
        .routes
        .iter()
        // Adding a route replaces the one to the same destination.
        .filter(|(destination, _)| !kept.iter().any(|(wanted, _)| wanted == destination))
        .map(|(destination, gateway)| Step::DeleteRoute { destination: *destination, gateway: *gateway });
    let new = kept
        .iter()
        .filter(|route| !observed.routes.contains(route))
        .map(|(destination, gateway)| Step::AddRoute { destination: *destination, gateway: *gateway });
    stale.chain(new).collect()
}

/// `fa:16:3e:00:00:01`, in either case.
#[must_use]
pub fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}
