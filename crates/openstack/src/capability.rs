//! What this cloud can do: asked once a session, so that the engine may do without what is missing.

use std::collections::BTreeSet;

use crate::{Client, Result};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Aliases of Neutron's extensions.
    pub network_extensions: BTreeSet<String>,
    /// Nova's newest microversion.
    pub compute_microversion: (u8, u8),
    /// Types of services in the catalog.
    pub services: BTreeSet<String>,
}

impl Capabilities {
    /// Tags on networks, subnets, routers, ports, ...; older clouds have them under per-resource aliases.
    #[must_use]
    pub fn tags(&self) -> bool {
        self.network_extensions.contains("standard-attr-tag")
    }
    /// `soft-anti-affinity` as a policy of server groups.
    #[must_use]
    pub fn soft_server_groups(&self) -> bool {
        self.compute_microversion >= (2, 15)
    }
    /// Octavia.
    #[must_use]
    pub fn load_balancers(&self) -> bool {
        self.services.contains("load-balancer")
    }
    /// Cinder v3, by whichever of its names.
    #[must_use]
    pub fn volumes(&self) -> bool {
        ["block-storage", "block-store", "volumev3"].iter().any(|name| self.services.contains(*name))
    }
    /// Barbican.
    #[must_use]
    pub fn keys(&self) -> bool {
        self.services.contains("key-manager")
    }
    /// Static routes on routers, and addresses on ports that are not theirs.
    #[must_use]
    pub fn routed_pods(&self) -> bool {
        ["extraroute", "allowed-address-pairs"].iter().all(|alias| self.network_extensions.contains(*alias))
    }
    #[must_use]
    pub fn routers(&self) -> bool {
        self.network_extensions.contains("router")
    }
}

impl Client {
    /// # Errors
    /// The network service does not list its extensions.
    pub async fn capabilities(&self) -> Result<&Capabilities> {
        self.capabilities
            .get_or_try_init(async || {
                let extensions = self.extensions().await?;
                Ok(Capabilities {
                    network_extensions: extensions.into_iter().map(|extension| extension.alias).collect(),
                    compute_microversion: self.compute_microversion().await?,
                    services: self.service_types(),
                })
            })
            .await
    }
}
