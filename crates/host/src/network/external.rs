//! The host's end of an external network: the only thing of ours in the host's own namespace.

use std::fs::File;

use ipnet::IpNet;

use super::networks::State;
use super::{LinuxNetwork, wanted};
use crate::ledger::Thing;
use crate::link::netlink::Netlink;
use crate::link::plan::Observed;
use crate::link::{execute, observe};
use crate::nft;
use crate::plan::NetworkPlan;
use crate::{Error, Result, names, netns};

impl LinuxNetwork {
    /// The daemon's own namespace, and whether the host's end of the network's link is there.
    pub(super) async fn host_end(&self, plan: &NetworkPlan) -> Result<(File, bool)> {
        let link = plan.host_link.as_ref().map(|_| names::host_link(&plan.id));
        if let Some(name) = &link {
            self.note(|| Thing::Link { name: name.clone() })?;
        }
        netns::on_own_thread(move || {
            const PATH: &str = "/proc/thread-self/ns/net";
            let namespace = File::open(PATH).map_err(|source| Error::File {
                operation: "open",
                path: PATH.into(),
                source,
            })?;
            let there = match link {
                Some(link) => Netlink::open()?.index(&link)?.is_some(),
                None => false,
            };
            Ok((namespace, there))
        })
        .await
    }

    pub(super) async fn apply_host_end(&self, plan: &NetworkPlan, state: &mut State) -> Result<()> {
        let Some(wanted) = wanted::host(plan) else { return Ok(()) };
        let link = names::host_link(&plan.id);
        let table = nft::host::table(&self.options.prefix, &plan.id);
        let subnets: Vec<IpNet> = plan.subnets.iter().map(|subnet| subnet.cidr).collect();
        let rules = self.options.host_nat.then(|| nft::host::render(&table, &link, &subnets));
        if rules.is_some() {
            self.note(|| host_table(&table))?;
        }
        let mut loaded = state.host_rules.take();
        let (rules, changed) = netns::on_own_thread(move || {
            let mut netlink = Netlink::open()?;
            let mut observed = observe::observe(&mut netlink)?;
            // The rest of the host is not even looked at.
            observed.links.retain(|candidate| candidate.name == link);
            let observed = Observed { routes: Vec::new(), ..observed };
            let steps = execute::reconcile(&mut netlink, &observed, &wanted, &|_| {
                Err(Error::Link(format!("the host's end {link} is not there: apply its network again")))
            })?;
            if let Some(rules) = rules {
                let loaded_now = nft::load(&rules, &mut loaded)?;
                if loaded_now && !forwards() {
                    tracing::warn!(
                        "net.ipv4.ip_forward is 0: virtual machines reach this host, but nothing beyond it"
                    );
                }
            }
            Ok((loaded, !steps.is_empty()))
        })
        .await?;
        state.host_rules = rules;
        if changed {
            let settle = || Netlink::open()?.settle(names::HOST_LINK_PEER);
            netns::inside(&self.namespace(&plan.id), settle).await?;
        }
        Ok(())
    }

    /// The table goes before the link, by which we would know that there is one.
    pub(super) async fn remove_host_end(&self, network_id: &str, state: &mut State) -> Result<()> {
        let link = names::host_link(network_id);
        let table = nft::host::table(&self.options.prefix, network_id);
        let nat = self.options.host_nat;
        let loaded = state.host_rules.is_some();
        let (table_gone, link_gone) = (host_table(&table), Thing::Link { name: link.clone() });
        netns::on_own_thread(move || {
            let mut netlink = Netlink::open()?;
            let index = netlink.index(&link)?;
            if nat && (loaded || index.is_some()) {
                nft::load(&nft::host::render_removal(&table), &mut None)?;
            }
            index.map_or(Ok(()), |index| netlink.delete_link(index))
        })
        .await?;
        state.host_rules = None;
        self.forget(|| table_gone)?;
        self.forget(|| link_gone)
    }
}

fn host_table(name: &str) -> Thing {
    Thing::NftTable { family: "ip".to_owned(), name: name.to_owned() }
}

fn forwards() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|value| value.trim() == "1")
}
