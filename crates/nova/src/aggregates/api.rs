//! `/v2.1/os-aggregates`

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State, no_content};

use super::{Aggregate, store};
use crate::Nova;
use crate::schema::{self, Field, Kind};

fn zone_char(c: char) -> bool {
    c != ':' && !c.is_control()
}

const ZONE: Kind = Kind::TextOrNull(1, 255, zone_char, "^[^:]*$");
const CREATE: &[Field] = &[Field::new("name", Kind::Name).required(), Field::new("availability_zone", ZONE)];
const UPDATE: &[Field] = &[Field::new("name", Kind::Name), Field::new("availability_zone", ZONE)];

fn view(ctx: &Ctx, aggregate: &Aggregate) -> Value {
    let mut out = json!({
        "id": aggregate.number,
        "name": aggregate.name,
        "availability_zone": aggregate.metadata.get("availability_zone"),
        "hosts": aggregate.hosts,
        "metadata": aggregate.metadata,
        "created_at": base::time::micros_naive(aggregate.created_at),
        "updated_at": aggregate.updated_at.map(base::time::micros_naive),
        "deleted": false,
        "deleted_at": null,
    });
    if ctx.at_least(2, 41) {
        out["uuid"] = json!(aggregate.id);
    }
    out
}

fn answer(ctx: &Ctx, aggregate: &Aggregate) -> Response {
    web::json(200, &json!({"aggregate": view(ctx, aggregate)}))
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller) -> Result<Response> {
    let all = store::list(&mut *nova.db.read().await?).await?;
    let views: Vec<Value> = all.iter().map(|a| view(&ctx, a)).collect();
    Ok(web::json(200, &json!({"aggregates": views})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(answer(&ctx, &store::get(&mut *nova.db.read().await?, &id).await?))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "aggregate", CREATE, ctx.microversion.minor)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let zone = text("availability_zone").map(|z| ("availability_zone".to_owned(), z));
    let aggregate = Aggregate {
        number: 0,
        id: base::id::uuid(),
        name: text("name").unwrap_or_default(),
        metadata: zone.into_iter().collect(),
        hosts: Vec::new(),
        created_at: base::time::now(),
        updated_at: None,
    };
    let made = store::create(&nova.db, &ctx, &aggregate).await?;
    let mut view = view(&ctx, &made);
    // A new aggregate's answer has never had these two.
    if let Some(map) = view.as_object_mut() {
        map.retain(|key, _| key != "hosts" && key != "metadata");
    }
    Ok(web::json(200, &json!({"aggregate": view})))
}

async fn change(
    nova: &Nova,
    ctx: &Ctx,
    id: &str,
    change: impl Fn(&mut Aggregate) -> base::Result<()> + Send + Sync,
) -> Result<Response> {
    let aggregate = db::write!(nova.db, |tx| {
        let mut aggregate = store::get(tx, id).await?;
        change(&mut aggregate)?;
        aggregate.updated_at = Some(base::time::now());
        store::save(tx, ctx, &aggregate).await?;
        Ok::<_, Error>(aggregate)
    })?;
    Ok(answer(ctx, &aggregate))
}

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let fields = schema::body(&body, "aggregate", UPDATE, ctx.microversion.minor)?;
    if fields.is_empty() {
        let message = "{} is not valid under any of the given schemas";
        return Err(schema::invalid("aggregate", &json!({}), message).into());
    }
    let name = fields.get("name").and_then(Value::as_str);
    let zone = fields.get("availability_zone").map(Value::as_str);
    change(&nova, &ctx, &id, |aggregate| {
        if let Some(name) = name {
            aggregate.name = name.into();
        }
        match zone {
            None => {}
            Some(None) => drop(aggregate.metadata.remove("availability_zone")),
            Some(Some(zone)) => drop(aggregate.metadata.insert("availability_zone".into(), zone.into())),
        }
        Ok(())
    })
    .await
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    store::delete(&nova.db, &ctx, &id).await?;
    Ok(no_content(200))
}

const HOST: &[Field] = &[Field::new("host", Kind::Text(1, 255, schema::ANY_CHAR, "")).required()];
const METADATA: &[Field] =
    &[Field::new("metadata", Kind::Metadata { null: true, numbers: false }).required()];

/// add_host, remove_host, set_metadata.
pub async fn action(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let minor = ctx.microversion.minor;
    let name = body.as_object().and_then(|m| m.keys().next().cloned()).unwrap_or_default();
    let host = |key: &str| -> Result<String> {
        Ok(schema::body(&body, key, HOST, minor)?["host"].as_str().unwrap_or_default().to_owned())
    };
    match name.as_str() {
        "add_host" => {
            let host = host("add_host")?;
            if host != nova.config.host {
                return Err(Error::not_found(format!("Compute host {host} could not be found.")).into());
            }
            change(&nova, &ctx, &id, |aggregate| {
                if aggregate.hosts.contains(&host) {
                    return Err(Error::conflict(format!("Aggregate {id} already has host {host}.")));
                }
                aggregate.hosts.push(host.clone());
                Ok(())
            })
            .await
        }
        "remove_host" => {
            let host = host("remove_host")?;
            change(&nova, &ctx, &id, |aggregate| match aggregate.hosts.iter().position(|h| *h == host) {
                Some(at) => {
                    aggregate.hosts.remove(at);
                    Ok(())
                }
                None => Err(Error::not_found(format!("Aggregate {id} has no host {host}."))),
            })
            .await
        }
        "set_metadata" => {
            let fields = schema::body(&body, "set_metadata", METADATA, minor)?;
            let items: BTreeMap<String, Option<String>> = fields["metadata"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.as_str().map(Into::into)))
                .collect();
            change(&nova, &ctx, &id, |aggregate| {
                for (key, value) in &items {
                    match value {
                        Some(value) => drop(aggregate.metadata.insert(key.clone(), value.clone())),
                        None => drop(aggregate.metadata.remove(key)),
                    }
                }
                Ok(())
            })
            .await
        }
        other => Err(crate::query::no_such_action(other).into()),
    }
}

const IMAGE: &[Field] = &[Field::new("id", Kind::Uuid).required()];
const IMAGES: Kind = Kind::List(&Kind::Object(IMAGE), 1, usize::MAX);

/// Images that the aggregate's hosts are to have at hand. They lie on the one host already, whichever these are.
pub async fn images(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::since(&ctx, 81)?;
    if let Some(list) = body.get("cache") {
        schema::check(&IMAGES, list, "cache", ctx.microversion.minor)?;
    }
    let list = schema::required(schema::root(&body, &["cache"])?, "cache")?;
    let mut ids: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|i| i["id"].as_str()).collect();
    let asked = ids.len();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < asked {
        return Err(Error::bad_request("Duplicate images in request").into());
    }
    store::get(&mut *nova.db.read().await?, &id).await?;
    Ok(no_content(202))
}
