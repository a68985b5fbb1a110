//! /v3/auth/catalog, projects, domains, system: what the bearer of a token can reach.

use base::{Error, Scope};
use serde_json::{Value, json};
use web::Result;

use super::rules;
use crate::access::Target;
use crate::call::Call;
use crate::listing::{collection, url};
use crate::{assignments, domains, projects};

pub async fn catalog(Call { keystone, ctx, origin, .. }: Call) -> Result {
    rules::CATALOG.enforce(&ctx, &Target::default())?;
    if !matches!(ctx.auth.scope, Scope::Project(_)) {
        return Err(
            Error::forbidden("A project-scoped token is required to produce a service catalog.").into()
        );
    }
    let snapshot = keystone.snapshot().await?;
    let links = json!({"self": url(&origin, "auth/catalog")});
    Ok(web::raw_json(200, format!("{{\"catalog\":{},\"links\":{links}}}", snapshot.catalog.text(&ctx.auth))))
}

pub async fn projects(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::PROJECTS.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let reachable = assignments::store::projects_of(&mut conn, ctx.user_id()).await?;
    let views: Vec<Value> =
        reachable.iter().filter(|p| p.enabled).map(|p| projects::view::project(p, &origin)).collect();
    Ok(collection(&origin, &params, "projects", views, projects::api::FILTERS)?)
}

pub async fn domains(Call { keystone, ctx, origin, params }: Call) -> Result {
    rules::DOMAINS.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let reachable = assignments::store::domains_of(&mut conn, ctx.user_id()).await?;
    let views: Vec<Value> =
        reachable.iter().filter(|d| d.enabled).map(|d| domains::view::domain(d, &origin)).collect();
    Ok(collection(&origin, &params, "domains", views, domains::api::FILTERS)?)
}

pub async fn system(Call { keystone, ctx, origin, .. }: Call) -> Result {
    rules::SYSTEM.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let roles = assignments::store::role_ids(&mut conn, ctx.user_id(), &assignments::Place::System).await?;
    let system = if roles.is_empty() { json!([]) } else { json!([{"all": true}]) };
    Ok(web::json(200, &json!({"system": system, "links": {"self": url(&origin, "auth/system")}})))
}
