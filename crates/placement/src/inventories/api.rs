//! `/resource_providers/{uuid}/inventories`.

use std::sync::Arc;

use base::{Ctx, Error, Policy, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Origin, Path, Response, Result, Routes, State};

use super::store::Words;
use super::{Inventory, rules, store};
use crate::wire::{Content, Reads, concurrent, dated, located, not_allowed, valid_body};
use crate::{Placement, providers};

const LIST: Policy = Policy::new("placement:resource_providers:inventories:list", Rule::Service);
const CREATE: Policy = Policy::new("placement:resource_providers:inventories:create", Rule::Service);
const SHOW: Policy = Policy::new("placement:resource_providers:inventories:show", Rule::Service);
const UPDATE: Policy = Policy::new("placement:resource_providers:inventories:update", Rule::Service);
const DELETE: Policy = Policy::new("placement:resource_providers:inventories:delete", Rule::Service);

type Placements = State<Arc<Placement>>;

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/resource_providers/{uuid}/inventories", &LIST, list)
        .post("/resource_providers/{uuid}/inventories", &CREATE, create)
        .put("/resource_providers/{uuid}/inventories", &UPDATE, set)
        .delete("/resource_providers/{uuid}/inventories", &DELETE, clear)
        .get("/resource_providers/{uuid}/inventories/{class}", &SHOW, get)
        .put("/resource_providers/{uuid}/inventories/{class}", &UPDATE, update)
        .delete("/resource_providers/{uuid}/inventories/{class}", &DELETE, delete)
}

fn view(i: &Inventory) -> Value {
    json!({
        "total": i.total, "reserved": i.reserved, "min_unit": i.min_unit, "max_unit": i.max_unit,
        "step_size": i.step_size, "allocation_ratio": i.allocation_ratio,
    })
}

fn all(ctx: &Ctx, generation: i64, list: &[Inventory]) -> Response {
    let map: Map<String, Value> = list.iter().map(|i| (i.resource_class.clone(), view(i))).collect();
    let body = json!({"resource_provider_generation": generation, "inventories": map});
    dated(ctx, web::json(200, &body), list.iter().map(|i| i.updated_at).max())
}

fn one(ctx: &Ctx, status: u16, generation: i64, inventory: &Inventory) -> Response {
    let mut body = view(inventory);
    // The service leaves a generation of 0 out.
    if generation > 0 {
        body["resource_provider_generation"] = json!(generation);
    }
    dated(ctx, web::json(status, &body), Some(inventory.updated_at))
}

fn found(uuid: &str) -> impl FnOnce(String) -> String {
    move |e| format!("No resource provider with uuid {uuid} found : {e}")
}

async fn list(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    let mut conn = placement.db.read().await?;
    let provider = providers::store::get_or(&mut conn, &uuid, found(&uuid)).await?;
    let list = store::of_provider(&mut conn, &uuid).await?;
    Ok(all(&ctx, provider.generation, &list))
}

async fn get(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path((uuid, class)): Path<(String, String)>,
) -> Result {
    let mut conn = placement.db.read().await?;
    let provider = providers::store::get_or(&mut conn, &uuid, found(&uuid)).await?;
    let list = store::of_provider(&mut conn, &uuid).await?;
    let found = list
        .iter()
        .find(|i| i.resource_class == class)
        .ok_or_else(|| Error::not_found(format!("No inventory of class {class} for {uuid}")))?;
    Ok(one(&ctx, 200, provider.generation, found))
}

async fn create(
    State(placement): Placements,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Path(uuid): Path<String>,
    Content(body): Content,
) -> Result {
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    valid_body(&rules::NEW, &body)?;
    let class = body["resource_class"].as_str().unwrap_or_default();
    let new = rules::read(class, &body);
    let words = "Unable to create inventory for resource provider";
    rules::check_capacity(&ctx, &uuid, std::slice::from_ref(&new), words)?;
    store::add(&placement.db, &ctx, &uuid, provider.generation, &new).await?;
    let response = one(&ctx, 201, provider.generation + 1, &new);
    Ok(located(response, &origin, &format!("/resource_providers/{uuid}/inventories/{class}")))
}

const SETTING: Words = Words {
    unknown_class: |provider, e| {
        Error::bad_request(format!(
            "Unknown resource class in inventory for resource provider {provider}: {e}"
        ))
    },
    in_use: |e| Error::conflict(format!("update conflict: {e}")).code("placement.inventory.inuse"),
};

async fn set(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path(uuid): Path<String>,
    Content(body): Content,
) -> Result {
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    valid_body(&rules::ALL, &body)?;
    same_generation(&body, provider.generation)?;
    let wanted = rules::read_all(&body);
    rules::check_capacity(&ctx, &uuid, &wanted, "Unable to update inventory for resource provider")?;
    store::set(&placement.db, &ctx, &uuid, provider.generation, &wanted, &SETTING).await?;
    Ok(all(&ctx, provider.generation + 1, &wanted))
}

fn same_generation(body: &Value, actual: i64) -> base::Result<()> {
    if body["resource_provider_generation"].as_i64() == Some(actual) {
        Ok(())
    } else {
        Err(concurrent("resource provider generation conflict"))
    }
}

async fn update(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path((uuid, class)): Path<(String, String)>,
    Content(body): Content,
) -> Result {
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    valid_body(&rules::ONE, &body)?;
    same_generation(&body, provider.generation)?;
    let new = rules::read(&class, &body);
    let words = "Unable to update inventory for resource provider";
    rules::check_capacity(&ctx, &uuid, std::slice::from_ref(&new), words)?;
    store::update(&placement.db, &ctx, &uuid, provider.generation, &new).await?;
    Ok(one(&ctx, 200, provider.generation + 1, &new))
}

async fn delete(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path((uuid, class)): Path<(String, String)>,
) -> Result {
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    store::delete(&placement.db, &ctx, &uuid, provider.generation, &class).await?;
    Ok(web::no_content(204))
}

async fn clear(State(placement): Placements, Caller(ctx): Caller, Path(uuid): Path<String>) -> Result {
    if !ctx.at_least(1, 5) {
        return Err(not_allowed().into());
    }
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    const CLEARING: Words = Words {
        unknown_class: SETTING.unknown_class,
        in_use: |e| Error::conflict(e).code("placement.inventory.inuse"),
    };
    store::set(&placement.db, &ctx, &uuid, provider.generation, &[], &CLEARING).await?;
    Ok(web::no_content(204))
}
