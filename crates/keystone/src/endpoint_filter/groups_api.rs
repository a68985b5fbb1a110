//! /v3/OS-EP-FILTER/endpoint_groups

use base::Error;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Result};

use super::{EndpointGroup, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::change;
use crate::listing::{collection, url};
use crate::schema::Fields;

pub fn missing(id: &str) -> Error {
    crate::errors::not_found("Endpoint Group", id)
}

pub fn view(group: &EndpointGroup, origin: &Origin) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "filters": group.filters,
        "links": {"self": url(origin, &format!("OS-EP-FILTER/endpoint_groups/{}", group.id))},
    })
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST.enforce(&ctx, &Target::default())?;
    let groups = store::groups(&mut *keystone.db.read().await?).await?;
    let views = groups.iter().map(|g| view(g, &origin)).collect();
    Ok(collection(&origin, &params, "endpoint_groups", views, &["name"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET.enforce(&ctx, &Target::default())?;
    let found = store::group(&mut *keystone.db.read().await?, &id).await?;
    Ok(one(200, "endpoint_group", view(&found.ok_or_else(|| missing(&id))?, &origin)))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "endpoint_group")?;
    let group = EndpointGroup {
        id: base::id::hex(),
        name: fields.name("name", 255)?.ok_or_else(|| Fields::required("name"))?,
        description: fields.nullable_text("description")?.flatten(),
        filters: fields.object("filters")?.ok_or_else(|| Fields::required("filters"))?,
    };
    rules::check_filters(&group.filters)?;
    change!(keystone, &ctx, "endpoint_group.create", &group.id, |tx| Ok(store::insert(tx, &group).await?))?;
    Ok(one(201, "endpoint_group", view(&group, &origin)))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "endpoint_group", &id)?;
    let name = fields.name("name", 255)?;
    let description = fields.nullable_text("description")?;
    let filters = fields.object("filters")?;
    filters.as_ref().map_or(Ok(()), rules::check_filters)?;
    let group = change!(keystone, &ctx, "endpoint_group.update", &id, |tx| {
        let mut group = store::group(tx, &id).await?.ok_or_else(|| missing(&id))?;
        group.name = name.clone().unwrap_or(group.name);
        group.description = description.clone().unwrap_or(group.description);
        group.filters = filters.clone().unwrap_or(group.filters);
        store::update(tx, &group).await?;
        Ok(group)
    })?;
    Ok(one(200, "endpoint_group", view(&group, &origin)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "endpoint_group.delete", &id, |tx| {
        store::group(tx, &id).await?.ok_or_else(|| missing(&id))?;
        Ok(store::delete(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}
