//! /v3/domains

use base::Error;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{rules, store, view};
use crate::access::{Target, token_domain};
use crate::call::Call;
use crate::change;
use crate::errors::{conflict, not_found, unique};
use crate::listing::collection;
use crate::projects::{self, Project};
use crate::schema::{Fields, invalid, merge};
use crate::tokens::revocation::{self, Subject};

pub const FILTERS: &[&str] = &["name", "enabled"];

fn target(domain: &Project) -> Target<'_> {
    Target::domain(&domain.id)
}

fn taken(domain: &Project) -> Error {
    conflict("domain", format!("Duplicate entry found with name {}", domain.name))
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    // A domain's reader sees that domain alone.
    let own = token_domain(&ctx);
    rules::LIST.enforce(&ctx, &Target { domain: own, ..Target::default() })?;
    let domains = store::list(&mut *keystone.db.read().await?).await?;
    let views = domains
        .iter()
        .filter(|d| own.is_none_or(|own| own == d.id))
        .map(|d| view::domain(d, &origin))
        .collect();
    Ok(collection(&origin, &params, "domains", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let domain = rules::GET.find(&ctx, found, target, || not_found("domain", &id))?;
    Ok(answer(200, &domain, &origin))
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let mut fields = Fields::of(body, "domain")?;
    let id = match fields.id("explicit_domain_id")? {
        None => base::id::hex(),
        Some(id) if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => id,
        Some(_) => return Err(invalid("explicit_domain_id", "it is not 32 hexadecimal digits").into()),
    };
    let domain = Project {
        id,
        name: fields.name("name", 64)?.ok_or_else(|| Fields::required("name"))?,
        domain_id: String::new(),
        parent_id: None,
        description: fields.nullable_text("description")?.flatten().unwrap_or_default(),
        enabled: fields.flag("enabled")?.unwrap_or(true),
        is_domain: true,
        tags: projects::rules::tags(&fields.list("tags")?.unwrap_or_default())?,
        options: fields.object("options")?.unwrap_or_default(),
        extra: fields.extra(),
        generation: 0,
    };
    change!(keystone, &ctx, "domain.create", &domain.id, |tx| {
        projects::store::insert(tx, &domain).await.map_err(|e| unique(e, || taken(&domain)))
    })?;
    Ok(answer(201, &domain, &origin))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::UPDATE.find_first(&ctx, found, target, || not_found("domain", &id))?;
    let mut fields = Fields::patch(body, "domain", &id)?;
    let name = fields.name("name", 64)?;
    let description = fields.nullable_text("description")?;
    let enabled = fields.flag("enabled")?;
    let tags = fields.list("tags")?.map(|t| projects::rules::tags(&t)).transpose()?;
    let options = fields.object("options")?.unwrap_or_default();
    let extra = fields.extra();
    let ttl = keystone.token_ttl;
    let domain = change!(keystone, &ctx, "domain.update", &id, |tx| {
        let mut domain = store::require(tx, &id).await?;
        if domain.enabled && enabled == Some(false) {
            revocation::revoke(tx, Subject::Domain(&id), ttl).await?;
        }
        domain.enabled = enabled.unwrap_or(domain.enabled);
        domain.name = name.clone().unwrap_or(domain.name);
        domain.description = description.clone().map_or(domain.description, Option::unwrap_or_default);
        domain.tags = tags.clone().unwrap_or(domain.tags);
        merge(&mut domain.options, options.clone());
        merge(&mut domain.extra, extra.clone());
        projects::store::update(tx, &domain).await.map_err(|e| unique(e, || taken(&domain)))?;
        Ok(domain)
    })?;
    Ok(answer(200, &domain, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find_first(&ctx, found, target, || not_found("domain", &id))?;
    change!(keystone, &ctx, "domain.delete", &id, |tx| {
        let domain = store::require(tx, &id).await?;
        store::delete(tx, &domain).await
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, domain: &Project, origin: &Origin) -> Response {
    web::json(status, &json!({"domain": view::domain(domain, origin)}))
}
