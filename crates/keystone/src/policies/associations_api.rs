//! /v3/policies/{id}/OS-ENDPOINT-POLICY/.. and /v3/endpoints/{id}/OS-ENDPOINT-POLICY/policy
//!
//! One set of handlers serves endpoints, services and services in regions: the names of the path's parameters tell.

use std::collections::HashMap;

use base::Error;
use db::AnyConnection;
use web::{Path, Result};

use super::api::view;
use super::{Association, Subject, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::listing::collection;
use crate::{catalog, change};

type Parameters = Path<HashMap<String, String>>;

fn parse(parameters: &HashMap<String, String>) -> (String, Subject) {
    let get = |key: &str| parameters.get(key).cloned().unwrap_or_default();
    let subject = Subject {
        endpoint_id: get("endpoint_id"),
        service_id: get("service_id"),
        region_id: get("region_id"),
    };
    (get("policy_id"), subject)
}

/// All that a path names must exist.
async fn check(conn: &mut AnyConnection, policy: &str, subject: &Subject) -> Result<(), Error> {
    store::require(conn, policy).await?;
    let Subject { endpoint_id, service_id, region_id } = subject;
    if !endpoint_id.is_empty() {
        catalog::store::require_endpoint(conn, endpoint_id).await?;
    }
    if !service_id.is_empty() {
        catalog::store::require_service(conn, service_id).await?;
    }
    if !region_id.is_empty() {
        catalog::store::require_region(conn, region_id).await?;
    }
    Ok(())
}

pub async fn get(Call { keystone, ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    rules::CHECK_ASSOCIATION.enforce(&ctx, &Target::default())?;
    let (policy, subject) = parse(&parameters);
    let mut conn = keystone.db.read().await?;
    check(&mut conn, &policy, &subject).await?;
    if store::associations(&mut conn).await?.contains(&Association { subject, policy_id: policy }) {
        Ok(web::no_content(204))
    } else {
        Err(Error::not_found("Could not find policy association.").into())
    }
}

pub async fn create(Call { keystone, ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    rules::CREATE_ASSOCIATION.enforce(&ctx, &Target::default())?;
    let (policy, subject) = parse(&parameters);
    change!(keystone, &ctx, "policy.associate", &policy, |tx| {
        check(tx, &policy, &subject).await?;
        Ok(store::associate(tx, &subject, &policy).await?)
    })?;
    Ok(web::no_content(204))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(parameters): Parameters) -> Result {
    rules::DELETE_ASSOCIATION.enforce(&ctx, &Target::default())?;
    let (policy, subject) = parse(&parameters);
    change!(keystone, &ctx, "policy.dissociate", &policy, |tx| {
        check(tx, &policy, &subject).await?;
        Ok(store::dissociate(tx, &subject, &policy).await?)
    })?;
    Ok(web::no_content(204))
}

/// The endpoints for which a policy holds.
pub async fn endpoints(Call { keystone, ctx, origin, params }: Call, Path(id): Path<String>) -> Result {
    rules::ENDPOINTS.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    store::require(&mut conn, &id).await?;
    let associations = store::associations(&mut conn).await?;
    let regions = catalog::store::regions(&mut conn).await?;
    let endpoints = catalog::store::endpoints(&mut conn).await?;
    let views = endpoints
        .iter()
        .filter(|e| rules::policy_of(e, &associations, &regions) == Some(id.as_str()))
        .map(|e| catalog::view::endpoint(e, &origin))
        .collect();
    Ok(collection(&origin, &params, "endpoints", views, &[])?)
}

pub async fn of_endpoint(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::OF_ENDPOINT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let endpoint = catalog::store::require_endpoint(&mut conn, &id).await?;
    let associations = store::associations(&mut conn).await?;
    let regions = catalog::store::regions(&mut conn).await?;
    let missing = || Error::not_found(format!("No policy is associated with endpoint {id}."));
    let policy = rules::policy_of(&endpoint, &associations, &regions).ok_or_else(missing)?;
    let policy = store::get(&mut conn, policy).await?.ok_or_else(missing)?;
    Ok(one(200, "policy", view(&policy, &origin)))
}
