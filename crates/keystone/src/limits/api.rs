//! /v3/limits

use base::Error;
use db::AnyConnection;
use serde_json::{Value, json};
use web::{Json, Path, Result};

use super::registered_api::check_place;
use super::store::Placed;
use super::{Limit, Owner, rules, store, view};
use crate::access::Target;
use crate::call::{Call, one};
use crate::errors::{conflict, expecting, unique};
use crate::listing::collection;
use crate::schema::{Fields, items};
use crate::{change, projects};

const FILTERS: &[&str] = &["service_id", "region_id", "resource_name", "project_id", "domain_id"];

fn missing(id: &str) -> Error {
    Error::not_found(format!("Could not find limit for {id}."))
}

fn target(placed: &Placed) -> Target<'_> {
    let project = match &placed.limit.owner {
        Owner::Project(id) => Some(id.as_str()),
        Owner::Domain(_) => None,
    };
    Target { domain: Some(&placed.domain_id), project, ..Target::default() }
}

/// Limits are enforced by the services, each project by itself.
pub async fn model(Call { ctx, .. }: Call) -> Result {
    rules::GET_MODEL.enforce(&ctx, &Target::default())?;
    let description = "Limit enforcement and validation does not take project hierarchy into consideration.";
    Ok(web::json(200, &json!({"model": {"name": "flat", "description": description}})))
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::LIST.enforce(&ctx, &Target::default())?;
    let limits = store::all(&mut *keystone.db.read().await?).await?;
    let views = limits
        .iter()
        .filter(|l| rules::visible(&ctx.auth, &l.limit.owner, &l.domain_id))
        .map(|l| view::limit(&l.limit, &origin))
        .collect();
    Ok(collection(&origin, &params, "limits", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    let placed = rules::GET.find(&ctx, found, target, || missing(&id))?;
    Ok(one(200, "limit", view::limit(&placed.limit, &origin)))
}

struct Wanted {
    id: String,
    service_id: String,
    region_id: String,
    resource_name: String,
    resource_limit: i64,
    description: Option<String>,
    project_id: Option<String>,
    domain_id: Option<String>,
}

fn parse(item: Value) -> Result<Wanted, Error> {
    let mut fields = Fields::from_value(item)?;
    let wanted = Wanted {
        id: base::id::hex(),
        service_id: fields.id("service_id")?.ok_or_else(|| Fields::required("service_id"))?,
        region_id: fields.nullable_text("region_id")?.flatten().unwrap_or_default(),
        resource_name: fields.name("resource_name", 255)?.ok_or_else(|| Fields::required("resource_name"))?,
        resource_limit: fields
            .integer("resource_limit", rules::MIN, rules::MAX)?
            .ok_or_else(|| Fields::required("resource_limit"))?,
        description: fields.nullable_text("description")?.flatten(),
        project_id: fields.nullable_id("project_id")?.flatten(),
        domain_id: fields.nullable_id("domain_id")?.flatten(),
    };
    fields.nothing_else()?;
    if wanted.project_id.is_some() == wanted.domain_id.is_some() {
        return Err(Error::bad_request("Each limit is for either a project_id or a domain_id."));
    }
    Ok(wanted)
}

async fn resolve(conn: &mut AnyConnection, wanted: &Wanted) -> Result<Limit, Error> {
    check_place(conn, &wanted.service_id, &wanted.region_id, "limit").await?;
    let (id, attribute) = match (&wanted.project_id, &wanted.domain_id) {
        (Some(project), _) => (project, "project_id"),
        (None, Some(domain)) => (domain, "domain_id"),
        (None, None) => return Err(expecting("project_id or domain_id", "limit")),
    };
    let owner = match projects::store::get(conn, id).await? {
        Some(project) if project.is_domain => Owner::Domain(project.id),
        Some(project) if attribute == "project_id" => Owner::Project(project.id),
        _ => return Err(expecting(attribute, "limit")),
    };
    let registered =
        store::find_registered(conn, &wanted.service_id, &wanted.region_id, &wanted.resource_name)
            .await?
            .ok_or_else(|| {
                Error::forbidden("Unable to create a limit that has no corresponding registered limit.")
            })?;
    Ok(Limit {
        id: wanted.id.clone(),
        owner,
        resource_limit: wanted.resource_limit,
        description: wanted.description.clone(),
        registered,
    })
}

/// Several at once, all or none.
pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    rules::CREATE.enforce(&ctx, &Target::default())?;
    let wanted: Vec<Wanted> = items(body, "limits")?.into_iter().map(parse).collect::<Result<_, _>>()?;
    let limits =
        change!(keystone, &ctx, "limit.create", wanted.first().map_or("", |w| w.id.as_str()), |tx| {
            let mut limits = Vec::new();
            for one in &wanted {
                let limit = resolve(tx, one).await?;
                let inserted = store::insert(tx, &limit).await;
                inserted.map_err(|e| unique(e, || conflict("limit", "Duplicate entry")))?;
                limits.push(limit);
            }
            Ok(limits)
        })?;
    let views: Vec<Value> = limits.iter().map(|l| view::limit(l, &origin)).collect();
    Ok(web::json(201, &json!({"limits": views})))
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::UPDATE.find_first(&ctx, found, target, || missing(&id))?;
    let mut fields = Fields::of(body, "limit")?;
    let resource_limit = fields.integer("resource_limit", rules::MIN, rules::MAX)?;
    let description = fields.nullable_text("description")?;
    fields.nothing_else()?;
    let limit = change!(keystone, &ctx, "limit.update", &id, |tx| {
        let mut limit = store::get(tx, &id).await?.ok_or_else(|| missing(&id))?.limit;
        limit.resource_limit = resource_limit.unwrap_or(limit.resource_limit);
        limit.description = description.clone().unwrap_or(limit.description);
        store::update(tx, &limit).await?;
        Ok(limit)
    })?;
    Ok(one(200, "limit", view::limit(&limit, &origin)))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find_first(&ctx, found, target, || missing(&id))?;
    change!(keystone, &ctx, "limit.delete", &id, |tx| Ok(store::delete(tx, &id).await?))?;
    Ok(web::no_content(204))
}
