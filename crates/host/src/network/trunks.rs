//! Subports of trunks: what lies between the namespaces of two networks.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;

use super::{LinuxNetwork, wanted};
use crate::link::netlink::Netlink;
use crate::link::plan::Observed;
use crate::link::{execute, observe, trunk};
use crate::plan::{NetworkPlan, SubportPlan};
use crate::{Error, Result, names, netns};

impl LinuxNetwork {
    /// Why subports of this network's trunks cannot be served, by their ids. Never a reason to leave the network itself
    /// undone. `before`: what was applied last, if that is known.
    pub(super) async fn apply_trunks(
        &self,
        plan: &NetworkPlan,
        before: Option<&NetworkPlan>,
    ) -> Result<BTreeMap<String, String>> {
        if !trunk::any(plan) && before.is_some_and(|before| !trunk::any(before)) {
            return Ok(BTreeMap::new());
        }
        let namespace = self.namespace(&plan.id);
        let wanted = plan.clone();
        let there = netns::inside(&namespace, move || trunk::clear(&wanted)).await?;
        let mut faults = BTreeMap::new();
        let mut peers = HashMap::new();
        for subport in trunk::subports(plan) {
            if there.contains(&names::trunk_link(&subport.port_id)) {
                continue;
            }
            match self.free_place(subport).await {
                Ok(namespace) => drop(peers.insert(subport.port_id.clone(), namespace)),
                Err(error) => drop(faults.insert(subport.port_id.clone(), error.to_string())),
            }
        }
        let wanted = plan.clone();
        faults.extend(netns::inside(&namespace, move || trunk::wire(&wanted, &peers)).await?);
        for subport in trunk::subports(plan) {
            if faults.contains_key(&subport.port_id) {
                continue;
            }
            if let Err(error) = self.connect_subport(subport.clone()).await {
                faults.insert(subport.port_id.clone(), error.to_string());
            }
        }
        for (subport, reason) in &faults {
            tracing::warn!(network = plan.id, subport, reason, "a subport of a trunk is not served");
        }
        Ok(faults)
    }

    /// The namespace of the subport's network, in which a link is to get its name.
    async fn free_place(&self, subport: &SubportPlan) -> Result<File> {
        let namespace = self.namespace(&subport.network_id);
        let opened = File::open(namespace.path())
            .map_err(|_| Error::Link(format!("network {} is not on this host yet", subport.network_id)))?;
        let tap = names::tap(&subport.port_id);
        // Of a parent whose namespace is gone, but not yet all that was in it.
        netns::inside(&namespace, move || {
            let mut netlink = Netlink::open()?;
            netlink.index(&tap)?.map_or(Ok(()), |index| netlink.delete_link(index))
        })
        .await?;
        Ok(opened)
    }

    /// Puts the other end of a subport's link on its network's bridge.
    async fn connect_subport(&self, subport: SubportPlan) -> Result<()> {
        netns::inside(&self.namespace(&subport.network_id), move || {
            let mut netlink = Netlink::open()?;
            let observed = Observed { links: observe::observe_links(&mut netlink)?, routes: Vec::new() };
            execute::reconcile(&mut netlink, &observed, &wanted::subport(&subport), &|link| {
                Err(Error::Link(format!("{link} is not there: apply its trunk again")))
            })
            .map(drop)
        })
        .await
    }
}
