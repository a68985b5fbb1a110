//! The list of all routes, from the routers themselves: they are made once more behind a gate that takes notes.

use std::sync::{Arc, Mutex};

use base::{Auth, Error};
use cumulet::assemble::Cloud;
use web::{Gate, Verify};

/// One route as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// As in the catalog: `compute`.
    pub service: &'static str,
    pub method: &'static str,
    /// With the mount: `/compute/v2.1/servers/{id}`.
    pub path: String,
    /// OpenStack's name of the policy.
    pub policy: &'static str,
    /// No token is needed.
    pub is_public: bool,
}

#[derive(Default)]
struct Notes(Mutex<Vec<Route>>);

#[async_trait::async_trait]
impl Verify for Notes {
    async fn verify(&self, _: &str) -> Result<Arc<Auth>, Error> {
        Err(Error::unauthorized("This gate only takes notes."))
    }

    fn guards(&self, route: &web::Route) {
        let web::Route { service, method, path, policy } = *route;
        let path = format!("/{service}{path}");
        let is_public = policy.rule == base::Rule::Public;
        let route = Route { service, method, path, policy: policy.name, is_public };
        self.0.lock().expect("nobody panicked").push(route);
    }
}

pub fn of(cloud: &Cloud) -> Vec<Route> {
    let notes = Arc::new(Notes::default());
    let gate: Gate = notes.clone();
    drop(cloud.keystone.router(gate.clone()));
    drop(cloud.nova.router(gate.clone()));
    drop(cloud.neutron.router(gate.clone()));
    drop(cloud.glance.router(gate.clone()));
    drop(cloud.cinder.router(gate.clone()));
    drop(cloud.placement.router(gate.clone()));
    drop(cloud.barbican.router(gate.clone()));
    drop(cloud.octavia.router(gate));
    std::mem::take(&mut *notes.0.lock().expect("nobody panicked"))
}
