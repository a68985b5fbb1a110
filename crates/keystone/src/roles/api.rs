//! /v3/roles

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Role, rules, store, view};
use crate::access::{Policy, Target};
use crate::call::Call;
use crate::errors::{duplicate, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, merge};
use crate::{Keystone, change, domains};

fn pick(role: Option<&Role>, global: &'static Policy, of_domain: &'static Policy) -> &'static Policy {
    if role.is_some_and(|r| !r.domain_id.is_empty()) { of_domain } else { global }
}

async fn admit(
    keystone: &Keystone,
    ctx: &Ctx,
    id: &str,
    global: &'static Policy,
    of_domain: &'static Policy,
) -> Result<Role, Error> {
    let found = store::get(&mut *keystone.db.read().await?, id).await?;
    let policy = pick(found.as_ref(), global, of_domain);
    policy.find_first(ctx, found, |_| Target::default(), || not_found("role", id))
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    let domain = params.get("domain_id").unwrap_or_default();
    if domain.is_empty() {
        rules::LIST.enforce(&ctx, &Target::default())?;
    } else {
        rules::LIST_OF_DOMAIN.enforce(&ctx, &Target::default())?;
    }
    let roles = store::all(&mut *keystone.db.read().await?).await?;
    let views = roles.iter().filter(|r| r.domain_id == domain).map(|r| view::role(r, &origin)).collect();
    Ok(collection(&origin, &params, "roles", views, &["name"])?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let managed = found.as_ref().is_some_and(|r| rules::MANAGED.contains(&r.name.as_str()));
    let global = if managed { &rules::GET_MANAGED } else { &rules::GET };
    let policy = pick(found.as_ref(), global, &rules::GET_OF_DOMAIN);
    let role = policy.find_first(&ctx, found, |_| Target::default(), || not_found("role", &id))?;
    Ok(answer(200, &role, &origin))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    let mut fields = Fields::of(body, "role")?;
    let role = Role {
        id: base::id::hex(),
        name: fields.name("name", 255)?.ok_or_else(|| Fields::required("name"))?,
        domain_id: fields.nullable_id("domain_id")?.flatten().unwrap_or_default(),
        description: fields.nullable_text("description")?.flatten(),
        options: fields.object("options")?.unwrap_or_default(),
        extra: fields.extra(),
    };
    pick(Some(&role), &rules::CREATE, &rules::CREATE_OF_DOMAIN).enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "role.create", &role.id, |tx| {
        if !role.domain_id.is_empty() {
            domains::store::require(tx, &role.domain_id).await?;
        }
        let inserted = store::insert(tx, &role).await;
        inserted.map_err(|e| unique(e, || duplicate("role", &role.name, &role.domain_id)))
    })?;
    Ok(answer(201, &role, &origin))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    admit(&keystone, &ctx, &id, &rules::UPDATE, &rules::UPDATE_OF_DOMAIN).await?;
    let mut fields = Fields::patch(body, "role", &id)?;
    let name = fields.name("name", 255)?;
    let description = fields.nullable_text("description")?;
    let options = fields.object("options")?;
    let domain_id = fields.nullable_id("domain_id")?;
    let extra = fields.extra();
    let role = change!(keystone, &ctx, "role.update", &id, |tx| {
        let mut role = store::get(tx, &id).await?.ok_or_else(|| not_found("role", &id))?;
        if domain_id.as_ref().is_some_and(|d| d.as_deref().unwrap_or_default() != role.domain_id) {
            return Err(Error::bad_request("Cannot change Domain ID"));
        }
        role.name = name.clone().unwrap_or(role.name);
        role.description = description.clone().unwrap_or(role.description);
        merge(&mut role.options, options.clone().unwrap_or_default());
        merge(&mut role.extra, extra.clone());
        let updated = store::update(tx, &role).await;
        updated.map_err(|e| unique(e, || duplicate("role", &role.name, &role.domain_id)))?;
        Ok(role)
    })?;
    Ok(answer(200, &role, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    admit(&keystone, &ctx, &id, &rules::DELETE, &rules::DELETE_OF_DOMAIN).await?;
    change!(keystone, &ctx, "role.delete", &id, |tx| {
        store::get(tx, &id).await?.ok_or_else(|| not_found("role", &id))?;
        Ok(store::delete(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, role: &Role, origin: &Origin) -> Response {
    web::json(status, &json!({"role": view::role(role, origin)}))
}
