//! Makes one load balancer real. Killed anywhere, the next activation goes on: the rows say what is pending, and the
//! host makes nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base::{Ctx, Error, Result};
use host::balancer::BalancerPlan;
use neutron::plane::Wakes;
use reconcile::{Failure, Outcome, Reconciler};

use super::attempts::{self, Attempt};
use super::{legs, observe, plan};
use crate::certificates::load::{self, Certificates};
use crate::load_balancers::OWN_PORT;
use crate::request::Look;
use crate::tree::{ACTIVE, ERROR, Node, PENDING_DELETE, Tree, store};
use crate::{Octavia, Real};

pub const NAME: &str = "octavia.loadbalancers";

/// Between two looks at monitored members.
const LOOK: Duration = Duration::from_secs(2);
/// Until the host is asked again for what it has refused: that may have been its own fault.
const RETRY: Duration = Duration::from_secs(30);

pub struct Balancers(pub Arc<Octavia>);

#[async_trait]
impl Reconciler for Balancers {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn reconcile(&self, key: &str) -> Result<Outcome, Failure> {
        let app = &*self.0;
        let tree = store::tree(&mut *app.db.read().await?, key).await?;
        match tree.root() {
            None => app.host.remove(key).await?,
            Some(root) if root.provisioning == PENDING_DELETE => app.take_away(&tree, root).await?,
            Some(root) => return app.make_real(&tree, root).await,
        }
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> Result<Vec<String>, Failure> {
        let app = &*self.0;
        let mut keys = store::balancer_ids(&mut *app.db.read().await?).await?;
        keys.extend(app.host.list().await?);
        keys.sort();
        keys.dedup();
        Ok(keys)
    }
}

impl Octavia {
    async fn take_away(&self, tree: &Tree, root: &Node) -> Result<(), Failure> {
        self.host.remove(&root.id).await?;
        self.real().remove(&root.id);
        let ctx = Ctx::internal("load-balancer");
        let done: Result<Wakes> = db::write!(self.db, |tx| {
            let own = root.fields.flag(OWN_PORT);
            let vip = root.text("vip_port_id");
            let mut wakes = self.neutron.release_vip(tx, &ctx, &root.id, vip, own).await?;
            for leg in legs::ports(root).values() {
                wakes.extend(self.neutron.release_vip(tx, &ctx, &root.id, leg, true).await?);
            }
            store::remove(tx, &tree.whole(&root.id)).await?;
            store::event(tx, &ctx, root, "loadbalancer.gone").await?;
            Ok(wakes)
        });
        self.neutron.wake_for(&done?);
        Ok(())
    }

    async fn make_real(&self, tree: &Tree, root: &Node) -> Result<Outcome, Failure> {
        let refused = attempts::refused(tree);
        let pending = attempts::any_pending(tree);
        // Otherwise it is only looked at.
        let known = self.certificates(&root.id).filter(|_| !pending && !self.is_due(&root.id, &refused));
        let anew = known.is_none();
        let known = match known {
            Some(known) => known,
            None => Arc::new(load::all(self, &mut *self.db.read().await?, tree).await?),
        };
        let attempts = if anew { attempts::of(tree) } else { vec![attempts::served(tree)] };
        let (attempt, plan) = match self.first(root, &attempts, &known, anew).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Outcome::Again(Duration::ZERO)),
            Err(failure) => {
                self.real().remove(&root.id);
                // Nothing of it can be had: it stays locked to its owner, who may delete it; we try again and again.
                let blamed = attempts::blamed(tree);
                let settled: Result<bool> =
                    db::write!(self.db, |tx| store::settle(tx, tree, ERROR, &blamed).await);
                settled?;
                return Err(failure);
            }
        };
        // Before anybody is told that it is ACTIVE: whoever looks then sees all of it.
        let looked = self.look(tree, &plan).await;
        if anew {
            let mut ports = vec![root.text("vip_port_id").to_owned()];
            ports.extend(plan.legs.iter().map(|leg| leg.port_id.clone()));
            self.neutron.set_port_status(&ports, true).await?;
        }
        if pending || attempt.without != refused {
            let settled: Result<bool> =
                db::write!(self.db, |tx| store::settle(tx, tree, ACTIVE, &attempt.without).await);
            if !settled? {
                return Ok(Outcome::Again(Duration::ZERO));
            }
        }
        if anew {
            self.unplug(tree, root).await?;
            self.real().insert(root.id.clone(), Real { certificates: known, since: Instant::now() });
        }
        looked?;
        let watched = plan.pools.iter().any(|pool| pool.monitor.is_some());
        Ok(match () {
            () if watched => Outcome::Again(LOOK),
            () if !attempt.without.is_empty() => Outcome::Again(RETRY),
            () => Outcome::Done,
        })
    }

    /// Whether it is time to ask the host once more for what it has refused.
    fn is_due(&self, id: &str, refused: &BTreeSet<String>) -> bool {
        !refused.is_empty() && self.real().get(id).is_some_and(|real| real.since.elapsed() >= RETRY)
    }

    /// The first attempt that the host takes. None: as [`Self::apply`].
    async fn first<'a>(
        &self,
        root: &Node,
        attempts: &'a [Attempt],
        known: &Certificates,
        anew: bool,
    ) -> Result<Option<(&'a Attempt, BalancerPlan)>, Failure> {
        let mut reason: Failure = "there is nothing to apply".into();
        for attempt in attempts {
            match self.apply(root, &attempt.tree, known, anew).await {
                Ok(plan) => return Ok(plan.map(|plan| (attempt, plan))),
                Err(failure) => reason = failure,
            }
            tracing::warn!(balancer = root.id, without = ?attempt.without, %reason, "the host refuses a load balancer");
        }
        Err(reason)
    }

    /// None: it has got ports that it had not, and is to be looked at again.
    async fn apply(
        &self,
        root: &Node,
        tree: &Tree,
        known: &Certificates,
        anew: bool,
    ) -> Result<Option<BalancerPlan>, Failure> {
        let port = root.text("vip_port_id");
        let port = self
            .neutron
            .port_for_metadata(port)
            .await?
            .ok_or_else(|| Error::not_found(format!("The VIP's port {port} is gone.")))?;
        if self.plug(tree, root, &port).await? {
            return Ok(None);
        }
        let legs = self.legs(tree, root).await?;
        let plan = plan::balancer(tree, root, &port, &legs, known);
        if anew {
            self.neutron.ensure_plugged(&legs::networks(&port, &legs)).await?;
        }
        self.host.apply(&plan).await?;
        Ok(Some(plan))
    }

    /// Writes the operating statuses that have changed.
    async fn look(&self, tree: &Tree, plan: &BalancerPlan) -> Result<(), Failure> {
        let seen = self.host.observe(plan).await?;
        let statuses = observe::statuses(tree, plan, &seen);
        let changed: BTreeMap<&str, &str> = tree
            .nodes
            .iter()
            .filter_map(|node| Some((node, *statuses.get(&node.id)?)))
            .filter(|(node, status)| node.operating != *status)
            .map(|(node, status)| (node.id.as_str(), status))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let done: Result<()> = db::write!(self.db, |tx| {
            for (id, status) in &changed {
                store::set_operating(tx, id, status).await?;
            }
            Ok(())
        });
        Ok(done?)
    }
}
