//! /v3/projects/{id}/tags

use base::Ctx;
use serde_json::{Value, json};
use web::{Json, Origin, Path, Result};

use super::{Project, rules, store};
use crate::access::Policy;
use crate::call::Call;
use crate::errors::not_found;
use crate::listing::url;
use crate::{Keystone, change};

async fn find(keystone: &Keystone, ctx: &Ctx, policy: &Policy, id: &str) -> Result<Project, base::Error> {
    let found = store::get(&mut *keystone.db.read().await?, id).await?;
    policy.find(ctx, found, rules::target, || not_found("project", id))
}

async fn change(
    keystone: &Keystone,
    ctx: &Ctx,
    id: &str,
    work: impl Fn(&mut Vec<String>) -> Result<(), base::Error> + Send + Sync,
) -> Result<Project, base::Error> {
    change!(keystone, ctx, "project.update_tags", id, |tx| {
        let mut project = store::require(tx, id).await?;
        work(&mut project.tags)?;
        store::update(tx, &project).await?;
        Ok(project)
    })
}

fn body(project: &Project, origin: &Origin) -> Value {
    let link = url(origin, &format!("projects/{}/tags", project.id));
    json!({"tags": project.tags, "links": {"next": null, "self": link, "previous": null}})
}

pub async fn list(Call { keystone, ctx, origin, .. }: Call, Path(id): Path<String>) -> Result {
    let project = find(&keystone, &ctx, &rules::LIST_TAGS, &id).await?;
    Ok(web::json(200, &body(&project, &origin)))
}

pub async fn replace(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(request): Json<Value>,
) -> Result {
    find(&keystone, &ctx, &rules::UPDATE_TAGS, &id).await?;
    let Some(Value::Array(values)) = request.get("tags") else {
        return Err(base::Error::bad_request("'tags' is a required property").into());
    };
    let tags = rules::tags(values)?;
    let project = change(&keystone, &ctx, &id, move |stored| {
        stored.clone_from(&tags);
        Ok(())
    })
    .await?;
    Ok(web::json(200, &body(&project, &origin)))
}

pub async fn clear(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    find(&keystone, &ctx, &rules::DELETE_TAGS, &id).await?;
    change(&keystone, &ctx, &id, |stored| {
        stored.clear();
        Ok(())
    })
    .await?;
    Ok(web::no_content(204))
}

pub async fn check(Call { keystone, ctx, .. }: Call, Path((id, tag)): Path<(String, String)>) -> Result {
    let project = find(&keystone, &ctx, &rules::GET_TAG, &id).await?;
    if project.tags.contains(&tag) {
        Ok(web::no_content(204))
    } else {
        Err(not_found("project tag", &tag).into())
    }
}

pub async fn add(
    Call { keystone, ctx, origin, .. }: Call,
    Path((id, tag)): Path<(String, String)>,
) -> Result {
    find(&keystone, &ctx, &rules::CREATE_TAG, &id).await?;
    rules::tag(&tag)?;
    let link = url(&origin, &format!("projects/{id}/tags/{tag}"));
    change(&keystone, &ctx, &id, move |stored| {
        if !stored.contains(&tag) {
            stored.push(tag.clone());
        }
        rules::check_count(stored)
    })
    .await?;
    let mut response = web::no_content(201);
    if let Ok(location) = link.parse() {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    Ok(response)
}

pub async fn remove(Call { keystone, ctx, .. }: Call, Path((id, tag)): Path<(String, String)>) -> Result {
    find(&keystone, &ctx, &rules::DELETE_TAG, &id).await?;
    change(&keystone, &ctx, &id, move |stored| {
        let before = stored.len();
        stored.retain(|t| *t != tag);
        if stored.len() == before { Err(not_found("project tag", &tag)) } else { Ok(()) }
    })
    .await?;
    Ok(web::no_content(204))
}
