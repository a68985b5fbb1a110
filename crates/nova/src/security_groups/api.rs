//! `/v2.1/os-security-groups`

use std::sync::Arc;

use base::{Ctx, Error};
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Refused, Response, Result, State, no_content};

use crate::Nova;
use crate::query::PROXIES_GONE;
use crate::schema::{self, Field, Kind};

pub(super) const JSON: &str = "application/json";

/// Neutron's refusals as Nova has always told them.
pub(super) fn refusal(refused: Refused) -> Error {
    match (refused.status, &*refused.name) {
        (409, "OverQuota") => Error::forbidden(refused.message),
        (409, _) => Error::bad_request(refused.message),
        _ => refused.into(),
    }
}

pub(super) fn check_id(id: &str) -> base::Result<()> {
    if base::id::is_uuid(id) {
        return Ok(());
    }
    Err(Error::bad_request(format!("Security group id should be uuid. Got {id}.")))
}

/// A group that the caller may see: 404 else.
pub(super) async fn find(nova: &Nova, ctx: &Ctx, id: &str) -> base::Result<()> {
    check_id(id)?;
    let path = format!("/v2.0/security-groups/{id}?fields=id");
    match nova.network_api.call(ctx, Method::GET, &path, None).await {
        Ok(_) => Ok(()),
        Err(r) if r.status == 404 => Err(Error::not_found(format!("Security group {id} not found."))),
        Err(r) => Err(r.into()),
    }
}

async fn answer(nova: &Nova, id: &str) -> Result<Response> {
    let view = nova.group_views(&[id.to_owned()]).await?.pop();
    let view = view.ok_or_else(|| Error::not_found(format!("Security group {id} not found.")))?;
    Ok(web::json(200, &json!({"security_group": view})))
}

pub async fn index(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let all = params.flag("all_tenants").unwrap_or(false) && ctx.is_admin();
    let scope = if all { String::new() } else { format!("&tenant_id={}", ctx.require_project()?) };
    let found = nova
        .network_api
        .call(&ctx, Method::GET, &format!("/v2.0/security-groups?fields=id{scope}"), None)
        .await?;
    let ids: Vec<String> = found["security_groups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|g| g["id"].as_str().map(Into::into))
        .collect();
    let number = |key: &str| params.get(key).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(crate::query::MAX_LIMIT).min(crate::query::MAX_LIMIT);
    let views = nova.group_views(&ids).await?.into_iter();
    let page: Vec<Value> = views.skip(number("offset").unwrap_or(0)).take(limit).collect();
    Ok(web::json(200, &json!({"security_groups": page})))
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    find(&nova, &ctx, &id).await?;
    answer(&nova, &id).await
}

const TEXT: Kind = Kind::Text(0, 255, schema::ANY_CHAR, "");
const GROUP: Kind =
    Kind::Open(&[Field::new("name", TEXT).required(), Field::new("description", TEXT).required()]);

fn wanted(ctx: &Ctx, body: &Value) -> base::Result<Value> {
    let group = body
        .get("security_group")
        .ok_or_else(|| Error::bad_request("'security_group' is a required property"))?;
    schema::check(&GROUP, group, "security_group", ctx.microversion.minor)?;
    Ok(json!({"security_group": {"name": group["name"], "description": group["description"]}}))
}

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let wanted = wanted(&ctx, &body)?;
    let made = nova
        .network_api
        .call(&ctx, Method::POST, "/v2.0/security-groups", Some((JSON, &wanted)))
        .await
        .map_err(refusal)?;
    answer(&nova, made["security_group"]["id"].as_str().unwrap_or_default()).await
}

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let wanted = wanted(&ctx, &body)?;
    find(&nova, &ctx, &id).await?;
    let path = format!("/v2.0/security-groups/{id}");
    nova.network_api.call(&ctx, Method::PUT, &path, Some((JSON, &wanted))).await.map_err(refusal)?;
    answer(&nova, &id).await
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    find(&nova, &ctx, &id).await?;
    let path = format!("/v2.0/security-groups/{id}");
    nova.network_api.call(&ctx, Method::DELETE, &path, None).await.map_err(refusal)?;
    Ok(no_content(202))
}
