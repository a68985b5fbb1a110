//! /v3/regions

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Region, rules, store, view};
use crate::access::Target;
use crate::call::Call;
use crate::errors::{conflict, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, merge};
use crate::{Keystone, change};

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST_REGIONS.enforce(&ctx, &Target::default())?;
    let regions = store::regions(&mut *keystone.db.read().await?).await?;
    let views = regions.iter().map(|r| view::region(r, &origin)).collect();
    Ok(collection(&origin, &params, "regions", views, &["parent_region_id"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    rules::GET_REGION.enforce(&ctx, &Target::default())?;
    let found = store::require_region(&mut *keystone.db.read().await?, &id).await?;
    Ok(answer(200, &found, &origin))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    let region = insert(&keystone, &ctx, body, None).await?;
    Ok(answer(201, &region, &origin))
}

pub async fn create_with_id(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let region = insert(&keystone, &ctx, body, Some(id)).await?;
    Ok(answer(201, &region, &origin))
}

async fn insert(
    keystone: &Keystone,
    ctx: &Ctx,
    body: Value,
    url_id: Option<String>,
) -> Result<Region, Error> {
    rules::CREATE_REGION.enforce(ctx, &Target::default())?;
    let mut fields = Fields::of(body, "region")?;
    let asked = match fields.nullable_text("id")?.flatten().filter(|id| !id.is_empty()) {
        Some(id) if id.chars().count() > 255 => {
            return Err(crate::schema::invalid("id", format!("'{id}' is too long")));
        }
        asked => asked,
    };
    if let (Some(url_id), Some(asked)) = (&url_id, &asked)
        && url_id != asked
    {
        return Err(Error::conflict(
            "Conflict occurred attempting to store region - the id in the URL is not the one in the body.",
        ));
    }
    let region = Region {
        id: url_id.or(asked).unwrap_or_else(base::id::hex),
        parent_region_id: fields.nullable_text("parent_region_id")?.flatten(),
        description: fields.nullable_text("description")?.flatten().unwrap_or_default(),
        extra: fields.extra(),
    };
    change!(keystone, ctx, "region.create", &region.id, |tx| {
        check_parent(tx, &region).await?;
        let inserted = store::insert_region(tx, &region).await;
        inserted.map_err(|e| unique(e, || conflict("region", format!("Duplicate ID, {}", region.id))))
    })?;
    Ok(region)
}

async fn check_parent(conn: &mut db::AnyConnection, region: &Region) -> Result<(), Error> {
    let Some(parent) = &region.parent_region_id else { return Ok(()) };
    let all = store::regions(conn).await?;
    if !all.iter().any(|r| r.id == *parent) {
        return Err(not_found("region", parent));
    }
    rules::check_parent(&region.id, parent, &all)
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    rules::UPDATE_REGION.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::patch(body, "region", &id)?;
    let parent = fields.nullable_text("parent_region_id")?;
    let description = fields.nullable_text("description")?;
    let extra = fields.extra();
    let region = change!(keystone, &ctx, "region.update", &id, |tx| {
        let mut region = store::require_region(tx, &id).await?;
        region.parent_region_id = parent.clone().unwrap_or(region.parent_region_id);
        region.description = description.clone().map_or(region.description, Option::unwrap_or_default);
        merge(&mut region.extra, extra.clone());
        check_parent(tx, &region).await?;
        store::update_region(tx, &region).await?;
        Ok(region)
    })?;
    Ok(answer(200, &region, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    rules::DELETE_REGION.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "region.delete", &id, |tx| {
        store::require_region(tx, &id).await?;
        // Child regions go with it, and none may be in use.
        let all = store::regions(tx).await?;
        let doomed: Vec<&Region> =
            all.iter().filter(|r| rules::check_parent(&id, &r.id, &all).is_err()).collect();
        let used = store::endpoints(tx).await?;
        if used.iter().any(|e| doomed.iter().any(|r| Some(&r.id) == e.region_id.as_ref())) {
            return Err(Error::forbidden(format!(
                "Unable to delete region {id} because it or its child regions have associated endpoints."
            )));
        }
        for region in doomed {
            store::delete_region(tx, &region.id).await?;
        }
        Ok(())
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, region: &Region, origin: &Origin) -> Response {
    web::json(status, &json!({"region": view::region(region, origin)}))
}
