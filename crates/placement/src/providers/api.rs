//! `/resource_providers`.

use std::sync::{Arc, LazyLock};

use base::{Ctx, Error, Policy, Rule};
use serde_json::{Map, Value, json};
use web::schema::Schema;
use web::{Caller, Origin, Params, Path, Result, Routes, State};

use super::store::{self, ProviderRow};
use super::{rules, view};
use crate::candidates::query;
use crate::wire::{Content, Reads, dated, located, valid_body, valid_query};
use crate::{Placement, classes, traits, world};

const LIST: Policy = Policy::new("placement:resource_providers:list", Rule::Service);
const CREATE: Policy = Policy::new("placement:resource_providers:create", Rule::Service);
const SHOW: Policy = Policy::new("placement:resource_providers:show", Rule::Service);
const UPDATE: Policy = Policy::new("placement:resource_providers:update", Rule::Service);
const DELETE: Policy = Policy::new("placement:resource_providers:delete", Rule::Service);

type Placements = State<Arc<Placement>>;

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes
        .get("/resource_providers", &LIST, list)
        .post("/resource_providers", &CREATE, create)
        .get("/resource_providers/{uuid}", &SHOW, get)
        .put("/resource_providers/{uuid}", &UPDATE, update)
        .delete("/resource_providers/{uuid}", &DELETE, delete)
}

fn body_schema(uuid: bool, parent: bool) -> Schema {
    let mut properties = Map::new();
    properties.insert("name".into(), json!({"type": "string", "maxLength": 200}));
    if uuid {
        properties.insert("uuid".into(), json!({"type": "string", "format": "uuid"}));
    }
    if parent {
        properties.insert(
            "parent_provider_uuid".into(),
            json!({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}),
        );
    }
    Schema::new(&json!({
        "type": "object", "properties": properties, "required": ["name"], "additionalProperties": false,
    }))
}

static CREATE_1_0: LazyLock<Schema> = LazyLock::new(|| body_schema(true, false));
static CREATE_1_14: LazyLock<Schema> = LazyLock::new(|| body_schema(true, true));
static UPDATE_1_0: LazyLock<Schema> = LazyLock::new(|| body_schema(false, false));
static UPDATE_1_14: LazyLock<Schema> = LazyLock::new(|| body_schema(false, true));

/// Filters by the microversion that brought them.
static FILTERS: LazyLock<Vec<(u16, Schema)>> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let uuid = json!({"type": "string", "format": "uuid"});
    let mut properties =
        Map::from_iter([("name".to_owned(), text.clone()), ("uuid".to_owned(), uuid.clone())]);
    let mut all = Vec::new();
    for (minor, name, inner) in [
        (0, "name", &text),
        (3, "member_of", &text),
        (4, "resources", &text),
        (14, "in_tree", &uuid),
        (18, "required", &text),
    ] {
        properties.insert(name.into(), inner.clone());
        let document = json!({"type": "object", "properties": properties, "additionalProperties": false});
        all.push((minor, Schema::new(&document)));
    }
    all
});

async fn list(State(placement): Placements, Caller(ctx): Caller, _: Reads, params: Params) -> Result {
    if let Some((_, schema)) = FILTERS.iter().rev().find(|(minor, _)| ctx.at_least(1, *minor)) {
        valid_query(schema, &params)?;
    }
    let member_of = query::member_of(&ctx, &params, "")?;
    let required = query::required(&ctx, &params, "")?;
    let resources = params.get("resources").map(query::resources).transpose()?.unwrap_or_default();
    let mut conn = placement.db.read().await?;
    for (class, _) in &resources {
        if !classes::store::exists(&mut conn, class).await? {
            return Err(Error::bad_request(format!(
                "Invalid resource class in resources parameter: {}",
                classes::unknown(class)
            ))
            .into());
        }
    }
    let strange = required.unknown(&traits::store::all(&mut conn).await?);
    if !strange.is_empty() {
        return Err(Error::bad_request(format!(
            "Invalid trait(s) in \"required\" parameter: {}",
            traits::unknown(strange.iter().map(String::as_str))
        ))
        .into());
    }
    let world = world::load(&mut conn).await?;
    drop(conn);
    let root = match params.get("in_tree") {
        None => None,
        Some(uuid) => match world.find(uuid) {
            Some(p) => Some(p.row.root.clone()),
            None => return Ok(answer(&ctx, &[])),
        },
    };
    let found: Vec<&ProviderRow> = world
        .providers
        .iter()
        .filter(|p| {
            params.get("name").is_none_or(|n| n == p.row.name)
                && params.get("uuid").is_none_or(|u| u == p.row.uuid)
                && root.as_ref().is_none_or(|r| *r == p.row.root)
                && member_of.admits(&p.aggregates)
                && required.admits(&p.traits)
                && resources.iter().all(|(class, amount)| p.has_room(class, *amount))
        })
        .map(|p| &p.row)
        .collect();
    Ok(answer(&ctx, &found))
}

fn answer(ctx: &Ctx, found: &[&ProviderRow]) -> web::Response {
    let list: Vec<Value> = found.iter().map(|p| view::provider(ctx, p)).collect();
    let changed = found.iter().map(|p| p.updated_at).max();
    dated(ctx, web::json(200, &json!({"resource_providers": list})), changed)
}

async fn get(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    let provider = store::get(&mut *placement.db.read().await?, &uuid).await?;
    Ok(dated(&ctx, web::json(200, &view::provider(&ctx, &provider)), Some(provider.updated_at)))
}

async fn create(
    State(placement): Placements,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    Content(body): Content,
) -> Result {
    valid_body(if ctx.at_least(1, 14) { &CREATE_1_14 } else { &CREATE_1_0 }, &body)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").unwrap_or_default();
    let uuid = text("uuid").and_then(|u| dashed(&u)).unwrap_or_else(base::id::uuid);
    if name.is_empty() {
        return Err(Error::bad_request(format!(
            "Unable to create resource provider \"{name}\", {uuid}: Object action create failed because: name is required"
        ))
        .into());
    }
    let parent = text("parent_provider_uuid");
    let all = store::list(&mut placement.db.read().await?).await?;
    let root = rules::root_of_new(&uuid, &name, parent.as_deref(), &all)?;
    let new = ProviderRow { uuid, name, generation: 0, parent, root, updated_at: base::time::now() };
    store::create(&placement.db, &ctx, &new).await?;
    let response = if ctx.at_least(1, 20) {
        dated(&ctx, web::json(200, &view::provider(&ctx, &new)), Some(new.updated_at))
    } else {
        web::no_content(201)
    };
    Ok(located(response, &origin, &format!("/resource_providers/{}", new.uuid)))
}

/// Either spelling of a uuid, as the one with dashes.
fn dashed(text: &str) -> Option<String> {
    if !base::id::is_uuid(text) {
        return None;
    }
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
    let cut = |from: usize, to: usize| hex.get(from..to);
    Some(format!("{}-{}-{}-{}-{}", cut(0, 8)?, cut(8, 12)?, cut(12, 16)?, cut(16, 20)?, cut(20, 32)?))
}

async fn update(
    State(placement): Placements,
    Caller(ctx): Caller,
    Path(uuid): Path<String>,
    Content(body): Content,
) -> Result {
    let mut conn = placement.db.read().await?;
    let mut provider = store::get(&mut conn, &uuid).await?;
    valid_body(if ctx.at_least(1, 14) { &UPDATE_1_14 } else { &UPDATE_1_0 }, &body)?;
    provider.name = body["name"].as_str().unwrap_or_default().to_owned();
    let moved = match body.get("parent_provider_uuid") {
        None => Vec::new(),
        Some(parent) => {
            let all = store::list(&mut conn).await?;
            rules::reparent(&mut provider, parent.as_str(), ctx.at_least(1, 37), &all)?
        }
    };
    drop(conn);
    store::update(&placement.db, &ctx, &provider, &moved).await?;
    Ok(dated(&ctx, web::json(200, &view::provider(&ctx, &provider)), None))
}

async fn delete(State(placement): Placements, Caller(ctx): Caller, Path(uuid): Path<String>) -> Result {
    store::delete(&placement.db, &ctx, &uuid).await?;
    Ok(web::no_content(204))
}
