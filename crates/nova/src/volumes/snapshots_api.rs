//! `/v2.1/os-snapshots`

use std::sync::Arc;

use base::Error;
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State, no_content};

use super::limited;
use crate::Nova;
use crate::query::PROXIES_GONE;
use crate::schema::{self, Field, Kind, flag};

const TEXT: Kind = Kind::Text(0, usize::MAX, schema::ANY_CHAR, "");
const CREATE: &[Field] = &[
    Field::new("volume_id", TEXT).required(),
    Field::new("force", Kind::Bool),
    Field::new("display_name", TEXT),
    Field::new("display_description", TEXT),
];

fn view(snapshot: &Value) -> Value {
    json!({
        "id": snapshot["id"],
        "volumeId": snapshot["volume_id"],
        "status": snapshot["status"],
        "size": snapshot["size"],
        "createdAt": snapshot["created_at"],
        "displayName": snapshot["name"],
        "displayDescription": snapshot["description"],
    })
}

pub async fn list(state: State<Arc<Nova>>, caller: Caller, params: Params) -> Result<Response> {
    detail(state, caller, params).await
}

pub async fn detail(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let found = nova.volume_call(&ctx, Method::GET, "/v3/snapshots/detail", None).await?;
    let views: Vec<Value> = limited(&found["snapshots"], &params)?.iter().map(view).collect();
    Ok(web::json(200, &json!({"snapshots": views})))
}

fn path(id: &str) -> base::Result<String> {
    match base::id::is_uuid(id) {
        true => Ok(format!("/v3/snapshots/{id}")),
        false => Err(Error::not_found(format!("Snapshot {id} could not be found."))),
    }
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let found = nova.volume_call(&ctx, Method::GET, &path(&id)?, None).await?;
    Ok(web::json(200, &json!({"snapshot": view(&found["snapshot"])})))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let fields = schema::body(&body, "snapshot", CREATE, ctx.microversion.minor)?;
    let wanted = json!({"snapshot": {
        "volume_id": fields["volume_id"],
        "force": fields.get("force").and_then(flag).unwrap_or(false),
        "name": fields.get("display_name"),
        "description": fields.get("display_description"),
    }});
    let made = nova.volume_call(&ctx, Method::POST, "/v3/snapshots", Some(&wanted)).await?;
    Ok(web::json(200, &json!({"snapshot": view(&made["snapshot"])})))
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
