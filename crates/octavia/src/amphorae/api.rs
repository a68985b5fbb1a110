use std::sync::Arc;

use serde_json::json;
use web::{Path, Routes};

use crate::{Octavia, fault, policy};

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    routes
        .get("/v2/octavia/amphorae", &policy::AMPHORA_LIST, list)
        .get("/v2/octavia/amphorae/{id}", &policy::AMPHORA_SHOW, missing)
        .delete("/v2/octavia/amphorae/{id}", &policy::AMPHORA_DELETE, missing)
        .get("/v2/octavia/amphorae/{id}/stats", &policy::AMPHORA_STATS, missing)
        .put("/v2/octavia/amphorae/{id}/config", &policy::AMPHORA_CONFIG, missing)
        .put("/v2/octavia/amphorae/{id}/failover", &policy::AMPHORA_FAILOVER, missing)
}

async fn list() -> web::Result {
    Ok(web::json(200, &json!({"amphorae": [], "amphorae_links": []})))
}

async fn missing(Path(id): Path<String>) -> web::Result {
    Err(fault::not_found("Amphora", &id).into())
}
