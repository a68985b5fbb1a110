use std::sync::Arc;

use base::{Policy, Rule};
use web::Routes;

use super::AddressScope;
use crate::Neutron;
use crate::request::{create, delete, list, show, update};

const GET: Policy = Policy::new("get_address_scope", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_address_scope", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_address_scope", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_address_scope", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/address-scopes", &GET, list::<AddressScope>)
        .post("/v2.0/address-scopes", &CREATE, create::<AddressScope>)
        .get("/v2.0/address-scopes/{id}", &GET, show::<AddressScope>)
        .put("/v2.0/address-scopes/{id}", &UPDATE, update::<AddressScope>)
        .delete("/v2.0/address-scopes/{id}", &DELETE, delete::<AddressScope>)
}
