//! The rules of one load balancer's namespace as they are in force. The driver changes them with the plan, checkers with
//! the health of members.

use std::net::IpAddr;

use super::forward::{self, Down};
use super::rules;
use crate::Result;
use crate::balancer::{BalancerPlan, Counters};
use crate::conntrack;
use crate::nft::{self, Loaded};

#[derive(Default)]
pub struct Enforced {
    plan: BalancerPlan,
    down: Down,
    loaded: Option<Loaded>,
}

const UDP: u8 = 17;

impl Enforced {
    /// In the namespace of the calling thread, as everything here.
    pub fn apply(&mut self, plan: &BalancerPlan) -> Result<()> {
        self.plan = plan.clone();
        let mut down = std::mem::take(&mut self.down);
        down.retain(|(pool, _)| self.is_watched(pool));
        self.down = down;
        self.load()
    }

    /// Without a monitor nobody would find out that who was down is up again.
    fn is_watched(&self, pool: &str) -> bool {
        self.plan.pools.iter().any(|one| one.id == pool && one.monitor.is_some())
    }

    /// Of one pool, who is down. A checker that has just been ended may say so, too.
    pub fn set_down(&mut self, pool: &str, members: &[&str]) -> Result<()> {
        if !self.is_watched(pool) {
            return Ok(());
        }
        self.down.retain(|(of, _)| of != pool);
        self.down.extend(members.iter().map(|member| (pool.to_owned(), (*member).to_owned())));
        self.load()
    }

    fn load(&mut self) -> Result<()> {
        let text = rules::render(&self.plan, &self.down);
        if nft::load(&text, &mut self.loaded)? && self.plan.listeners.iter().any(|one| one.forwarded) {
            self.let_go()?;
        }
        Ok(())
    }

    /// Whoever speaks without connections would speak to a member that is gone for as long as it speaks.
    fn let_go(&self) -> Result<()> {
        let pools = self.plan.pools.iter().filter(|pool| pool.forwarded);
        let here: Vec<(IpAddr, u16)> = pools
            .flat_map(|pool| pool.members.iter().map(move |member| (pool, member)))
            .filter(|(pool, member)| !self.down.contains(&(pool.id.clone(), member.id.clone())))
            .map(|(_, member)| (member.address, member.port))
            .collect();
        conntrack::forget(|entry| {
            let answers = (entry.reply.source, entry.reply.source_port);
            entry.original.protocol == UDP && !here.contains(&answers)
        })?;
        Ok(())
    }
}

/// What the kernel has counted of the listeners that it serves.
pub fn counters(plan: &BalancerPlan) -> Result<Vec<(String, Counters)>> {
    let counted = nft::counters()?;
    let of = |kind: char, id: &str| counted.get(&forward::name(kind, id)).copied().unwrap_or_default();
    let entries = conntrack::list()?;
    let vips: Vec<IpAddr> = plan.vip.addresses.iter().map(ipnet::IpNet::addr).collect();
    let listeners = plan.listeners.iter().filter(|listener| listener.forwarded);
    Ok(listeners
        .map(|listener| {
            let number = match forward::protocol(listener) {
                "udp" => UDP,
                "sctp" => 132,
                _ => 6,
            };
            let open = entries.iter().map(|entry| &entry.original).filter(|to| {
                to.protocol == number
                    && to.destination_port == listener.port
                    && vips.contains(&to.destination)
            });
            let counters = Counters {
                bytes_in: of('i', &listener.id).1,
                bytes_out: of('o', &listener.id).1,
                active_connections: open.count() as u64,
                total_connections: of('n', &listener.id).0,
                request_errors: 0,
            };
            (listener.id.clone(), counters)
        })
        .collect())
}
