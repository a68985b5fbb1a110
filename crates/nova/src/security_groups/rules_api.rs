//! `/v2.1/os-security-group-rules`

use std::sync::Arc;

use base::Error;
use http::Method;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Response, Result, State, no_content};

use super::api::{JSON, check_id, find, refusal};
use super::{rules, view};
use crate::Nova;
use crate::query::PROXIES_GONE;
use crate::schema::{self, Field, Kind};

const RULE: Kind = Kind::Open(&[
    Field::new("group_id", Kind::UuidOrNull),
    Field::new("parent_group_id", Kind::Uuid).required(),
]);

pub async fn create(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    let rule = body
        .get("security_group_rule")
        .ok_or_else(|| Error::bad_request("'security_group_rule' is a required property"))?;
    schema::check(&RULE, rule, "security_group_rule", ctx.microversion.minor)?;
    let parent = rule["parent_group_id"].as_str().unwrap_or_default();
    find(&nova, &ctx, parent).await?;
    let source = rule["group_id"].as_str();
    if let Some(source) = source {
        find(&nova, &ctx, source).await?;
    }
    let wanted =
        json!({"security_group_rule": rules::neutron_rule(rule.as_object().unwrap_or(&Default::default()))?});
    let made = nova
        .network_api
        .call(&ctx, Method::POST, "/v2.0/security-group-rules", Some((JSON, &wanted)))
        .await
        .map_err(refusal)?;
    let ids: Vec<String> = [Some(parent), source].into_iter().flatten().map(Into::into).collect();
    let known = nova.neutron.security_groups(&ids).await?;
    let id = &made["security_group_rule"]["id"];
    let mut all = known.iter().flat_map(|g| g.rules.iter().map(move |r| (g, r)));
    let (group, rule) = all
        .find(|(_, r)| *id == r.id)
        .ok_or_else(|| Error::not_found(format!("Security group {parent} not found.")))?;
    Ok(web::json(200, &json!({"security_group_rule": view::rule(rule, &group.id, &known)})))
}

pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::query::before(&ctx, PROXIES_GONE)?;
    check_id(&id)?;
    let path = format!("/v2.0/security-group-rules/{id}");
    nova.network_api.call(&ctx, Method::DELETE, &path, None).await.map_err(|r| match r.status {
        404 => Error::not_found(format!("Security group rule {id} not found.")),
        _ => refusal(r),
    })?;
    Ok(no_content(202))
}
