//! `/usages` and `/resource_providers/{uuid}/usages`.

use std::sync::{Arc, LazyLock};

use base::{Policy, Rule};
use serde_json::{Map, Value, json};
use web::schema::Schema;
use web::{Caller, Params, Path, Result, Routes, State};

use super::store;
use crate::wire::{Reads, dated, since, valid_query};
use crate::{Placement, inventories, providers};

const OF_PROVIDER: Policy = Policy::new("placement:resource_providers:usages", Rule::Service);
/// Its rule is `admin or service or a reader of that very project`; the handler asks for the project.
const TOTAL: Policy = Policy::new("placement:usages", Rule::Authenticated);
const OWN: Policy = Policy::new("placement:usages", Rule::ProjectReader);

type Placements = State<Arc<Placement>>;

pub fn routes(routes: Routes<Arc<Placement>>) -> Routes<Arc<Placement>> {
    routes.get("/resource_providers/{uuid}/usages", &OF_PROVIDER, of_provider).get("/usages", &TOTAL, total)
}

fn schema(with_type: bool) -> Schema {
    let name = json!({"type": "string", "minLength": 1, "maxLength": 255});
    let mut properties = json!({"project_id": name, "user_id": name});
    if with_type {
        properties["consumer_type"] = json!({
            "type": "string", "pattern": "^[A-Z0-9_]+$|^all|^unknown$", "minLength": 1, "maxLength": 255,
        });
    }
    Schema::new(&json!({
        "type": "object", "properties": properties, "required": ["project_id"], "additionalProperties": false,
    }))
}

static PLAIN: LazyLock<Schema> = LazyLock::new(|| schema(false));
static TYPED: LazyLock<Schema> = LazyLock::new(|| schema(true));

async fn of_provider(
    State(placement): Placements,
    Caller(ctx): Caller,
    _: Reads,
    Path(uuid): Path<String>,
) -> Result {
    let mut conn = placement.db.read().await?;
    let words = |e| format!("No resource provider with uuid {uuid} found: {e}");
    let provider = providers::store::get_or(&mut conn, &uuid, words).await?;
    let list = inventories::store::of_provider(&mut conn, &uuid).await?;
    let map: Map<String, Value> = list.iter().map(|i| (i.resource_class.clone(), json!(i.used))).collect();
    let body = json!({"resource_provider_generation": provider.generation, "usages": map});
    Ok(dated(&ctx, web::json(200, &body), None))
}

async fn total(State(placement): Placements, Caller(ctx): Caller, _: Reads, params: Params) -> Result {
    since(&ctx, 9)?;
    let project = params.get("project_id").unwrap_or_default();
    if !ctx.auth.has_role("service") {
        ctx.authorize(&OWN, Some(project))?;
    }
    let typed = ctx.at_least(1, 38);
    valid_query(if typed { &TYPED } else { &PLAIN }, &params)?;
    let user = params.get("user_id").unwrap_or_default();
    let mut conn = placement.db.read().await?;
    let usages = store::of_project(&mut conn, project, user).await?;
    if !typed {
        let mut map = Map::new();
        for u in usages {
            let sum = map.get(&u.resource_class).and_then(Value::as_i64).unwrap_or(0) + u.used;
            map.insert(u.resource_class, json!(sum));
        }
        return Ok(dated(&ctx, web::json(200, &json!({"usages": map})), None));
    }
    let counts = store::consumers(&mut conn, project, user).await?;
    drop(conn);
    let asked = params.get("consumer_type");
    let named = |kind: &Option<String>| kind.clone().unwrap_or_else(|| "unknown".into());
    let mut map: Map<String, Value> = Map::new();
    for u in usages {
        let kind = named(&u.consumer_type);
        let key = match asked {
            Some("all") => "all".to_owned(),
            Some(one) if one != kind => continue,
            _ => kind,
        };
        let entry = map.entry(key).or_insert_with(|| json!({"consumer_count": 0}));
        let sum = entry[&u.resource_class].as_i64().unwrap_or(0) + u.used;
        entry[u.resource_class] = json!(sum);
    }
    for (key, entry) in &mut map {
        let of = counts.iter().filter(|(kind, _)| asked == Some("all") || named(kind) == *key);
        entry["consumer_count"] = json!(of.map(|(_, n)| n).sum::<i64>());
    }
    Ok(dated(&ctx, web::json(200, &json!({"usages": map})), None))
}
