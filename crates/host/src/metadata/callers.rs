//! Whose address is it that asks? Only from the applied plans.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use crate::MetadataCaller;
use crate::link::plan::parse_mac;
use crate::nft::link_local;
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
        let machines = || plan.ports.iter().filter(|port| port.kind == PortKind::Vm);
        let fixed =
            machines().flat_map(|port| port.fixed_ips.iter().map(move |(_, address)| (*address, port)));
        // Later ones count: no fixed address makes a port another's.
        let link_local = machines().filter_map(|port| {
            let mac = parse_mac(&port.mac)?;
            Some((IpAddr::V6(link_local(mac)), port))
        });
        let addresses = fixed.chain(link_local).map(|(address, port)| (address, port.id.clone())).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PortPlan;

    fn port(id: &str, last: u8, addresses: &[&str]) -> PortPlan {
        let fixed_ips = addresses.iter().map(|address| ("s".to_owned(), address.parse().unwrap())).collect();
        let mac = format!("fa:16:3e:00:00:{last:02x}");
        PortPlan { id: id.into(), mac, fixed_ips, kind: PortKind::Vm, ..PortPlan::default() }
    }

    #[test]
    fn a_port_is_known_by_its_fixed_addresses_and_its_own_link_local_one() {
        let callers = Callers::default();
        // The second has another's link-local address for a fixed one.
        let ports = vec![
            port("a", 1, &["10.0.0.5", "2001:db8::5"]),
            port("b", 2, &["10.0.0.6", "fe80::f816:3eff:fe00:1"]),
        ];
        callers.set_network(&NetworkPlan { id: "net".into(), ports, ..NetworkPlan::default() });
        let place = Place::Network("net".into());
        let who = |address: &str| callers.find(&place, address.parse().unwrap()).map(|caller| caller.port_id);
        assert_eq!(who("10.0.0.5").as_deref(), Some("a"));
        assert_eq!(who("2001:db8::5").as_deref(), Some("a"));
        assert_eq!(who("fe80::f816:3eff:fe00:1").as_deref(), Some("a"));
        assert_eq!(who("fe80::f816:3eff:fe00:2").as_deref(), Some("b"));
        assert_eq!(who("fe80::f816:3eff:fe00:3"), None);
    }
}
