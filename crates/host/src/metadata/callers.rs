//! Whose address is it that asks? Only from the applied plans.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use crate::MetadataCaller;
use crate::plan::{NetworkPlan, PortKind, RouterPlan};

/// The namespace that a request came in by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Network(String),
    Router(String),
}

#[derive(Default)]
pub struct Callers(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// Network -> address -> port.
    networks: HashMap<String, HashMap<IpAddr, String>>,
    /// Router -> networks behind it. Their addresses cannot overlap, Neutron sees to that.
    routers: HashMap<String, Vec<String>>,
}

impl Callers {
    pub fn set_network(&self, plan: &NetworkPlan) {
        let machines = plan.ports.iter().filter(|port| port.kind == PortKind::Vm);
        let addresses = machines
            .flat_map(|port| port.fixed_ips.iter().map(|(_, address)| (*address, port.id.clone())))
            .collect();
        self.write().networks.insert(plan.id.clone(), addresses);
    }

    pub fn set_router(&self, plan: &RouterPlan) {
        let networks = plan.interfaces.iter().map(|interface| interface.network_id.clone()).collect();
        self.write().routers.insert(plan.id.clone(), networks);
    }

    pub fn remove_network(&self, id: &str) {
        self.write().networks.remove(id);
    }

    pub fn remove_router(&self, id: &str) {
        self.write().routers.remove(id);
    }

    pub fn find(&self, place: &Place, address: IpAddr) -> Option<MetadataCaller> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let networks = match place {
            Place::Network(id) => std::slice::from_ref(id),
            Place::Router(id) => known.routers.get(id)?.as_slice(),
        };
        networks.iter().find_map(|network_id| {
            let port_id = known.networks.get(network_id)?.get(&address)?;
            Some(MetadataCaller { port_id: port_id.clone(), network_id: network_id.clone(), address })
        })
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
