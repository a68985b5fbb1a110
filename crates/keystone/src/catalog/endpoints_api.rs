//! /v3/endpoints

use base::Error;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Endpoint, Region, rules, store, view};
use crate::access::Target;
use crate::call::Call;
use crate::change;
use crate::listing::collection;
use crate::schema::{Fields, merge};

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST_ENDPOINTS.enforce(&ctx, &Target::default())?;
    let endpoints = store::endpoints(&mut *keystone.db.read().await?).await?;
    let views = endpoints.iter().map(|e| view::endpoint(e, &origin)).collect();
    Ok(collection(&origin, &params, "endpoints", views, &["interface", "service_id", "region_id", "region"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET_ENDPOINT.enforce(&ctx, &Target::default())?;
    let found = store::require_endpoint(&mut *keystone.db.read().await?, &id).await?;
    Ok(answer(200, &found, &origin))
}

/// `region` is the older name of `region_id`, and makes the region when it is new.
struct RegionSpec {
    id: Option<Option<String>>,
    make: bool,
}

fn region(fields: &mut Fields) -> Result<RegionSpec, Error> {
    let legacy = fields.nullable_text("region")?;
    let id = fields.nullable_text("region_id")?;
    Ok(if id.is_some() { RegionSpec { id, make: false } } else { RegionSpec { id: legacy, make: true } })
}

async fn ensure_region(conn: &mut db::AnyConnection, spec: &RegionSpec) -> Result<(), Error> {
    let Some(Some(id)) = &spec.id else { return Ok(()) };
    if store::region(conn, id).await?.is_some() {
        return Ok(());
    }
    if !spec.make {
        return Err(Error::bad_request(format!("Could not find region: {id}.")));
    }
    let region = Region {
        id: id.clone(),
        parent_region_id: None,
        description: String::new(),
        extra: Default::default(),
    };
    Ok(store::insert_region(conn, &region).await?)
}

async fn check_service(conn: &mut db::AnyConnection, id: &str) -> Result<(), Error> {
    match store::service(conn, id).await? {
        Some(_) => Ok(()),
        None => Err(Error::bad_request(format!("Could not find service: {id}."))),
    }
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE_ENDPOINT.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "endpoint")?;
    let spec = region(&mut fields)?;
    let endpoint = Endpoint {
        id: base::id::hex(),
        service_id: fields.id("service_id")?.ok_or_else(|| Fields::required("service_id"))?,
        region_id: spec.id.clone().flatten(),
        interface: fields.text("interface")?.ok_or_else(|| Fields::required("interface"))?,
        url: fields.url("url")?.ok_or_else(|| Fields::required("url"))?,
        enabled: fields.flag("enabled")?.unwrap_or(true),
        extra: fields.extra(),
    };
    rules::check_interface(&endpoint.interface)?;
    rules::check_url(&endpoint.url)?;
    change!(keystone, &ctx, "endpoint.create", &endpoint.id, |tx| {
        check_service(tx, &endpoint.service_id).await?;
        ensure_region(tx, &spec).await?;
        Ok(store::insert_endpoint(tx, &endpoint).await?)
    })?;
    Ok(answer(201, &endpoint, &origin))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE_ENDPOINT.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "endpoint", &id)?;
    let spec = region(&mut fields)?;
    let service_id = fields.id("service_id")?;
    let interface = fields.text("interface")?;
    let url = fields.url("url")?;
    let enabled = fields.flag("enabled")?;
    let extra = fields.extra();
    interface.as_deref().map_or(Ok(()), rules::check_interface)?;
    url.as_deref().map_or(Ok(()), rules::check_url)?;
    let endpoint = change!(keystone, &ctx, "endpoint.update", &id, |tx| {
        let mut endpoint = store::require_endpoint(tx, &id).await?;
        if let Some(service_id) = &service_id {
            check_service(tx, service_id).await?;
            endpoint.service_id.clone_from(service_id);
        }
        ensure_region(tx, &spec).await?;
        endpoint.region_id = spec.id.clone().unwrap_or(endpoint.region_id);
        endpoint.interface = interface.clone().unwrap_or(endpoint.interface);
        endpoint.url = url.clone().unwrap_or(endpoint.url);
        endpoint.enabled = enabled.unwrap_or(endpoint.enabled);
        merge(&mut endpoint.extra, extra.clone());
        store::update_endpoint(tx, &endpoint).await?;
        Ok(endpoint)
    })?;
    Ok(answer(200, &endpoint, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE_ENDPOINT.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "endpoint.delete", &id, |tx| {
        store::require_endpoint(tx, &id).await?;
        Ok(store::delete_endpoint(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, endpoint: &Endpoint, origin: &Origin) -> Response {
    web::json(status, &json!({"endpoint": view::endpoint(endpoint, origin)}))
}
