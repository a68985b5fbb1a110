//! `/resource_providers/{uuid}/aggregates`.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use base::{Ctx, Policy, Rule};
use serde_json::{Value, json};
use web::schema::Schema;
use web::{Caller, Path, Response, Result, Routes, State};

use super::store;
use crate::wire::{Content, Reads, concurrent, dated, since, valid_body};
use crate::{Placement, providers};

const LIST: Policy = Policy::new("placement:resource_providers:aggregates:list", Rule::Service);
const UPDATE: Policy = Policy::new("placement:resource_providers:aggregates:update", Rule::Service);

type Placements = State<Arc<Placement>>;

fn ids() -> Value {
    json!({"type": "array", "items": {"type": "string", "format": "uuid"}, "uniqueItems": true})
}

static PLAIN: LazyLock<Schema> = LazyLock::new(|| Schema::new(&ids()));
static GUARDED: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {"aggregates": ids(), "resource_provider_generation": {"type": "integer"}},
        "required": ["aggregates", "resource_provider_generation"],
        "additionalProperties": false,
    }))
});

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.get("/resource_providers/{uuid}/aggregates", &LIST, list).put(
        "/resource_providers/{uuid}/aggregates",
        &UPDATE,
        update,
    )
}

fn answer(ctx: &Ctx, aggregates: &[String], generation: i64) -> Response {
    let mut body = json!({"aggregates": aggregates});
    if ctx.at_least(1, 19) {
        body["resource_provider_generation"] = json!(generation);
    }
    dated(ctx, web::json(200, &body), None)
}

async fn list(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    since(&ctx, 1)?;
    let mut conn = placement.db.read().await?;
    let provider = providers::store::get(&mut conn, &uuid).await?;
    let aggregates = store::of_provider(&mut conn, &uuid).await?;
    Ok(answer(&ctx, &aggregates, provider.generation))
}

async fn update(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path(uuid): Path<String>,
    Content(body): Content,
) -> Result {
    since(&ctx, 1)?;
    let guarded = ctx.at_least(1, 19);
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    valid_body(if guarded { &GUARDED } else { &PLAIN }, &body)?;
    if guarded && body["resource_provider_generation"].as_i64() != Some(provider.generation) {
        return Err(concurrent(
            "Resource provider's generation already changed. Please update the generation and try again.",
        )
        .into());
    }
    let list = if guarded { &body["aggregates"] } else { &body };
    let wanted: BTreeSet<String> =
        list.as_array().into_iter().flatten().filter_map(|a| a.as_str().map(Into::into)).collect();
    let generation = guarded.then_some(provider.generation);
    store::set(&placement.db, &ctx, &uuid, generation, &wanted).await?;
    let wanted: Vec<String> = wanted.into_iter().collect();
    Ok(answer(&ctx, &wanted, provider.generation + i64::from(guarded)))
}
