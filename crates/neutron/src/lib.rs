//! Networks, addresses, routers, floating IPs and security groups: OpenStack's Networking API v2.0.
//!
//! ```text
//!  /v2.0/networks  subnets  ports  routers  floatingips  security-groups  security-group-rules
//!        │            │       │       │          │              │                  │
//!        └─ rows ─────┴───────┴───────┴──────────┴──────────────┴──────────────────┘
//!              │ Wakes: which networks and routers a change touches
//!              ▼
//!        plane/  neutron.networks, neutron.routers  ── plans ──►  host::Network
//! ```
//!
//! | room | holds |
//! |---|---|
//! | [`networks`], [`subnets`], [`ports`], [`routers`], [`floating_ips`], [`security_groups`], [`security_group_rules`] | the resources |
//! | [`subnet_pools`], [`address_scopes`] | where addresses of subnets come from |
//! | [`auto_topology`] | a network for who asks for nothing in particular |
//! | [`port_forwardings`], [`trunks`], [`qos`], [`address_groups`], [`default_rules`] | what goes beyond them |
//! | [`flavors`] | what operators call the ways in which a router is made |
//! | [`rbac`] | what is shared with whom |
//! | [`ipam`] | arithmetic of addresses |
//! | [`plane`] | from rows to this machine |
//! | [`compute`] | the calls that Nova makes |
//! | [`balancers`] | the calls that Octavia makes |
//! | [`tags`], [`quotas`], [`ip_availability`], [`agents`], [`discovery`] | what goes with the resources |
//! | [`request`] | bodies and lists in Neutron's manner |
//!
//! It calls no other service.

pub mod address_groups;
pub mod address_scopes;
pub mod agents;
pub mod auto_topology;
pub mod balancers;
mod compute;
pub mod default_rules;
pub mod discovery;
mod fault;
pub mod flavors;
pub mod floating_ips;
pub mod ip_availability;
pub mod ipam;
pub mod networks;
pub mod plane;
pub mod port_forwardings;
pub mod ports;
pub mod qos;
pub mod quotas;
pub mod rbac;
pub mod request;
pub mod routers;
mod rows;
pub mod security_group_rules;
pub mod security_groups;
mod standard;
pub mod subnet_pools;
pub mod subnets;
pub mod tags;
pub mod trunks;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Error, Kind, Result};
pub use compute::{AllocatePort, FixedIp, GroupRule, GroupView, NetworkBrief, OfServer, PortView};
use db::Migration;
use futures::future::join_all;
use plane::Wakes;
use plane::reconcile::{Networks, Routers};
use reconcile::{Options, Status, Waker};
use web::{Answers, Gate, Router, Routes, Service, Style};

/// Where the binary mounts the routes; links in answers begin with it.
const MOUNT: &str = "/network";

/// Bytes of list answers that are kept.
const ANSWERS: usize = 4 << 20;

/// An answer waits at most this long for a router that changes with it.
const IN_FORCE: Duration = Duration::from_secs(2);

const SERVICE: Service = Service {
    name: "network",
    style: Style::Neutron,
    microversions: None,
    legacy_header: None,
    for_projects: true,
};

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "neutron/0001_networks", sql: include_str!("../migrations/0001_networks.sql") },
    Migration { name: "neutron/0002_ports", sql: include_str!("../migrations/0002_ports.sql") },
    Migration {
        name: "neutron/0003_security_groups",
        sql: include_str!("../migrations/0003_security_groups.sql"),
    },
    Migration { name: "neutron/0004_routers", sql: include_str!("../migrations/0004_routers.sql") },
    Migration { name: "neutron/0005_quotas", sql: include_str!("../migrations/0005_quotas.sql") },
    Migration { name: "neutron/0006_attributes", sql: include_str!("../migrations/0006_attributes.sql") },
    Migration { name: "neutron/0007_rbac", sql: include_str!("../migrations/0007_rbac.sql") },
    Migration { name: "neutron/0008_subnet_pools", sql: include_str!("../migrations/0008_subnet_pools.sql") },
    Migration {
        name: "neutron/0009_address_groups",
        sql: include_str!("../migrations/0009_address_groups.sql"),
    },
    Migration { name: "neutron/0010_qos", sql: include_str!("../migrations/0010_qos.sql") },
    Migration {
        name: "neutron/0011_port_forwardings",
        sql: include_str!("../migrations/0011_port_forwardings.sql"),
    },
    Migration { name: "neutron/0012_trunks", sql: include_str!("../migrations/0012_trunks.sql") },
    Migration {
        name: "neutron/0013_default_rules",
        sql: include_str!("../migrations/0013_default_rules.sql"),
    },
    Migration { name: "neutron/0014_topologies", sql: include_str!("../migrations/0014_topologies.sql") },
    Migration { name: "neutron/0015_metering", sql: include_str!("../migrations/0015_metering.sql") },
    Migration { name: "neutron/0016_segments", sql: include_str!("../migrations/0016_segments.sql") },
    Migration {
        name: "neutron/0017_external_by_project",
        sql: include_str!("../migrations/0017_external_by_project.sql"),
    },
    Migration {
        name: "neutron/0018_auto_topology",
        sql: include_str!("../migrations/0018_auto_topology.sql"),
    },
    Migration {
        name: "neutron/0019_agent_hosting",
        sql: include_str!("../migrations/0019_agent_hosting.sql"),
    },
    Migration {
        name: "neutron/0020_networks_of_groups",
        sql: include_str!("../migrations/0020_networks_of_groups.sql"),
    },
    Migration {
        name: "neutron/0021_ports_of_balancers",
        sql: include_str!("../migrations/0021_ports_of_balancers.sql"),
    },
];

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
    /// Quotas of projects that have none of their own, where they are not Neutron's.
    pub quotas: Vec<(String, i64)>,
}

pub struct Neutron {
    db: Arc<db::Db>,
    network: Arc<dyn host::Network>,
    config: Config,
    networks: Waker,
    routers: Waker,
    /// Networks that were applied since the start: a router's interfaces need them.
    applied: Mutex<HashSet<String>>,
    answers: Answers<db::Reads>,
}

impl Neutron {
    pub fn new(db: Arc<db::Db>, network: Arc<dyn host::Network>, config: Config) -> Arc<Self> {
        let (networks, routers) = (Waker::new(), Waker::new());
        let answers = Answers::new(ANSWERS);
        Arc::new(Neutron { db, network, config, networks, routers, applied: Mutex::default(), answers })
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::api::routes(routes);
        let routes = networks::api::routes(routes);
        let routes = subnets::api::routes(routes);
        let routes = ports::api::routes(routes);
        let routes = routers::api::routes(routes);
        let routes = floating_ips::api::routes(routes);
        let routes = security_groups::api::routes(routes);
        let routes = security_group_rules::api::routes(routes);
        let routes = tags::api::routes(routes);
        let routes = rbac::api::routes(routes);
        let routes = ip_availability::api::routes(routes);
        let routes = address_scopes::api::routes(routes);
        let routes = address_groups::api::routes(routes);
        let routes = subnet_pools::api::routes(routes);
        let routes = qos::api::routes(routes);
        let routes = port_forwardings::api::routes(routes);
        let routes = trunks::api::routes(routes);
        let routes = default_rules::api::routes(routes);
        let routes = auto_topology::api::routes(routes);
        let routes = flavors::api::routes(routes);
        let routes = quotas::api::routes(routes);
        agents::api::routes(routes).into_router()
    }

    /// Starts the reconcilers.
    pub async fn start(self: &Arc<Self>) {
        let written: Result<()> = db::write!(self.db, |tx| {
            quotas::store::set_defaults(tx, &self.config.quotas).await?;
            agents::store::register(tx, &self.config.host).await
        });
        if let Err(error) = written {
            tracing::error!(?error, "the rows of agents and default quotas could not be written");
        }
        self.heal();
        reconcile::spawn(self.networks.clone(), Arc::new(Networks(self.clone())), Options::default());
        reconcile::spawn(self.routers.clone(), Arc::new(Routers(self.clone())), Options::default());
    }

    /// What somebody else changed on the host is applied again at once.
    fn heal(self: &Arc<Self>) {
        let (networks, routers) = (self.networks.clone(), self.routers.clone());
        let mut drifts = self.network.drifts();
        tokio::spawn(async move {
            use tokio::sync::broadcast::error::RecvError;
            loop {
                match drifts.recv().await {
                    Ok(host::Drift::Network(id)) => networks.wake(&id),
                    Ok(host::Drift::Router(id)) => routers.wake(&id),
                    // The next round looks after those.
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "many changes behind our back"),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// The reconcilers take no new work.
    pub fn stop(&self) {
        self.networks.stop();
        self.routers.stop();
    }

    /// How the reconcilers fare, by name.
    pub fn status(&self) -> Vec<(&'static str, Status)> {
        vec![("neutron.networks", self.networks.status()), ("neutron.routers", self.routers.status())]
    }

    fn wake(&self, wakes: &Wakes) {
        wakes.networks.iter().for_each(|id| self.networks.wake(id));
        wakes.routers.iter().for_each(|id| self.routers.wake(id));
    }

    /// Wakes, and returns when the routers do what their rows say, or after `IN_FORCE`: who connects to a floating IP
    /// right after the answer meets the server that it leads to now. Neutron itself answers before its agents follow;
    /// so does this when the host is slow or fails, and the floating IP is DOWN until it is done.
    async fn wake_and_wait(&self, wakes: &Wakes) {
        wakes.networks.iter().for_each(|id| self.networks.wake(id));
        let routers = join_all(wakes.routers.iter().map(|id| self.routers.wake_and_wait(id)));
        // Why one failed is in its reconciler's status and log.
        let _ = tokio::time::timeout(IN_FORCE, routers).await;
    }

    fn applied(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // Nothing that can panic runs under this lock.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if it was not applied before.
    fn remember_applied(&self, network_id: &str) -> bool {
        self.applied().insert(network_id.into())
    }

    fn forget_applied(&self, network_id: &str) {
        self.applied().remove(network_id);
    }

    /// Returns when the network has been applied at least once since the start.
    async fn ensure_applied(&self, network_id: &str) -> Result<()> {
        if self.applied().contains(network_id) {
            return Ok(());
        }
        self.apply_now(network_id).await
    }

    /// Returns when the network's rows of now have been applied.
    async fn apply_now(&self, network_id: &str) -> Result<()> {
        self.networks.wake_and_wait(network_id).await.map_err(|reason| {
            Error::new(
                Kind::Internal,
                format!("Network {network_id} could not be set up on host {}: {reason}", self.config.host),
            )
        })
    }
}
