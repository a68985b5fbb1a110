//! `/v2/cache`: images kept near a Glance that has its stores far away. Here they lie on this machine, so there is no cache
//! to manage, and admins are told what a Glance without one tells them.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use web::{Caller, Result, Routes};

use crate::Glance;

const LIST: Policy = Policy::new("cache_list", Rule::Admin);
const ADD: Policy = Policy::new("cache_image", Rule::Admin);
const DELETE: Policy = Policy::new("cache_delete", Rule::Admin);
const CLEAN: Policy = Policy::new("cache_clean", Rule::Admin);
const PRUNE: Policy = Policy::new("cache_prune", Rule::Admin);

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .get("/v2/cache", &LIST, no_cache)
        .delete("/v2/cache", &DELETE, no_cache)
        .put("/v2/cache/{id}", &ADD, no_cache)
        .delete("/v2/cache/{id}", &DELETE, no_cache)
        .post("/v2/cache/clean", &CLEAN, no_cache)
        .post("/v2/cache/prune", &PRUNE, no_cache)
}

async fn no_cache(_: Caller) -> Result {
    Err(Error::not_found("Caching via API is not supported at this site.").into())
}
