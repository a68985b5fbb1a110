//! Load balancers that are plans in a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Faults, Operation};
use crate::Result;
use crate::balancer::{BalancerPlan, BalancerView, Counters, Health, LoadBalancers};

/// Orders by metadata are a server's.
static NO_HINTS: BTreeMap<String, String> = BTreeMap::new();

/// The fake driver of load balancers: every member of a monitored pool is up, and nobody ever calls.
#[derive(Default)]
pub struct FakeLoadBalancers {
    faults: Faults,
    plans: Mutex<BTreeMap<String, BalancerPlan>>,
}

impl FakeLoadBalancers {
    /// `delay`: how long each call takes.
    pub fn new(delay: Duration) -> Self {
        Self { faults: Faults::new(delay), plans: Mutex::default() }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// As last applied.
    pub fn plan(&self, id: &str) -> Option<BalancerPlan> {
        self.plans().get(id).cloned()
    }

    fn plans(&self) -> MutexGuard<'_, BTreeMap<String, BalancerPlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LoadBalancers for FakeLoadBalancers {
    async fn apply(&self, plan: &BalancerPlan) -> Result<()> {
        self.faults.pass(Operation::ApplyBalancer, &plan.id, &NO_HINTS).await?;
        self.plans().insert(plan.id.clone(), plan.clone());
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.faults.pass(Operation::RemoveBalancer, id, &NO_HINTS).await?;
        self.plans().remove(id);
        Ok(())
    }

    async fn observe(&self, plan: &BalancerPlan) -> Result<BalancerView> {
        let mut view = BalancerView::default();
        for pool in plan.pools.iter().filter(|pool| pool.monitor.is_some()) {
            for member in &pool.members {
                let health = if member.weight == 0 { Health::Draining } else { Health::Up };
                view.members.insert((pool.id.clone(), member.id.clone()), health);
            }
        }
        view.counters =
            plan.listeners.iter().map(|listener| (listener.id.clone(), Counters::default())).collect();
        Ok(view)
    }

    async fn list(&self) -> Result<Vec<String>> {
        Ok(self.plans().keys().cloned().collect())
    }
}
