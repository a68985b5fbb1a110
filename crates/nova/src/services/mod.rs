//! The compute service on this host: its row, whether servers may be placed on it, and its availability zone.

pub(crate) mod api;
pub(crate) mod store;

use base::{Policy, Result, Rule};
use db::Conn;

use crate::Nova;

/// This machine as Nova's database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRow {
    pub name: String,
    /// Also the resource provider's id.
    pub hypervisor_id: String,
    pub service_id: String,
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub forced_down: bool,
    pub updated_at: i64,
}

impl Nova {
    pub(crate) async fn host_row(&self, conn: &mut Conn) -> Result<Option<HostRow>> {
        store::get(conn, &self.config.host).await
    }

    /// The zone of this host: that of an aggregate which has the host and names one, else the default.
    pub(crate) async fn zone(&self, conn: &mut Conn) -> Result<String> {
        let aggregates = crate::aggregates::store::list(conn).await?;
        let own = aggregates.into_iter().filter(|a| a.hosts.contains(&self.config.host));
        Ok(own
            .filter_map(|a| a.metadata.get("availability_zone").cloned())
            .next()
            .unwrap_or_else(|| self.config.availability_zone.clone()))
    }
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-services:list", Rule::Admin);
    pub const UPDATE: Policy = Policy::new("os_compute_api:os-services:update", Rule::Admin);
    pub const ZONES: Policy = Policy::new("os_compute_api:os-availability-zone:list", Rule::Authenticated);
    pub const ZONES_DETAIL: Policy = Policy::new("os_compute_api:os-availability-zone:detail", Rule::Admin);
    pub const MIGRATIONS: Policy = Policy::new("os_compute_api:os-migrations:index", Rule::Admin);
}
