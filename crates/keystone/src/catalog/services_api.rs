//! /v3/services

use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{ServiceEntry, rules, store, view};
use crate::access::Target;
use crate::call::Call;
use crate::change;
use crate::listing::collection;
use crate::schema::{Fields, merge};

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST_SERVICES.enforce(&ctx, &Target::default())?;
    let services = store::services(&mut *keystone.db.read().await?).await?;
    let views = services.iter().map(|s| view::service(s, &origin)).collect();
    Ok(collection(&origin, &params, "services", views, &["type", "name"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET_SERVICE.enforce(&ctx, &Target::default())?;
    let found = store::require_service(&mut *keystone.db.read().await?, &id).await?;
    Ok(answer(200, &found, &origin))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE_SERVICE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "service")?;
    let service = ServiceEntry {
        id: base::id::hex(),
        kind: fields.name("type", 255)?.ok_or_else(|| Fields::required("type"))?,
        enabled: fields.flag("enabled")?.unwrap_or(true),
        name: fields.nullable_text("name")?.flatten(),
        description: fields.nullable_text("description")?.flatten(),
        extra: fields.extra(),
    };
    change!(keystone, &ctx, "service.create", &service.id, |tx| {
        Ok(store::insert_service(tx, &service).await?)
    })?;
    Ok(answer(201, &service, &origin))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE_SERVICE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "service", &id)?;
    let kind = fields.name("type", 255)?;
    let enabled = fields.flag("enabled")?;
    let name = fields.nullable_text("name")?;
    let description = fields.nullable_text("description")?;
    let extra = fields.extra();
    let service = change!(keystone, &ctx, "service.update", &id, |tx| {
        let mut service = store::require_service(tx, &id).await?;
        service.kind = kind.clone().unwrap_or(service.kind);
        service.enabled = enabled.unwrap_or(service.enabled);
        service.name = name.clone().unwrap_or(service.name);
        service.description = description.clone().unwrap_or(service.description);
        merge(&mut service.extra, extra.clone());
        store::update_service(tx, &service).await?;
        Ok(service)
    })?;
    Ok(answer(200, &service, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE_SERVICE.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "service.delete", &id, |tx| {
        store::require_service(tx, &id).await?;
        Ok(store::delete_service(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, service: &ServiceEntry, origin: &Origin) -> Response {
    web::json(status, &json!({"service": view::service(service, origin)}))
}
