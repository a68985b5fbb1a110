//! /v3/groups

use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Group, rules, store, view};
use crate::access::{Target, default_domain, list_domain, token_domain};
use crate::call::Call;
use crate::errors::{duplicate, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, merge};
use crate::{assignments, change, domains, users};

pub const FILTERS: &[&str] = &["name", "domain_id"];

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    let domain = list_domain(&ctx, params.get("domain_id"));
    rules::LIST.enforce(&ctx, &Target { domain, ..Target::default() })?;
    let groups = store::list(&mut *keystone.db.read().await?, domain).await?;
    let views = groups.iter().map(|g| view::group(g, &origin)).collect();
    Ok(collection(&origin, &params, "groups", views, FILTERS)?)
}

pub async fn list_of_user(Call { keystone, ctx, origin, params }: Call, Path(id): Path<String>) -> Result {
    let mut conn = keystone.db.read().await?;
    let user = users::store::get(&mut conn, &id).await?;
    let user = rules::LIST_OF_USER.find(&ctx, user, users::rules::target, || not_found("user", &id))?;
    let groups = store::of_user(&mut conn, &user.id).await?;
    let own = token_domain(&ctx);
    let shown = groups.iter().filter(|g| own.is_none_or(|own| own == g.domain_id));
    let views = shown.map(|g| view::group(g, &origin)).collect();
    Ok(collection(&origin, &params, "groups", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let group = rules::GET.find(&ctx, found, rules::target, || not_found("group", &id))?;
    Ok(answer(200, &group, &origin))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    let mut fields = Fields::of(body, "group")?;
    let asked = fields.id("domain_id")?;
    // A domain's manager has to name the domain.
    rules::CREATE.enforce(&ctx, &Target { domain: asked.as_deref(), ..Target::default() })?;
    let group = Group {
        id: base::id::hex(),
        name: fields.name("name", 64)?.ok_or_else(|| Fields::required("name"))?,
        domain_id: asked.unwrap_or_else(|| default_domain(&ctx).to_owned()),
        description: fields.nullable_text("description")?.flatten().unwrap_or_default(),
        extra: fields.extra(),
    };
    change!(keystone, &ctx, "group.create", &group.id, |tx| {
        domains::store::require(tx, &group.domain_id).await?;
        let inserted = store::insert(tx, &group).await;
        inserted.map_err(|e| unique(e, || duplicate("group", &group.name, &group.domain_id)))
    })?;
    Ok(answer(201, &group, &origin))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::UPDATE.find(&ctx, found, rules::target, || not_found("group", &id))?;
    let mut fields = Fields::patch(body, "group", &id)?;
    let name = fields.name("name", 64)?;
    let description = fields.nullable_text("description")?;
    let domain_id = fields.id("domain_id")?;
    let extra = fields.extra();
    let group = change!(keystone, &ctx, "group.update", &id, |tx| {
        let mut group = store::get(tx, &id).await?.ok_or_else(|| not_found("group", &id))?;
        if domain_id.as_ref().is_some_and(|d| *d != group.domain_id) {
            return Err(base::Error::bad_request("Cannot change Domain ID"));
        }
        group.name = name.clone().unwrap_or(group.name);
        group.description = description.clone().map_or(group.description, Option::unwrap_or_default);
        merge(&mut group.extra, extra.clone());
        let updated = store::update(tx, &group).await;
        updated.map_err(|e| unique(e, || duplicate("group", &group.name, &group.domain_id)))?;
        Ok(group)
    })?;
    Ok(answer(200, &group, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find_first(&ctx, found, rules::target, || not_found("group", &id))?;
    change!(keystone, &ctx, "group.delete", &id, |tx| {
        let members = store::users(tx, &id).await?;
        store::delete(tx, &id).await?;
        for member in members {
            assignments::store::drop_orphaned_credentials(tx, &member.id).await?;
        }
        Ok(())
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, group: &Group, origin: &Origin) -> Response {
    web::json(status, &json!({"group": view::group(group, origin)}))
}
