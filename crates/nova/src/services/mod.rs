//! The compute service on this host: its row, whether servers may be placed on it, and its availability zone.

pub(crate) mod api;
pub(crate) mod store;

use base::{Policy, Result, Rule};
use db::Conn;
use sha2::{Digest as _, Sha256};

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

/// (binary, topic) of the services of a Nova. Here they are one process; clients look for them by name.
pub(crate) const BINARIES: &[(&str, &str)] =
    &[("nova-conductor", "conductor"), ("nova-scheduler", "scheduler"), ("nova-compute", "compute")];

/// Where services that hold no servers are.
pub(crate) const INTERNAL_ZONE: &str = "internal";

/// The one service whose row can change.
pub(crate) const COMPUTE: &str = "nova-compute";

/// The other services' ids follow from that of the compute service.
fn id_of(binary: &str, host: &HostRow) -> String {
    if binary == COMPUTE {
        return host.service_id.clone();
    }
    let digest = Sha256::digest(format!("{binary} {}", host.service_id));
    let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
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
    pub const MIGRATIONS: Policy = Policy::new("os_compute_api:os-migrations:index", Rule::ProjectManager);
    pub const MIGRATIONS_OF_ALL: Policy =
        Policy::new("os_compute_api:os-migrations:index:all_projects", Rule::Admin);
    pub const MIGRATIONS_HOST: Policy = Policy::new("os_compute_api:os-migrations:index:host", Rule::Admin);
}
