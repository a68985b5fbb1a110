//! Load balancers: OpenStack's Load Balancer API v2.
//!
//! ```text
//!  /v2/lbaas/loadbalancers  listeners  pools(/members)  healthmonitors  l7policies(/rules)
//!       │ one transaction: the tree of one load balancer is locked (PENDING_*), its nodes change
//!       ▼
//!  plane/  octavia.loadbalancers ── BalancerPlan ──►  host::LoadBalancers
//!       ▲                                                │
//!       └────── ACTIVE or ERROR, operating status ◄──────┘
//! ```
//!
//! | room | holds |
//! |---|---|
//! | [`load_balancers`], [`listeners`], [`pools`], [`members`], [`health_monitors`], [`l7policies`], [`l7rules`] | the resources: nodes of a tree |
//! | [`tree`] | what all nodes have alike: rows, locks, views, lists |
//! | [`flavors`] | flavors, availability zones and their profiles |
//! | [`quotas`], [`providers`], [`amphorae`], [`discovery`] | what goes with the resources |
//! | [`certificates`] | what listeners and pools show, from the key manager |
//! | [`plane`] | from rows to this machine and back |
//! | [`request`] | bodies and lists in Octavia's manner |
//!
//! It calls neutron for the port of the VIP and for what a subnet is, and barbican for certificates.

pub mod amphorae;
pub mod certificates;
pub mod discovery;
mod fault;
pub mod flavors;
pub mod health_monitors;
pub mod l7policies;
pub mod l7rules;
pub mod listeners;
pub mod load_balancers;
pub mod members;
pub mod plane;
mod policy;
pub mod pools;
pub mod providers;
pub mod quotas;
pub mod request;
mod tls;
pub mod tree;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use certificates::load::Certificates;
use db::Migration;
use plane::reconcile::Balancers;
use reconcile::{Options, Status, Waker};
use request::Attr;
use tower::ServiceExt;
use tree::Noun;
use web::{Answers, Gate, Router, Routes, Service, Style};

/// Where the binary mounts the routes; links in answers begin with it.
const MOUNT: &str = "/load-balancer";

/// Bytes of list answers that are kept.
const ANSWERS: usize = 4 << 20;

const SERVICE: Service = Service {
    name: "load-balancer",
    style: Style::Octavia,
    microversions: None,
    legacy_header: None,
    for_projects: true,
};

pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "octavia/0001_nodes", sql: include_str!("../migrations/0001_nodes.sql") },
    Migration { name: "octavia/0002_catalog", sql: include_str!("../migrations/0002_catalog.sql") },
    Migration { name: "octavia/0003_ports", sql: include_str!("../migrations/0003_ports.sql") },
];

/// What the host has been given.
struct Real {
    certificates: Arc<Certificates>,
    since: Instant,
}

pub struct Octavia {
    db: Arc<db::Db>,
    neutron: Arc<neutron::Neutron>,
    barbican: Arc<barbican::Barbican>,
    host: Arc<dyn host::LoadBalancers>,
    balancers: Waker,
    /// Load balancers that were made real since the start: looks at them need not apply their networks again, nor ask
    /// for their certificates.
    real: Mutex<HashMap<String, Real>>,
    answers: Answers<db::Reads>,
}

impl Octavia {
    pub fn new(
        db: Arc<db::Db>,
        neutron: Arc<neutron::Neutron>,
        barbican: Arc<barbican::Barbican>,
        host: Arc<dyn host::LoadBalancers>,
    ) -> Arc<Self> {
        Arc::new(Octavia {
            db,
            neutron,
            barbican,
            host,
            balancers: Waker::new(),
            real: Mutex::default(),
            answers: Answers::new(ANSWERS),
        })
    }

    pub fn router(self: &Arc<Self>, gate: Gate) -> Router {
        let routes = Routes::new(&SERVICE, gate, self.clone());
        let routes = discovery::routes(routes);
        let routes = load_balancers::api::routes(routes);
        let routes = listeners::api::routes(routes);
        let routes = pools::api::routes(routes);
        let routes = members::api::routes(routes);
        let routes = health_monitors::api::routes(routes);
        let routes = l7policies::api::routes(routes);
        let routes = l7rules::api::routes(routes);
        let routes = flavors::api::routes(routes);
        let routes = providers::api::routes(routes);
        let routes = amphorae::api::routes(routes);
        let routes = quotas::api::routes(routes).into_router();
        // Both names of the version lead to the same calls.
        Router::new().fallback_service(routes.map_request(plain_version))
    }

    fn real(&self) -> MutexGuard<'_, HashMap<String, Real>> {
        // Nothing that can panic runs under this lock.
        self.real.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a load balancer that was made real since the start.
    fn certificates(&self, id: &str) -> Option<Arc<Certificates>> {
        self.real().get(id).map(|real| real.certificates.clone())
    }

    /// Starts the reconciler.
    pub async fn start(self: &Arc<Self>) {
        let options = Options { period: std::time::Duration::from_secs(30), ..Options::default() };
        reconcile::spawn(self.balancers.clone(), Arc::new(Balancers(self.clone())), options);
    }

    /// The reconciler takes no new work.
    pub fn stop(&self) {
        self.balancers.stop();
    }

    /// How the reconciler fares, by name.
    pub fn status(&self) -> Vec<(&'static str, Status)> {
        vec![(plane::reconcile::NAME, self.balancers.status())]
    }
}

/// `/v2.0/..` is `/v2/..`.
fn plain_version<B>(mut request: http::Request<B>) -> http::Request<B> {
    let Some(rest) = request.uri().path_and_query().and_then(|uri| uri.as_str().strip_prefix("/v2.0")) else {
        return request;
    };
    if let Ok(uri) = format!("/v2{rest}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// What bodies may say of it.
pub(crate) fn attributes(noun: Noun) -> &'static [Attr] {
    match noun {
        Noun::LoadBalancer => load_balancers::ATTRS,
        Noun::Listener => listeners::ATTRS,
        Noun::Pool => pools::ATTRS,
        Noun::Member => members::ATTRS,
        Noun::HealthMonitor => health_monitors::ATTRS,
        Noun::L7Policy => l7policies::ATTRS,
        Noun::L7Rule => l7rules::ATTRS,
    }
}
