//! Networks, addresses, routers, floating IPs and security groups: OpenStack's Networking API v2.0.

mod compute;

use std::sync::Arc;

pub use compute::{AllocatePort, FixedIp, NetworkBrief, PortView};
use reconcile::Waker;

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of this host in `binding:host_id` and agents.
    pub host: String,
    /// The host itself carries the external subnets' gateway addresses (one machine, no other router out there).
    pub external_gateway_hosts: bool,
    /// Domain name that DHCP hands out, without trailing dot.
    pub dns_domain: String,
    pub default_mtu: u32,
}

pub struct Neutron {
    db: Arc<db::Db>,
    network: Arc<dyn host::Network>,
    config: Config,
    networks: Waker,
    routers: Waker,
}

impl Neutron {
    pub fn new(db: Arc<db::Db>, network: Arc<dyn host::Network>, config: Config) -> Arc<Self> {
        Arc::new(Neutron { db, network, config, networks: Waker::new(), routers: Waker::new() })
    }
}
