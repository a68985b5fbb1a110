use std::sync::Arc;

use base::{Policy, Result, Rule};
use ipnet::IpNet;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{SubnetPool, rules, store};
use crate::request::{create, delete, list, owned, replace, show, update};
use crate::{Neutron, fault, networks};

const GET: Policy = Policy::new("get_subnetpool", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_subnetpool", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_subnetpool", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_subnetpool", Rule::ProjectMember);
const ADD: Policy = Policy::new("add_prefixes", Rule::ProjectMember);
const REMOVE: Policy = Policy::new("remove_prefixes", Rule::ProjectMember);
const ONBOARD: Policy = Policy::new("onboard_network_subnets", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/subnetpools", &GET, list::<SubnetPool>)
        .post("/v2.0/subnetpools", &CREATE, create::<SubnetPool>)
        .get("/v2.0/subnetpools/{id}", &GET, show::<SubnetPool>)
        .put("/v2.0/subnetpools/{id}", &UPDATE, update::<SubnetPool>)
        .delete("/v2.0/subnetpools/{id}", &DELETE, delete::<SubnetPool>)
        .put("/v2.0/subnetpools/{id}/add_prefixes", &ADD, add)
        .put("/v2.0/subnetpools/{id}/remove_prefixes", &REMOVE, remove)
        .put("/v2.0/subnetpools/{id}/onboard_network_subnets", &ONBOARD, onboard)
}

fn prefixes(body: &Value) -> Result<Vec<IpNet>> {
    let missing = || fault::http_bad_request("Unable to find 'prefixes' in request body");
    let items = body.get("prefixes").and_then(Value::as_array).ok_or_else(missing)?;
    let parse = |item: &Value| {
        let net: Option<IpNet> = item.as_str().and_then(|t| t.parse().ok());
        let shown = item.as_str().map_or_else(|| item.to_string(), Into::into);
        net.ok_or_else(|| {
            fault::http_bad_request(format!(
                "Invalid input for prefixes. Reason: '{shown}' is not a valid IP subnet."
            ))
        })
    };
    items.iter().map(parse).collect()
}

async fn add(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let more = prefixes(&body)?;
    let changed: Result<SubnetPool> = db::write!(app.db, |tx| {
        let before: SubnetPool = owned(tx, &ctx, &id, "update").await?;
        let mut pool = before.clone();
        let all: Vec<IpNet> = pool.prefixes.iter().chain(&more).copied().collect();
        pool.prefixes = rules::compact(&all)?;
        pool.standard.touch();
        replace(tx, &ctx, &before, &pool).await?;
        Ok(pool)
    });
    answer(&changed?)
}

async fn remove(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let less = prefixes(&body)?;
    let changed: Result<SubnetPool> = db::write!(app.db, |tx| {
        let before: SubnetPool = owned(tx, &ctx, &id, "update").await?;
        let mut pool = before.clone();
        let used = store::subnets_of(tx, &id).await?;
        if used.iter().any(|s| less.iter().any(|p| crate::ipam::overlap(p, &s.cidr))) {
            return Err(rules::bad_prefixes("One or more prefixes being removed is in use"));
        }
        pool.prefixes = rules::compact(&rules::free(&pool.prefixes, &less))?;
        pool.standard.touch();
        replace(tx, &ctx, &before, &pool).await?;
        Ok(pool)
    });
    answer(&changed?)
}

fn answer(pool: &SubnetPool) -> web::Result {
    let prefixes: Vec<String> = pool.prefixes.iter().map(ToString::to_string).collect();
    Ok(web::json(200, &json!({ "prefixes": prefixes })))
}

async fn onboard(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let network = body.get("network_id").and_then(Value::as_str);
    let network =
        network.ok_or_else(|| fault::http_bad_request("Unable to find 'network_id' in request body"))?;
    let changed: Result<()> = db::write!(app.db, |tx| {
        let before: SubnetPool = owned(tx, &ctx, &id, "update").await?;
        networks::store::owned(tx, &ctx, network, "onboard_network_subnets").await?;
        let mut pool = before.clone();
        store::onboard(tx, &mut pool, network).await?;
        pool.standard.touch();
        replace(tx, &ctx, &before, &pool).await?;
        Ok(())
    });
    changed?;
    Ok(web::json(200, &json!({})))
}
