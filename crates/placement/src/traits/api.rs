//! `/traits` and `/resource_providers/{uuid}/traits`.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use base::{Error, Policy, Rule};
use serde_json::json;
use web::schema::Schema;
use web::{Caller, Origin, Params, Path, Result, Routes, State};

use super::{STANDARD, store, unknown};
use crate::wire::{Content, Reads, concurrent, dated, located, since, valid_body, valid_query};
use crate::{Placement, providers};

const LIST: Policy = Policy::new("placement:traits:list", Rule::Service);
const SHOW: Policy = Policy::new("placement:traits:show", Rule::Service);
const UPDATE: Policy = Policy::new("placement:traits:update", Rule::Service);
const DELETE: Policy = Policy::new("placement:traits:delete", Rule::Service);
const OF_LIST: Policy = Policy::new("placement:resource_providers:traits:list", Rule::Service);
const OF_UPDATE: Policy = Policy::new("placement:resource_providers:traits:update", Rule::Service);
const OF_DELETE: Policy = Policy::new("placement:resource_providers:traits:delete", Rule::Service);

type Placements = State<Arc<Placement>>;

static CUSTOM: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        &json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^CUSTOM_[A-Z0-9_]+$"}),
    )
});
static FILTER: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "associated": {"type": "string"}},
        "additionalProperties": false,
    }))
});
static SET: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&json!({
        "type": "object",
        "properties": {
            "traits": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}},
            "resource_provider_generation": {"type": "integer"},
        },
        "required": ["traits", "resource_provider_generation"],
        "additionalProperties": false,
    }))
});

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/traits", &LIST, list)
        .get("/traits/{name}", &SHOW, get)
        .put("/traits/{name}", &UPDATE, create)
        .delete("/traits/{name}", &DELETE, delete)
        .get("/resource_providers/{uuid}/traits", &OF_LIST, list_of)
        .put("/resource_providers/{uuid}/traits", &OF_UPDATE, update_of)
        .delete("/resource_providers/{uuid}/traits", &OF_DELETE, delete_of)
}

async fn list(State(placement): Placements, Caller(ctx): Caller, _: Reads, params: Params) -> Result {
    since(&ctx, 6)?;
    valid_query(&FILTER, &params)?;
    let mut conn = placement.db.read().await?;
    let mut names = store::all(&mut conn).await?;
    if let Some(text) = params.get("name") {
        let (operator, value) = text.split_once(':').ok_or_else(|| {
            Error::bad_request(format!(
                "Badly formatted name parameter. Expected name query string parameter in form: \
                 ?name=[in|startswith]:[name1,name2|prefix]. Got: \"{text}\""
            ))
        })?;
        match operator {
            "in" => names.retain(|n| value.split(',').any(|v| v == n)),
            "startswith" => names.retain(|n| n.starts_with(value)),
            _ => {}
        }
    }
    if let Some(text) = params.get("associated") {
        let wanted = match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                return Err(Error::bad_request(
                    "The query parameter \"associated\" only accepts \"true\" or \"false\"",
                )
                .into());
            }
        };
        let associated = store::associated(&mut conn).await?;
        names.retain(|n| associated.contains(n) == wanted);
    }
    Ok(dated(&ctx, web::json(200, &json!({"traits": names})), None))
}

async fn get(State(placement): Placements, Caller(ctx): Caller, Path(name): Path<String>) -> Result {
    since(&ctx, 6)?;
    if !store::exists(&mut *placement.db.read().await?, &name).await? {
        return Err(unknown([&*name]).into());
    }
    Ok(dated(&ctx, web::no_content(204), None))
}

async fn create(
    State(placement): Placements,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Path(name): Path<String>,
) -> Result {
    since(&ctx, 6)?;
    if CUSTOM.complaint(&json!(name)).is_some() {
        return Err(Error::bad_request(
            "The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix \
             \"CUSTOM_\" and use following characters: \"A\"-\"Z\", \"0\"-\"9\" and \"_\"",
        )
        .into());
    }
    let status = if store::create(&placement.db, &ctx, &name).await? { 201 } else { 204 };
    let response = located(web::no_content(status), &origin, &format!("/traits/{name}"));
    Ok(dated(&ctx, response, None))
}

async fn delete(State(placement): Placements, Caller(ctx): Caller, Path(name): Path<String>) -> Result {
    since(&ctx, 6)?;
    if STANDARD.contains(name.as_str()) {
        return Err(Error::bad_request(format!("Cannot delete standard trait {name}.")).into());
    }
    store::delete(&placement.db, &ctx, &name).await?;
    Ok(web::no_content(204))
}

async fn list_of(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    since(&ctx, 6)?;
    let mut conn = placement.db.read().await?;
    let provider = providers::store::get_or(&mut conn, &uuid, |e| {
        format!("No resource provider with uuid {uuid} found: {e}")
    })
    .await?;
    let traits = store::of_provider(&mut conn, &uuid).await?;
    let body = json!({"traits": traits, "resource_provider_generation": provider.generation});
    Ok(dated(&ctx, web::json(200, &body), None))
}

async fn update_of(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path(uuid): Path<String>,
    Content(body): Content,
) -> Result {
    since(&ctx, 6)?;
    valid_body(&SET, &body)?;
    let mut conn = placement.db.read().await?;
    let provider = providers::store::get(&mut conn, &uuid).await?;
    if body["resource_provider_generation"].as_i64() != Some(provider.generation) {
        return Err(concurrent(
            "Resource provider's generation already changed. Please update the generation and try again.",
        )
        .into());
    }
    let wanted: BTreeSet<String> =
        body["traits"].as_array().into_iter().flatten().filter_map(|t| t.as_str().map(Into::into)).collect();
    let known = store::all(&mut conn).await?;
    drop(conn);
    let strange: Vec<&str> = wanted.difference(&known).map(String::as_str).collect();
    if !strange.is_empty() {
        return Err(Error::bad_request(format!("No such trait {}", strange.join(", "))).into());
    }
    let generation = store::set(&placement.db, &ctx, &uuid, provider.generation, &wanted).await?;
    let body = json!({"traits": wanted, "resource_provider_generation": generation});
    Ok(dated(&ctx, web::json(200, &body), None))
}

async fn delete_of(State(placement): Placements, Caller(ctx): Caller, Path(uuid): Path<String>) -> Result {
    since(&ctx, 6)?;
    let provider = providers::store::get(&mut *placement.db.read().await?, &uuid).await?;
    store::set(&placement.db, &ctx, &uuid, provider.generation, &BTreeSet::new()).await?;
    Ok(web::no_content(204))
}
