//! Carries out steps in the calling thread's namespace. Dull on purpose: every decision is in `plan`.

use std::os::fd::RawFd;

use super::netlink::{LinkChange, Netlink, VethEnd};
use super::observe;
use super::plan::{self, Observed, Step, Wanted};
use crate::{Error, Result};

/// Makes the namespace as wanted and returns what that took. `peer_namespace` gives the namespace in which the other
/// end of the veth link of that name belongs.
pub fn reconcile(
    netlink: &mut Netlink,
    observed: &Observed,
    wanted: &Wanted,
    peer_namespace: &dyn Fn(&str) -> Result<RawFd>,
) -> Result<Vec<Step>> {
    let mut steps = plan::plan_links(observed, wanted);
    for step in &steps {
        execute(netlink, step, peer_namespace)?;
    }
    if wanted.routes.is_none() {
        return Ok(steps);
    }
    let routes = match steps.is_empty() {
        true => observed.routes.clone(),
        false => observe::observe_routes(netlink)?,
    };
    let route_steps = plan::plan_routes(&Observed { routes, ..Observed::default() }, wanted);
    for step in &route_steps {
        execute(netlink, step, peer_namespace)?;
    }
    steps.extend(route_steps);
    Ok(steps)
}

fn execute(netlink: &mut Netlink, step: &Step, peer_namespace: &dyn Fn(&str) -> Result<RawFd>) -> Result<()> {
    let change = |netlink: &mut Netlink, link: &str, change: LinkChange| {
        let index = index(netlink, link)?;
        netlink.change_link(index, &change)
    };
    match step {
        Step::DeleteLink { link } => match netlink.index(link)? {
            Some(index) => netlink.delete_link(index),
            None => Ok(()),
        },
        Step::AddBridge { link, mac, mtu } => netlink.add_bridge(link, *mac, *mtu),
        Step::AddVeth { link, peer, mac, mtu } => {
            let here = VethEnd { name: link.clone(), mac: *mac, mtu: *mtu };
            let there = VethEnd { name: peer.clone(), mac: None, mtu: *mtu };
            netlink.add_veth(&here, &there, peer_namespace(link)?)
        }
        Step::SetMac { link, mac } => {
            change(netlink, link, LinkChange { mac: Some(*mac), ..LinkChange::default() })
        }
        Step::SetMtu { link, mtu } => {
            change(netlink, link, LinkChange { mtu: Some(*mtu), ..LinkChange::default() })
        }
        Step::SetBridge { link, bridge } => {
            let bridge = Some(index(netlink, bridge)?);
            change(netlink, link, LinkChange { bridge, ..LinkChange::default() })
        }
        Step::SetUp { link } => {
            change(netlink, link, LinkChange { up: Some(true), ..LinkChange::default() })?;
            netlink.settle(link)
        }
        Step::DeleteAddress { link, address } => {
            let index = index(netlink, link)?;
            netlink.delete_address(index, *address)
        }
        Step::AddAddress { link, address } => {
            let index = index(netlink, link)?;
            netlink.add_address(index, *address)
        }
        Step::DeleteRoute { destination, gateway } => netlink.delete_route(*destination, *gateway),
        Step::AddRoute { destination, gateway } => netlink.add_route(*destination, *gateway),
    }
}

fn index(netlink: &mut Netlink, link: &str) -> Result<u32> {
    netlink.index(link)?.ok_or_else(|| Error::Link(format!("link {link} does not exist: apply it again")))
}
