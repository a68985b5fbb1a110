//! /v3/registered_limits

use base::Error;
use db::AnyConnection;
use serde_json::{Value, json};
use web::{Json, Path, Result};

use super::{RegisteredLimit, rules, store, view};
use crate::access::Target;
use crate::call::{Call, one};
use crate::errors::{conflict, expecting, unique};
use crate::listing::collection;
use crate::schema::{Fields, items};
use crate::{catalog, change};

const FILTERS: &[&str] = &["service_id", "region_id", "resource_name"];

pub fn missing(id: &str) -> Error {
    Error::not_found(format!("Could not find registered limit for {id}."))
}

fn taken(error: db::Error) -> Error {
    unique(error, || conflict("registered_limit", "Duplicate entry"))
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST_REGISTERED.enforce(&ctx, &Target::default())?;
    let limits = store::registered(&mut *keystone.db.read().await?).await?;
    let views = limits.iter().map(|l| view::registered(l, &origin)).collect();
    Ok(collection(&origin, &params, "registered_limits", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET_REGISTERED.enforce(&ctx, &Target::default())?;
    let found = store::get_registered(&mut *keystone.db.read().await?, &id).await?;
    Ok(one(200, "registered_limit", view::registered(&found.ok_or_else(|| missing(&id))?, &origin)))
}

/// The services and regions that limits name must exist.
pub async fn check_place(
    conn: &mut AnyConnection,
    service_id: &str,
    region_id: &str,
    noun: &str,
) -> Result<(), Error> {
    if catalog::store::service(conn, service_id).await?.is_none() {
        return Err(expecting("service_id", noun));
    }
    if !region_id.is_empty() && catalog::store::region(conn, region_id).await?.is_none() {
        return Err(expecting("region_id", noun));
    }
    Ok(())
}

fn parse(item: Value) -> Result<RegisteredLimit, Error> {
    let mut fields = Fields::from_value(item)?;
    let limit = RegisteredLimit {
        id: base::id::hex(),
        service_id: fields.id("service_id")?.ok_or_else(|| Fields::required("service_id"))?,
        region_id: fields.nullable_text("region_id")?.flatten().unwrap_or_default(),
        resource_name: fields.name("resource_name", 255)?.ok_or_else(|| Fields::required("resource_name"))?,
        default_limit: fields
            .integer("default_limit", rules::MIN, rules::MAX)?
            .ok_or_else(|| Fields::required("default_limit"))?,
        description: fields.nullable_text("description")?.flatten(),
    };
    fields.nothing_else()?;
    Ok(limit)
}

/// Several at once, all or none.
pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE_REGISTERED.enforce(&ctx, &Target::default())?;
    let limits: Vec<RegisteredLimit> =
        items(body, "registered_limits")?.into_iter().map(parse).collect::<Result<_, _>>()?;
    change!(keystone, &ctx, "registered_limit.create", limits.first().map_or("", |l| l.id.as_str()), |tx| {
        for limit in &limits {
            check_place(tx, &limit.service_id, &limit.region_id, "registered_limit").await?;
            store::insert_registered(tx, limit).await.map_err(taken)?;
        }
        Ok(())
    })?;
    let views: Vec<Value> = limits.iter().map(|l| view::registered(l, &origin)).collect();
    Ok(web::json(201, &json!({"registered_limits": views})))
}

fn in_use(id: &str) -> Error {
    Error::forbidden(format!(
        "Unable to update or delete registered limit {id} because there are project limits associated with it."
    ))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE_REGISTERED.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "registered_limit")?;
    let service_id = fields.id("service_id")?;
    let region_id = fields.nullable_text("region_id")?;
    let resource_name = fields.name("resource_name", 255)?;
    let default_limit = fields.integer("default_limit", rules::MIN, rules::MAX)?;
    let description = fields.nullable_text("description")?;
    fields.nothing_else()?;
    let limit = change!(keystone, &ctx, "registered_limit.update", &id, |tx| {
        let mut limit = store::get_registered(tx, &id).await?.ok_or_else(|| missing(&id))?;
        if store::is_referenced(tx, &id).await? {
            return Err(in_use(&id));
        }
        limit.service_id = service_id.clone().unwrap_or(limit.service_id);
        limit.region_id = region_id.clone().map_or(limit.region_id, Option::unwrap_or_default);
        limit.resource_name = resource_name.clone().unwrap_or(limit.resource_name);
        limit.default_limit = default_limit.unwrap_or(limit.default_limit);
        limit.description = description.clone().unwrap_or(limit.description);
        check_place(tx, &limit.service_id, &limit.region_id, "registered_limit").await?;
        store::update_registered(tx, &limit).await.map_err(taken)?;
        Ok(limit)
    })?;
    Ok(one(200, "registered_limit", view::registered(&limit, &origin)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE_REGISTERED.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "registered_limit.delete", &id, |tx| {
        store::get_registered(tx, &id).await?.ok_or_else(|| missing(&id))?;
        if store::is_referenced(tx, &id).await? {
            return Err(in_use(&id));
        }
        Ok(store::delete_registered(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}
