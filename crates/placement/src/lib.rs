//! Placement: what hosts have, and what of it is taken. Microversions 1.0 to 1.39.
//!
//! | room | URL |
//! |---|---|
//! | [`discovery`] | `/` |
//! | [`providers`] | `/resource_providers` |
//! | [`inventories`] | `/resource_providers/{uuid}/inventories` |
//! | [`traits`] | `/traits`, `/resource_providers/{uuid}/traits` |
//! | [`aggregates`] | `/resource_providers/{uuid}/aggregates` |
//! | [`classes`] | `/resource_classes` |
//! | [`allocations`] | `/allocations`, `/resource_providers/{uuid}/allocations`, and the claims that Nova makes |
//! | [`usages`] | `/usages`, `/resource_providers/{uuid}/usages` |
//! | [`candidates`] | `/allocation_candidates` |
//! | [`reshaper`] | `/reshaper` |
//!
//! Whoever changes a provider, its inventories, traits or allocations raises its generation; who read an older one is
//! told 409 and reads again. Nova claims through [`Placement::claim`], in the process. Calls no other service.

pub mod aggregates;
pub mod allocations;
pub mod candidates;
pub mod classes;
pub mod discovery;
pub mod inventories;
pub mod providers;
pub mod reshaper;
pub mod traits;
pub mod usages;
mod wire;
pub mod world;

use std::sync::Arc;

use base::Microversion;
use db::{Db, Migration};
use web::{Gate, Router, Routes, Service, Style};

pub use allocations::Resources;
pub use providers::{Provider, Ratios};

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "placement/0001_placement", sql: include_str!("../migrations/0001_placement.sql") },
    Migration { name: "placement/0002_whole", sql: include_str!("../migrations/0002_whole.sql") },
];

static SERVICE: Service = Service {
    name: "placement",
    style: Style::Placement,
    microversions: Some((Microversion::new(1, 0), Microversion::new(1, 39))),
    legacy_header: None,
    for_projects: true,
};

pub struct Placement {
    pub(crate) db: Arc<Db>,
}

impl Placement {
    pub fn new(db: Arc<Db>) -> Arc<Self> {
        Arc::new(Placement { db })
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = providers::api::routes(routes);
        let routes = inventories::api::routes(routes);
        let routes = traits::api::routes(routes);
        let routes = aggregates::api::routes(routes);
        let routes = classes::api::routes(routes);
        let routes = usages::api::routes(routes);
        let routes = candidates::api::routes(routes);
        let routes = reshaper::api::routes(routes);
        allocations::api::routes(routes).into_router()
    }

    /// What the host has; called at each start. Ratios above 1 let guests share CPUs and memory.
    pub async fn set_inventory(
        &self,
        provider: &Provider,
        vcpus: u32,
        memory_mib: u64,
        disk_gib: u64,
        ratios: Ratios,
    ) -> base::Result<()> {
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let rows = [
            ("VCPU", i64::from(vcpus), ratios.vcpu),
            ("MEMORY_MB", count(memory_mib), ratios.memory),
            ("DISK_GB", count(disk_gib), ratios.disk),
        ];
        providers::store::put(&self.db, provider, &rows).await
    }

    /// Takes `resources` for `consumer` on the first provider with room; 409 when none has. A second claim of the same
    /// consumer replaces the first, so that it may be asked again after a crash.
    pub async fn claim(
        &self,
        consumer: &str,
        project: &str,
        user: &str,
        resources: Resources,
    ) -> base::Result<()> {
        db::write!(self.db, |tx| allocations::store::claim(tx, consumer, project, user, resources).await)
    }

    /// A resize: what `consumer` has goes to `holder`, and it takes `resources` beside that; 409 and no change when they
    /// do not fit. Asked again, what the holder has stays.
    pub async fn claim_beside(
        &self,
        consumer: &str,
        holder: &str,
        project: &str,
        user: &str,
        resources: Resources,
    ) -> base::Result<()> {
        db::write!(self.db, |tx| {
            if allocations::store::of_consumer(tx, holder).await?.is_empty() {
                allocations::store::rename(tx, consumer, holder, "MIGRATION").await?;
            }
            allocations::store::claim(tx, consumer, project, user, resources).await
        })
    }

    /// The way back: `consumer` has again what `holder` kept for it, or takes `resources` when nothing was kept.
    pub async fn claim_back(
        &self,
        consumer: &str,
        holder: &str,
        project: &str,
        user: &str,
        resources: Resources,
    ) -> base::Result<()> {
        db::write!(self.db, |tx| {
            if allocations::store::of_consumer(tx, holder).await?.is_empty() {
                return allocations::store::claim(tx, consumer, project, user, resources).await;
            }
            allocations::store::release(tx, consumer).await?;
            Ok(allocations::store::rename(tx, holder, consumer, "INSTANCE").await?)
        })
    }

    /// Gives everything of `consumer` back; nothing to give back is fine.
    pub async fn release(&self, consumer: &str) -> base::Result<()> {
        db::write!(self.db, |tx| {
            allocations::store::release(tx, consumer).await?;
            Ok(())
        })
    }

    /// The id of the resource provider of this name.
    pub async fn provider_named(&self, name: &str) -> base::Result<Option<String>> {
        let providers = providers::store::list(&mut self.db.read().await?).await?;
        Ok(providers.into_iter().find(|provider| provider.name == name).map(|provider| provider.uuid))
    }

    /// What all consumers together have taken.
    pub async fn usage(&self) -> base::Result<Resources> {
        Ok(allocations::store::usage(&mut self.db.read().await?).await?)
    }
}
