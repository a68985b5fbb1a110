//! `/v2.1/os-volumes`

use std::sync::Arc;

use base::Error;
use http::header::LOCATION;
use http::{HeaderValue, Method};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Result, State, no_content};

use super::limited;
use crate::Nova;
use crate::query::PROXIES_GONE;
use crate::schema::{self, Field, Kind, MAX_INT};

const TEXT: Kind = Kind::Text(0, usize::MAX, schema::ANY_CHAR, "");
const CREATE: &[Field] = &[
    Field::new("volume_type", TEXT),
    Field::new("metadata", Kind::Open(&[])),
    Field::new("snapshot_id", TEXT),
    Field::new("size", Kind::Integer(1, MAX_INT)).required(),
    Field::new("availability_zone", TEXT),
    Field::new("display_name", TEXT),
    Field::new("display_description", TEXT),
];

fn view(volume: &Value) -> Value {
    let attachment = match &volume["attachments"][0] {
        Value::Null => json!({}),
        first => {
            let mut shown =
                json!({"id": volume["id"], "volumeId": volume["id"], "serverId": first["server_id"]});
            if first["device"].is_string() {
                shown["device"] = first["device"].clone();
            }
            shown
        }
    };
    json!({
        "id": volume["id"],
        "status": volume["status"],
        "size": volume["size"],
        "availabilityZone": volume["availability_zone"],
        "createdAt": volume["created_at"],
        "attachments": [attachment],
        "displayName": volume["name"],
        "displayDescription": volume["description"],
        "volumeType": volume["volume_type"],
        "snapshotId": volume["snapshot_id"],
        "metadata": volume["metadata"],
    })
}

pub async fn list(state: State<Arc<Nova>>, caller: Caller, params: Params) -> Result<Response> {
    detail(state, caller, params).await
}

pub async fn detail(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let found = nova.volume_call(&ctx, Method::GET, "/v3/volumes/detail", None).await?;
    let views: Vec<Value> = limited(&found["volumes"], &params)?.iter().map(view).collect();
    Ok(web::json(200, &json!({"volumes": views})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let found = nova.volume_call(&ctx, Method::GET, &path(&id)?, None).await?;
    Ok(web::json(200, &json!({"volume": view(&found["volume"])})))
}

fn path(id: &str) -> base::Result<String> {
    match base::id::is_uuid(id) {
        true => Ok(format!("/v3/volumes/{id}")),
        false => Err(Error::not_found(format!("Volume {id} could not be found."))),
    }
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    origin: Origin,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let fields = schema::body(&body, "volume", CREATE, ctx.microversion.minor)?;
    let mut wanted = Map::new();
    for (key, value) in fields {
        let key = match key.as_str() {
            "display_name" => "name",
            "display_description" => "description",
            other => other,
        };
        wanted.insert(key.to_owned(), value.clone());
    }
    let wanted = json!({ "volume": wanted });
    let made = nova.volume_call(&ctx, Method::POST, "/v3/volumes", Some(&wanted)).await?;
    let mut response = web::json(200, &json!({"volume": view(&made["volume"])}));
    let id = made["volume"]["id"].as_str().unwrap_or_default();
    if let Ok(location) = HeaderValue::from_str(&format!("{}/compute/v2.1/os-volumes/{id}", origin.0)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    nova.volume_call(&ctx, Method::DELETE, &path(&id)?, None).await?;
    Ok(no_content(202))
}
