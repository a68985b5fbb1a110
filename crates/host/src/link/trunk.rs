//! Links of trunks' subports, in the namespace of the parents' network. See [`super::bpf`] for the way of a frame.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use super::netlink::{LinkChange, Netlink, VethEnd};
use super::{bpf, observe};
use crate::plan::{NetworkPlan, PortKind, PortPlan, SubportPlan};
use crate::{Error, Result, names};

/// Ports of this network that are parents.
pub fn parents(plan: &NetworkPlan) -> impl Iterator<Item = &PortPlan> {
    plan.ports.iter().filter(|port| port.kind == PortKind::Vm && !port.subports.is_empty())
}

/// Whether this network has anything to do with trunks.
#[must_use]
pub fn any(plan: &NetworkPlan) -> bool {
    parents(plan).next().is_some()
}

pub fn subports(plan: &NetworkPlan) -> impl Iterator<Item = &SubportPlan> {
    parents(plan).flat_map(|port| &port.subports)
}

/// Deletes links of ports that are no subports any more and frees taps of trunks that are none. The names of the links
/// that stay.
pub fn clear(plan: &NetworkPlan) -> Result<BTreeSet<String>> {
    let mut netlink = Netlink::open()?;
    let wanted: BTreeSet<String> = subports(plan).map(|one| names::trunk_link(&one.port_id)).collect();
    let taps: BTreeSet<String> = parents(plan).map(|port| names::tap(&port.id)).collect();
    let mut there = BTreeSet::new();
    for link in observe::observe_links(&mut netlink)? {
        if wanted.contains(&link.name) {
            there.insert(link.name);
        } else if link.name.starts_with(names::TRUNK_LINKS) {
            netlink.delete_link(link.index)?;
        } else if link.name.starts_with("tap") && !taps.contains(&link.name) {
            netlink.declassify(link.index)?;
        }
    }
    Ok(there)
}

/// Makes the links that are missing, with their other ends in those namespaces, and sets what runs on them and on the taps.
/// Why subports could not be served, by their ids.
pub fn wire(plan: &NetworkPlan, peers: &HashMap<String, File>) -> Result<BTreeMap<String, String>> {
    let mut netlink = Netlink::open()?;
    let mut faults = BTreeMap::new();
    for parent in parents(plan) {
        // A machine that does not run has none; it is wired when it comes.
        let tap = netlink.index(&names::tap(&parent.id))?;
        let mut wired = Vec::new();
        for subport in &parent.subports {
            match wire_one(&mut netlink, subport, tap, peers.get(&subport.port_id)) {
                Ok(Some(link)) => wired.push((subport.vlan, link)),
                Ok(None) => {}
                Err(error) => {
                    faults.insert(subport.port_id.clone(), error.to_string());
                }
            }
        }
        let Some(tap) = tap else { continue };
        if let Err(error) = classify(&mut netlink, tap, &bpf::from_trunk(&wired)) {
            faults.extend(parent.subports.iter().map(|one| (one.port_id.clone(), error.to_string())));
        }
    }
    Ok(faults)
}

/// The link's index; `None` where there is neither a link nor a place for its other end.
fn wire_one(
    netlink: &mut Netlink,
    subport: &SubportPlan,
    tap: Option<u32>,
    peer: Option<&File>,
) -> Result<Option<u32>> {
    let name = names::trunk_link(&subport.port_id);
    let link = match (netlink.index(&name)?, peer) {
        (Some(link), _) => link,
        (None, None) => return Ok(None),
        (None, Some(namespace)) => {
            let here = VethEnd { name: name.clone(), mac: None, mtu: subport.mtu };
            let there = VethEnd { name: names::tap(&subport.port_id), mac: None, mtu: subport.mtu };
            netlink.add_veth(&here, &there, namespace.as_raw_fd())?;
            netlink.index(&name)?.ok_or_else(|| Error::Link(format!("link {name} vanished")))?
        }
    };
    // The program comes first: without it, the other network's frames would be this namespace's own.
    if let Err(error) = classify(netlink, link, &bpf::to_trunk(subport.vlan, tap)) {
        netlink.delete_link(link)?;
        return Err(error);
    }
    let change = LinkChange { up: Some(true), mtu: Some(subport.mtu), ..LinkChange::default() };
    netlink.change_link(link, &change)?;
    netlink.settle(&name)?;
    Ok(Some(link))
}

fn classify(netlink: &mut Netlink, link: u32, program: &[bpf::Instruction]) -> Result<()> {
    let program = bpf::load(program).map_err(|error| {
        Error::Refused(format!("this machine's kernel does not take programs for VLAN tags: {error}"))
    })?;
    netlink.classify(link, program.as_fd())
}
