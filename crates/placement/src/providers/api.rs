//! `/resource_providers`.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Params, Path, Result, Routes, State};

use super::store::{self, Inventory, ProviderRow};
use crate::{Placement, allocations};

const LIST: Policy = Policy::new("placement:resource_providers:list", Rule::Service);
const SHOW: Policy = Policy::new("placement:resource_providers:show", Rule::Service);
const INVENTORIES: Policy = Policy::new("placement:resource_providers:inventories:list", Rule::Service);
const USAGES: Policy = Policy::new("placement:resource_providers:usages", Rule::Service);
const AGGREGATES: Policy = Policy::new("placement:resource_providers:aggregates:list", Rule::Service);
const TRAITS: Policy = Policy::new("placement:resource_providers:traits:list", Rule::Service);
const ALLOCATIONS: Policy = Policy::new("placement:resource_providers:allocations:list", Rule::Service);

type Placements = State<Arc<Placement>>;

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/resource_providers", &LIST, list)
        .get("/resource_providers/{uuid}", &SHOW, get)
        .get("/resource_providers/{uuid}/inventories", &INVENTORIES, inventories)
        .get("/resource_providers/{uuid}/inventories/{class}", &INVENTORIES, inventory)
        .get("/resource_providers/{uuid}/usages", &USAGES, usages)
        .get("/resource_providers/{uuid}/aggregates", &AGGREGATES, aggregates)
        .get("/resource_providers/{uuid}/traits", &TRAITS, traits)
        .get("/resource_providers/{uuid}/allocations", &ALLOCATIONS, provider_allocations)
}

fn view(ctx: &base::Ctx, p: &ProviderRow) -> Value {
    let path = format!("/placement/resource_providers/{}", p.uuid);
    let mut names = vec!["self", "inventories", "usages"];
    for (minor, name) in [(1, "aggregates"), (6, "traits"), (11, "allocations")] {
        if ctx.at_least(1, minor) {
            names.push(name);
        }
    }
    let links: Vec<Value> = names
        .into_iter()
        .map(|rel| json!({"rel": rel, "href": if rel == "self" { path.clone() } else { format!("{path}/{rel}") }}))
        .collect();
    let mut out = json!({"uuid": p.uuid, "name": p.name, "generation": p.generation, "links": links});
    if ctx.at_least(1, 14) {
        out["parent_provider_uuid"] = Value::Null;
        out["root_provider_uuid"] = json!(p.uuid);
    }
    out
}

async fn list(State(placement): Placements, Caller(ctx): Caller, params: Params) -> Result {
    if let Some(key) =
        params.keys().find(|k| !["name", "uuid", "in_tree", "member_of", "resources", "required"].contains(k))
    {
        return Err(Error::bad_request(format!(
            "Invalid query string parameters: Additional properties are not allowed ('{key}' was unexpected)"
        ))
        .into());
    }
    let found = store::list(&mut placement.db.read().await?).await?;
    let keep = |p: &&ProviderRow| {
        params.get("name").is_none_or(|n| n == p.name)
            && params.get("uuid").is_none_or(|u| u == p.uuid)
            && params.get("in_tree").is_none_or(|u| u == p.uuid)
            // No provider is in an aggregate or has a trait.
            && !params.has("member_of")
            && !params.has("required")
    };
    let list: Vec<Value> = found.iter().filter(keep).map(|p| view(&ctx, p)).collect();
    Ok(web::json(200, &json!({"resource_providers": list})))
}

async fn get(State(placement): Placements, Caller(ctx): Caller, Path(uuid): Path<String>) -> Result {
    Ok(web::json(200, &view(&ctx, &store::get(&mut placement.db.read().await?, &uuid).await?)))
}

fn inventory_view(i: &Inventory) -> Value {
    json!({
        "total": i.total, "reserved": i.reserved, "min_unit": i.min_unit, "max_unit": i.max_unit,
        "step_size": i.step_size, "allocation_ratio": i.allocation_ratio,
    })
}

async fn load(placement: &Placement, uuid: &str) -> base::Result<(ProviderRow, Vec<Inventory>)> {
    let mut conn = placement.db.read().await?;
    let provider = store::get(&mut conn, uuid).await?;
    let inventories = store::inventories(&mut conn, uuid).await?;
    Ok((provider, inventories))
}

async fn inventories(State(placement): Placements, Path(uuid): Path<String>) -> Result {
    let (provider, list) = load(&placement, &uuid).await?;
    let map: Map<String, Value> =
        list.iter().map(|i| (i.resource_class.clone(), inventory_view(i))).collect();
    Ok(web::json(200, &json!({"resource_provider_generation": provider.generation, "inventories": map})))
}

async fn inventory(State(placement): Placements, Path((uuid, class)): Path<(String, String)>) -> Result {
    let (provider, list) = load(&placement, &uuid).await?;
    let found = list
        .iter()
        .find(|i| i.resource_class == class)
        .ok_or_else(|| Error::not_found(format!("No inventory of class {class} for {uuid}")))?;
    let mut out = inventory_view(found);
    out["resource_provider_generation"] = json!(provider.generation);
    Ok(web::json(200, &out))
}

async fn usages(State(placement): Placements, Path(uuid): Path<String>) -> Result {
    let (provider, list) = load(&placement, &uuid).await?;
    let map: Map<String, Value> = list.iter().map(|i| (i.resource_class.clone(), json!(i.used))).collect();
    Ok(web::json(200, &json!({"resource_provider_generation": provider.generation, "usages": map})))
}

async fn aggregates(State(placement): Placements, Caller(ctx): Caller, Path(uuid): Path<String>) -> Result {
    let (provider, _) = load(&placement, &uuid).await?;
    let mut out = json!({"aggregates": []});
    if ctx.at_least(1, 19) {
        out["resource_provider_generation"] = json!(provider.generation);
    }
    Ok(web::json(200, &out))
}

async fn traits(State(placement): Placements, Path(uuid): Path<String>) -> Result {
    let (provider, _) = load(&placement, &uuid).await?;
    Ok(web::json(200, &json!({"resource_provider_generation": provider.generation, "traits": []})))
}

async fn provider_allocations(State(placement): Placements, Path(uuid): Path<String>) -> Result {
    let (provider, _) = load(&placement, &uuid).await?;
    let rows = allocations::store::of_provider(&mut placement.db.read().await?, &uuid).await?;
    let mut map = Map::new();
    for row in rows {
        let entry =
            map.entry(row.consumer).or_insert_with(|| json!({"resources": {}, "consumer_generation": 1}));
        entry["resources"][row.resource_class] = json!(row.used);
    }
    Ok(web::json(200, &json!({"resource_provider_generation": provider.generation, "allocations": map})))
}
