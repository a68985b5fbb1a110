use std::sync::Arc;

use base::{Policy, Rule};
use web::Routes;

use super::view::Availability;
use crate::Neutron;
use crate::request::{list, show};

const GET: Policy = Policy::new("get_network_ip_availability", Rule::Service);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes.get("/v2.0/network-ip-availabilities", &GET, list::<Availability>).get(
        "/v2.0/network-ip-availabilities/{id}",
        &GET,
        show::<Availability>,
    )
}
