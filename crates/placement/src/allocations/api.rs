//! `/allocations` and `/resource_providers/{uuid}/allocations`.

use std::sync::Arc;

use base::{Error, Policy, Rule};
use serde_json::{Map, json};
use web::{Caller, Path, Result, Routes, State};

use super::store::UnknownClass;
use super::{rules, store};
use crate::wire::{Content, Reads, dated, since, valid_body};
use crate::{Placement, providers};

const MANAGE: Policy = Policy::new("placement:allocations:manage", Rule::Service);
const SHOW: Policy = Policy::new("placement:allocations:list", Rule::Service);
const UPDATE: Policy = Policy::new("placement:allocations:update", Rule::Service);
const DELETE: Policy = Policy::new("placement:allocations:delete", Rule::Service);
const OF_PROVIDER: Policy = Policy::new("placement:resource_providers:allocations:list", Rule::Service);

type Placements = State<Arc<Placement>>;

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .post("/allocations", &MANAGE, set_many)
        .get("/allocations/{consumer}", &SHOW, get)
        .put("/allocations/{consumer}", &UPDATE, set)
        .delete("/allocations/{consumer}", &DELETE, delete)
        .get("/resource_providers/{uuid}/allocations", &OF_PROVIDER, of_provider)
}

async fn get(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(consumer): Path<String>,
) -> Result {
    let rows = store::of_consumer(&mut *placement.db.read().await?, &consumer).await?;
    let mut map = Map::new();
    for row in &rows {
        let entry = map
            .entry(row.provider.clone())
            .or_insert_with(|| json!({"resources": {}, "generation": row.provider_generation}));
        entry["resources"][row.resource_class.clone()] = json!(row.used);
    }
    let mut out = json!({"allocations": map});
    if let Some(first) = rows.first() {
        if ctx.at_least(1, 12) {
            out["project_id"] = json!(first.owner.project_id);
            out["user_id"] = json!(first.owner.user_id);
        }
        if ctx.at_least(1, 28) {
            out["consumer_generation"] = json!(first.owner.generation);
        }
        if ctx.at_least(1, 38) {
            out["consumer_type"] = json!(first.owner.consumer_type.as_deref().unwrap_or("unknown"));
        }
    }
    Ok(dated(&ctx, web::json(200, &out), rows.iter().map(|r| r.created_at).max()))
}

async fn of_provider(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    let mut conn = placement.db.read().await?;
    let words = |e| format!("Resource provider '{uuid}' not found: {e}");
    let provider = providers::store::get_or(&mut conn, &uuid, words).await?;
    let rows = store::of_provider(&mut conn, &uuid).await?;
    let mut map = Map::new();
    for row in &rows {
        let entry = map.entry(row.consumer.clone()).or_insert_with(|| json!({"resources": {}}));
        entry["resources"][row.resource_class.clone()] = json!(row.used);
        if ctx.at_least(1, 28) {
            entry["consumer_generation"] = json!(row.owner.generation);
        }
    }
    let body = json!({"allocations": map, "resource_provider_generation": provider.generation});
    Ok(dated(&ctx, web::json(200, &body), rows.iter().map(|r| r.created_at).max()))
}

async fn set(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path(consumer): Path<String>,
    Content(body): Content,
) -> Result {
    if !base::id::is_uuid(&consumer) {
        return Err(Error::bad_request(format!("Malformed consumer_uuid: {consumer}")).into());
    }
    if let Some(schema) = rules::schema(&rules::ONE, &ctx) {
        valid_body(schema, &body)?;
    }
    let change = rules::read(&ctx, &consumer, &body);
    const WORDS: UnknownClass =
        |consumer, why| format!("Unable to allocate inventory for consumer {consumer}: {why}");
    store::set(&placement.db, &ctx, &[change], WORDS).await?;
    Ok(web::no_content(204))
}

async fn set_many(State(placement): Placements, Caller(ctx): Caller, Content(body): Content) -> Result {
    since(&ctx, 13)?;
    if let Some(schema) = rules::schema(&rules::MANY, &ctx) {
        valid_body(schema, &body)?;
    }
    let changes = rules::read_many(&ctx, &body);
    store::set(&placement.db, &ctx, &changes, |_, why| format!("Unable to allocate inventory {why}")).await?;
    Ok(web::no_content(204))
}

async fn delete(State(placement): Placements, Caller(ctx): Caller, Path(consumer): Path<String>) -> Result {
    if store::delete(&placement.db, &ctx, &consumer).await? {
        Ok(web::no_content(204))
    } else {
        Err(Error::not_found(format!("No allocations for consumer '{consumer}'")).into())
    }
}
