//! `/v2.1/images/{id}/metadata`

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Ctx, Error};
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State, no_content};

use super::properties;
use crate::schema::{self, Kind};
use crate::servers::create::parse::metadata as pairs;
use crate::{Nova, quotas};

/// The first microversion without these calls.
const GONE: u16 = 39;
const METADATA: Kind = Kind::Metadata { null: false, numbers: false };
const PATCH: &str = "application/openstack-images-v2.1-json-patch";

type Properties = BTreeMap<String, String>;

async fn find(nova: &Nova, ctx: &Ctx, id: &str) -> Result<Properties> {
    crate::query::before(ctx, GONE)?;
    Ok(properties(&nova.glance_image(ctx, id).await?))
}

/// The image has these properties afterwards and no others.
async fn save(nova: &Nova, ctx: &Ctx, id: &str, before: &Properties, after: &Properties) -> Result<()> {
    let limits = quotas::limits(&mut *nova.db.read().await?, ctx.project().map(|p| &*p.id)).await?;
    let most = limits.of("metadata_items");
    if most >= 0 && i64::try_from(after.len()).unwrap_or(i64::MAX) > most {
        return Err(Error::forbidden("Image metadata limit exceeded").into());
    }
    let path = |key: &str| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    let mut patch = Vec::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.push(json!({"op": "remove", "path": path(key)}));
    }
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
        let op = if before.contains_key(key) { "replace" } else { "add" };
        patch.push(json!({"op": op, "path": path(key), "value": value}));
    }
    if !patch.is_empty() {
        let url = format!("/v2/images/{id}");
        nova.image_api.call(ctx, Method::PATCH, &url, Some((PATCH, &json!(patch)))).await?;
    }
    Ok(())
}

fn given(ctx: &Ctx, body: &Value, key: &str) -> base::Result<Properties> {
    let inner = schema::root(body, &[key])?
        .get(key)
        .ok_or_else(|| Error::bad_request(format!("'{key}' is a required property")))?;
    schema::check(&METADATA, inner, key, ctx.microversion.minor)?;
    Ok(pairs(Some(inner)))
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(web::json(200, &json!({"metadata": find(&nova, &ctx, &id).await?})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response> {
    let all = find(&nova, &ctx, &id).await?;
    let value = all.get(&key).ok_or_else(|| Error::not_found("The resource could not be found."))?;
    Ok(web::json(200, &json!({"meta": {&*key: value}})))
}

/// POST: the given items on top of what is there.
pub async fn merge(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, GONE)?;
    let items = given(&ctx, &body, "metadata")?;
    let before = find(&nova, &ctx, &id).await?;
    let mut after = before.clone();
    after.extend(items);
    save(&nova, &ctx, &id, &before, &after).await?;
    Ok(web::json(200, &json!({"metadata": after})))
}

/// PUT: the given items and no others.
pub async fn replace(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, GONE)?;
    let after = given(&ctx, &body, "metadata")?;
    let before = find(&nova, &ctx, &id).await?;
    save(&nova, &ctx, &id, &before, &after).await?;
    Ok(web::json(200, &json!({"metadata": after})))
}

pub async fn set(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, GONE)?;
    let items = given(&ctx, &body, "meta")?;
    if items.len() != 1 {
        return Err(Error::bad_request("Request body contains too many or too few items").into());
    }
    if !items.contains_key(&key) {
        return Err(Error::bad_request("Request body and URI mismatch").into());
    }
    let before = find(&nova, &ctx, &id).await?;
    let mut after = before.clone();
    after.extend(items.clone());
    save(&nova, &ctx, &id, &before, &after).await?;
    Ok(web::json(200, &json!({"meta": items})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response> {
    let before = find(&nova, &ctx, &id).await?;
    let mut after = before.clone();
    if after.remove(&key).is_none() {
        return Err(Error::not_found("Invalid metadata key").into());
    }
    save(&nova, &ctx, &id, &before, &after).await?;
    Ok(no_content(204))
}
