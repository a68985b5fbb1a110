//! Connections that the kernel remembers, and which of them the current plan no longer allows.
//!
//! A rule that is gone must also end what it had let in: packets of a known connection pass without being judged
//! again. So after every change of the rules the remembered connections are judged here by the plan, and the ones
//! that would not be allowed any more are forgotten. What is still allowed is never disturbed.

mod judge;
mod wire;

use crate::nfnetlink::{self, Nfnetlink};
use crate::plan::{NetworkPlan, RouterPlan};
use crate::{Error, Result};

pub use wire::{Entry, Tuple};

/// Forgets what the network's security groups no longer allow. `before` is the plan that was applied last, if that is
/// known. Gives the number of forgotten connections.
pub fn sweep_network(before: Option<&NetworkPlan>, plan: &NetworkPlan) -> Result<usize> {
    if before.is_some_and(|before| !judge::network_narrows(before, plan)) {
        return Ok(0);
    }
    let judge = judge::NetworkJudge::new(plan);
    sweep(|entry| judge.allows(entry))
}

/// Forgets connections translated by a floating address or gateway that the router no longer has.
pub fn sweep_router(plan: &RouterPlan) -> Result<usize> {
    sweep(|entry| judge::router_allows(plan, entry))
}

/// All that the calling thread's namespace knows.
pub fn list() -> Result<Vec<Entry>> {
    listed(&Nfnetlink::open()?)
}

/// Forgets those that are doomed.
pub fn forget(is_doomed: impl Fn(&Entry) -> bool) -> Result<usize> {
    sweep(|entry| !is_doomed(entry))
}

fn listed(netlink: &Nfnetlink) -> Result<Vec<Entry>> {
    const BOTH_FAMILIES: u8 = 0;
    let listed = netlink
        .dump(nfnetlink::CONNTRACK_GET, BOTH_FAMILIES)
        .map_err(|error| Error::Link(format!("cannot list connections: {error}")))?;
    Ok(listed.iter().filter_map(|bytes| Entry::parse(bytes)).collect())
}

fn sweep(allows: impl Fn(&Entry) -> bool) -> Result<usize> {
    let netlink = Nfnetlink::open()?;
    let mut forgotten = 0;
    for entry in listed(&netlink)?.into_iter().filter(|entry| !allows(entry)) {
        match netlink.act(nfnetlink::CONNTRACK_DELETE, entry.family(), &entry.key) {
            Ok(()) => forgotten += 1,
            // It ended by itself.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(Error::Link(format!("cannot forget a connection: {error}"))),
        }
    }
    Ok(forgotten)
}
