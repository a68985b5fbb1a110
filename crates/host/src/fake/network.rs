//! Networks that are plans in a map.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Faults, Operation};
use crate::plan::{NetworkPlan, RouterPlan};
use crate::{MetadataAnswer, MetadataCaller, MetadataPosted, MetadataSource, Network, Present, Result};

/// Orders by metadata are a server's.
static NO_HINTS: BTreeMap<String, String> = BTreeMap::new();

/// The fake driver of networks. It forgets everything when it ends, and services apply their plans again, as they
/// do after a reboot of a real host.
#[derive(Default)]
pub struct FakeNetwork {
    faults: Faults,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    networks: BTreeMap<String, NetworkPlan>,
    routers: BTreeMap<String, RouterPlan>,
    changes: u64,
    metadata: Option<Arc<dyn MetadataSource>>,
}

impl FakeNetwork {
    /// `delay`: how long each call takes.
    pub fn new(delay: Duration) -> Self {
        Self { faults: Faults::new(delay), inner: Mutex::default() }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// As last applied.
    pub fn network(&self, id: &str) -> Option<NetworkPlan> {
        self.inner().networks.get(id).cloned()
    }

    /// As last applied.
    pub fn router(&self, id: &str) -> Option<RouterPlan> {
        self.inner().routers.get(id).cloned()
    }

    /// How many calls changed something.
    pub fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// Asks for metadata as a guest on this network with this source address would. None when no port of the
    /// applied plan has the address, or the source has no answer.
    pub async fn metadata(&self, network_id: &str, address: IpAddr, path: &str) -> Option<MetadataAnswer> {
        let (source, caller) = self.guest(network_id, address)?;
        source.get(&caller, path).await
    }

    /// What that guest posts.
    pub async fn post_metadata(
        &self,
        network_id: &str,
        address: IpAddr,
        path: &str,
        body: &[u8],
    ) -> Option<MetadataPosted> {
        let (source, caller) = self.guest(network_id, address)?;
        Some(source.post(&caller, path, body).await)
    }

    fn guest(&self, network_id: &str, address: IpAddr) -> Option<(Arc<dyn MetadataSource>, MetadataCaller)> {
        let inner = self.inner();
        let mut ports = inner.networks.get(network_id)?.ports.iter();
        let port = ports.find(|port| port.fixed_ips.iter().any(|(_, fixed)| *fixed == address))?;
        let caller = MetadataCaller { port_id: port.id.clone(), network_id: network_id.to_owned(), address };
        Some((Arc::clone(inner.metadata.as_ref()?), caller))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Network for FakeNetwork {
    async fn apply_network(&self, plan: &NetworkPlan) -> Result<()> {
        self.faults.pass(Operation::ApplyNetwork, &plan.id, &NO_HINTS).await?;
        let mut inner = self.inner();
        if inner.networks.get(&plan.id) != Some(plan) {
            inner.networks.insert(plan.id.clone(), plan.clone());
            inner.changes += 1;
        }
        Ok(())
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        self.faults.pass(Operation::RemoveNetwork, id, &NO_HINTS).await?;
        let mut inner = self.inner();
        inner.changes += u64::from(inner.networks.remove(id).is_some());
        Ok(())
    }

    async fn apply_router(&self, plan: &RouterPlan) -> Result<()> {
        self.faults.pass(Operation::ApplyRouter, &plan.id, &NO_HINTS).await?;
        let mut inner = self.inner();
        if inner.routers.get(&plan.id) != Some(plan) {
            inner.routers.insert(plan.id.clone(), plan.clone());
            inner.changes += 1;
        }
        Ok(())
    }

    async fn remove_router(&self, id: &str) -> Result<()> {
        self.faults.pass(Operation::RemoveRouter, id, &NO_HINTS).await?;
        let mut inner = self.inner();
        inner.changes += u64::from(inner.routers.remove(id).is_some());
        Ok(())
    }

    async fn list(&self) -> Result<Present> {
        let inner = self.inner();
        Ok(Present {
            networks: inner.networks.keys().cloned().collect(),
            routers: inner.routers.keys().cloned().collect(),
        })
    }

    fn serve_metadata(&self, source: Arc<dyn MetadataSource>) {
        self.inner().metadata = Some(source);
    }
}
