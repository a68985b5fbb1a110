//! `/v1/secret-stores`: what a Barbican with one store answers.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use web::{Result, Routes};

use crate::Barbican;

const LIST: Policy = Policy::new("secretstores:get", Rule::ProjectReader);
const DEFAULT: Policy = Policy::new("secretstores:get_global_default", Rule::ProjectReader);
const PREFERRED: Policy = Policy::new("secretstores:get_preferred", Rule::ProjectReader);
const SHOW: Policy = Policy::new("secretstore:get", Rule::ProjectReader);
const PREFER: Policy = Policy::new("secretstore_preferred:post", Rule::Admin);
const UNPREFER: Policy = Policy::new("secretstore_preferred:delete", Rule::Admin);

pub fn routes(routes: Routes<Arc<Barbican>>) -> Routes<Arc<Barbican>> {
    routes
        .get("/v1/secret-stores", &LIST, only_one)
        .get("/v1/secret-stores/global-default", &DEFAULT, only_one)
        .get("/v1/secret-stores/preferred", &PREFERRED, only_one)
        .get("/v1/secret-stores/{id}", &SHOW, only_one)
        .post("/v1/secret-stores/{id}/preferred", &PREFER, only_one)
        .delete("/v1/secret-stores/{id}/preferred", &UNPREFER, only_one)
}

async fn only_one() -> Result {
    Err(Error::not_found("Not Found. Multiple backends support is not enabled in service configuration.")
        .into())
}
