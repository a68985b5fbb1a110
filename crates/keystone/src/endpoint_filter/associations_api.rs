//! /v3/OS-EP-FILTER/{projects,endpoints,endpoint_groups}/..: what is in whose catalog.

use base::Error;
use db::AnyConnection;
use serde_json::json;
use web::{Path, Result};

use super::groups_api::{self, missing};
use super::{EndpointGroup, rules, store};
use crate::access::Target;
use crate::call::{Call, one};
use crate::catalog;
use crate::change;
use crate::errors::{conflict, unique};
use crate::listing::collection;
use crate::projects::{self, Project};

async fn group(conn: &mut AnyConnection, id: &str) -> Result<EndpointGroup, Error> {
    store::group(conn, id).await?.ok_or_else(|| missing(id))
}

fn not_associated(endpoint: &str, project: &str) -> Error {
    Error::not_found(format!("Endpoint {endpoint} not found in project {project}"))
}

fn views(projects: &[Project], origin: &web::Origin) -> Vec<serde_json::Value> {
    projects.iter().map(|p| projects::view::project(p, origin)).collect()
}

pub async fn projects_of_endpoint(
    Call { keystone, ctx, origin, params }: Call,
    Path(id): Path<String>,
) -> Result {
    rules::PROJECTS_OF_ENDPOINT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    catalog::store::require_endpoint(&mut conn, &id).await?;
    let projects = store::projects_of_endpoint(&mut conn, &id).await?;
    Ok(collection(&origin, &params, "projects", views(&projects, &origin), &[])?)
}

pub async fn endpoints_of_project(
    Call { keystone, ctx, origin, params }: Call,
    Path(id): Path<String>,
) -> Result {
    rules::ENDPOINTS_OF_PROJECT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    projects::store::require(&mut conn, &id).await?;
    let endpoints = catalog::store::endpoints(&mut conn).await?;
    let groups = store::groups(&mut conn).await?;
    let visible = rules::visible(
        store::single(&mut conn).await?,
        store::grouped(&mut conn).await?,
        &groups,
        &endpoints,
    );
    let own = visible.get(&id);
    let shown = endpoints.iter().filter(|e| own.is_some_and(|ids| ids.contains(&e.id)));
    let views = shown.map(|e| catalog::view::endpoint(e, &origin)).collect();
    Ok(collection(&origin, &params, "endpoints", views, &[])?)
}

pub async fn check_endpoint(
    Call { keystone, ctx, .. }: Call,
    Path((project_id, id)): Path<(String, String)>,
) -> Result {
    rules::CHECK_ENDPOINT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    catalog::store::require_endpoint(&mut conn, &id).await?;
    projects::store::require(&mut conn, &project_id).await?;
    if store::projects_of_endpoint(&mut conn, &id).await?.iter().any(|p| p.id == project_id) {
        Ok(web::no_content(204))
    } else {
        Err(not_associated(&id, &project_id).into())
    }
}

pub async fn add_endpoint(
    Call { keystone, ctx, .. }: Call,
    Path((project_id, id)): Path<(String, String)>,
) -> Result {
    rules::ADD_ENDPOINT.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "project.add_endpoint", &project_id, |tx| {
        catalog::store::require_endpoint(tx, &id).await?;
        projects::store::require(tx, &project_id).await?;
        let added = store::add_endpoint(tx, &id, &project_id).await;
        added.map_err(|e| unique(e, || conflict("project_endpoint", "Duplicate entry")))
    })?;
    Ok(web::no_content(204))
}

pub async fn remove_endpoint(
    Call { keystone, ctx, .. }: Call,
    Path((project_id, id)): Path<(String, String)>,
) -> Result {
    rules::REMOVE_ENDPOINT.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "project.remove_endpoint", &project_id, |tx| {
        if store::remove_endpoint(tx, &id, &project_id).await? {
            Ok(())
        } else {
            Err(not_associated(&id, &project_id))
        }
    })?;
    Ok(web::no_content(204))
}

pub async fn projects_of_group(
    Call { keystone, ctx, origin, params }: Call,
    Path(id): Path<String>,
) -> Result {
    rules::PROJECTS_OF_GROUP.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    group(&mut conn, &id).await?;
    let projects = store::projects_of_group(&mut conn, &id).await?;
    Ok(collection(&origin, &params, "projects", views(&projects, &origin), &[])?)
}

pub async fn endpoints_of_group(
    Call { keystone, ctx, origin, params }: Call,
    Path(id): Path<String>,
) -> Result {
    rules::ENDPOINTS_OF_GROUP.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    let group = group(&mut conn, &id).await?;
    let endpoints = catalog::store::endpoints(&mut conn).await?;
    let fitting = endpoints.iter().filter(|e| rules::holds(&group, e));
    let views = fitting.map(|e| catalog::view::endpoint(e, &origin)).collect();
    Ok(collection(&origin, &params, "endpoints", views, &[])?)
}

pub async fn groups_of_project(
    Call { keystone, ctx, origin, params }: Call,
    Path(id): Path<String>,
) -> Result {
    rules::GROUPS_OF_PROJECT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    projects::store::require(&mut conn, &id).await?;
    let groups = store::groups_of_project(&mut conn, &id).await?;
    let views = groups.iter().map(|g| groups_api::view(g, &origin)).collect();
    Ok(collection(&origin, &params, "endpoint_groups", views, &[])?)
}

fn no_such_group_there() -> Error {
    Error::not_found("Endpoint Group Project Association not found")
}

pub async fn check_group(
    Call { keystone, ctx, .. }: Call,
    Path((id, project_id)): Path<(String, String)>,
) -> Result {
    rules::GROUP_IN_PROJECT.enforce(&ctx, &Target::default())?;
    let mut conn = keystone.db.read().await?;
    projects::store::require(&mut conn, &project_id).await?;
    group(&mut conn, &id).await?;
    if !store::groups_of_project(&mut conn, &project_id).await?.iter().any(|g| g.id == id) {
        return Err(no_such_group_there().into());
    }
    let link = format!("/OS-EP-FILTER/endpoint_groups/{id}/projects/{project_id}");
    let view = json!({"endpoint_group_id": id, "project_id": project_id, "links": {"self": link}});
    Ok(one(200, "project_endpoint_group", view))
}

pub async fn add_group(
    Call { keystone, ctx, .. }: Call,
    Path((id, project_id)): Path<(String, String)>,
) -> Result {
    rules::ADD_GROUP.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "project.add_endpoint_group", &project_id, |tx| {
        projects::store::require(tx, &project_id).await?;
        group(tx, &id).await?;
        let added = store::add_group(tx, &id, &project_id).await;
        added.map_err(|e| unique(e, || conflict("project_endpoint_group", "Duplicate entry")))
    })?;
    Ok(web::no_content(204))
}

pub async fn remove_group(
    Call { keystone, ctx, .. }: Call,
    Path((id, project_id)): Path<(String, String)>,
) -> Result {
    rules::REMOVE_GROUP.enforce(&ctx, &Target::default())?;
    change!(keystone, &ctx, "project.remove_endpoint_group", &project_id, |tx| {
        projects::store::require(tx, &project_id).await?;
        group(tx, &id).await?;
        if store::remove_group(tx, &id, &project_id).await? { Ok(()) } else { Err(no_such_group_there()) }
    })?;
    Ok(web::no_content(204))
}
