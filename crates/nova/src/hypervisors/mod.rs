//! Hypervisors: this host, as an operator looks at it.

pub(crate) mod api;
mod store;

use base::{Error, Policy, Result, Rule};
use host::Capacity;

use crate::Nova;
use crate::services::HostRow;

/// What the host has and gives.
pub(crate) struct Seen {
    pub host: HostRow,
    pub capacity: Capacity,
    pub vcpus_used: i64,
    pub memory_used: i64,
    pub disk_used: i64,
    /// (name, id) of the servers here.
    pub servers: Vec<(String, String)>,
}

/// Nova's reserved_host_memory_mb, shown as used.
const RESERVED_MIB: i64 = 512;

impl Nova {
    pub(crate) async fn look(&self) -> Result<Seen> {
        let capacity = self.hypervisor.capacity().await.map_err(Error::internal)?;
        let used = self.placement.usage().await?;
        let mut conn = self.db.read().await?;
        let host = self.host_row(&mut conn).await?.ok_or_else(|| {
            Error::unavailable("The compute service of this host has not started yet; try again.")
        })?;
        let servers = store::servers(&mut conn).await?;
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(Seen {
            host,
            capacity,
            vcpus_used: i64::from(used.vcpus),
            memory_used: number(used.memory_mib) + RESERVED_MIB,
            disk_used: number(used.disk_gib),
            servers,
        })
    }
}

pub(crate) mod policy {
    use super::{Policy, Rule};

    pub const LIST: Policy = Policy::new("os_compute_api:os-hypervisors:list", Rule::Admin);
    pub const DETAIL: Policy = Policy::new("os_compute_api:os-hypervisors:list-detail", Rule::Admin);
    pub const SHOW: Policy = Policy::new("os_compute_api:os-hypervisors:show", Rule::Admin);
    pub const STATISTICS: Policy = Policy::new("os_compute_api:os-hypervisors:statistics", Rule::Admin);
    pub const SEARCH: Policy = Policy::new("os_compute_api:os-hypervisors:search", Rule::Admin);
}
