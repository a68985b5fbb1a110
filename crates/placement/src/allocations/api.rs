//! `/allocations/{consumer}` and `/usages`.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Params, Path, Result, Routes, State};

use super::store;
use crate::Placement;

const SHOW: Policy = Policy::new("placement:allocations:list", Rule::Service);
const USAGES: Policy = Policy::new("placement:usages", Rule::ProjectReader);

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.get("/allocations/{consumer}", &SHOW, get).get("/usages", &USAGES, usages)
}

async fn get(
    State(placement): State<Arc<Placement>>,
    Caller(ctx): Caller,
    Path(consumer): Path<String>,
) -> Result {
    let rows = store::of_consumer(&mut placement.db.read().await?, &consumer).await?;
    let mut map = Map::new();
    for row in &rows {
        let entry =
            map.entry(row.provider.clone()).or_insert_with(|| json!({"generation": 1, "resources": {}}));
        entry["resources"][row.resource_class.clone()] = json!(row.used);
    }
    let mut out = json!({"allocations": map});
    if let Some(first) = rows.first() {
        if ctx.at_least(1, 12) {
            out["project_id"] = json!(first.project_id);
            out["user_id"] = json!(first.user_id);
        }
        if ctx.at_least(1, 28) {
            out["consumer_generation"] = json!(1);
        }
        if ctx.at_least(1, 38) {
            out["consumer_type"] = json!("INSTANCE");
        }
    }
    Ok(web::json(200, &out))
}

async fn usages(State(placement): State<Arc<Placement>>, Caller(ctx): Caller, params: Params) -> Result {
    let project = params.get("project_id").ok_or_else(|| {
        Error::bad_request("Invalid query string parameters: 'project_id' is a required property")
    })?;
    ctx.authorize(&USAGES, Some(project))?;
    let sums = store::of_project(&mut placement.db.read().await?, project, params.get("user_id")).await?;
    let map: Map<String, Value> = sums.into_iter().map(|(class, used)| (class, json!(used))).collect();
    let out = if ctx.at_least(1, 38) { json!({"usages": {"INSTANCE": map}}) } else { json!({"usages": map}) };
    Ok(web::json(200, &out))
}
