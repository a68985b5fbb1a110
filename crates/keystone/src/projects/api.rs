//! /v3/projects

use base::{Ctx, Error};
use db::Tx;
use serde_json::{Map, Value, json};
use web::{Json, Origin, Path, Response, Result};

use super::{Project, rules, store, tree, view};
use crate::access::{Target, default_domain, list_domain};
use crate::call::Call;
use crate::errors::{conflict, not_found, unique};
use crate::listing::collection;
use crate::schema::{Fields, merge};
use crate::tokens::revocation::{self, Subject};
use crate::{assignments, change, domains, users};

pub const FILTERS: &[&str] = &["name", "enabled", "domain_id", "parent_id", "is_domain"];

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    let domain = list_domain(&ctx, params.get("domain_id"));
    rules::LIST.enforce(&ctx, &Target { domain, ..Target::default() })?;
    let mut conn = keystone.db.read().await?;
    let projects = if params.flag("is_domain") == Some(true) {
        domains::store::list(&mut conn).await?
    } else {
        store::list(&mut conn, domain).await?
    };
    let views = projects
        .iter()
        .filter(|p| rules::matches_tags(p, &params))
        .map(|p| view::project(p, &origin))
        .collect();
    Ok(collection(&origin, &params, "projects", views, FILTERS)?)
}

pub async fn list_of_user(Call { keystone, ctx, origin, params }: Call, Path(id): Path<String>) -> Result {
    let mut conn = keystone.db.read().await?;
    let user = users::store::get(&mut conn, &id).await?;
    let user = rules::LIST_OF_USER.find(&ctx, user, users::rules::target, || not_found("user", &id))?;
    let projects = assignments::store::projects_of(&mut conn, &user.id).await?;
    let views = projects.iter().map(|p| view::project(p, &origin)).collect();
    Ok(collection(&origin, &params, "projects", views, FILTERS)?)
}

pub async fn get(Call { keystone, ctx, origin, params }: Call, Path(id): Path<String>) -> Result {
    let mut conn = keystone.db.read().await?;
    let found = store::get(&mut conn, &id).await?;
    // A token for that very project may look at it; nobody else learns whether it exists.
    let project = rules::GET.find(&ctx, found, rules::target, || not_found("project", &id))?;
    let mut view = view::project(&project, &origin);
    let reachable = assignments::store::projects_of(&mut conn, ctx.user_id()).await?;
    let visible = |p: &Project| ctx.is_admin() || reachable.iter().any(|r| r.id == p.id);
    tree::add(&mut conn, &project, &params, &origin, &mut view, visible).await?;
    Ok(web::json(200, &json!({"project": view})))
}

struct Wanted {
    name: String,
    domain_id: Option<String>,
    parent_id: Option<String>,
    description: String,
    enabled: bool,
    is_domain: bool,
    tags: Vec<String>,
    options: Map<String, Value>,
    extra: Map<String, Value>,
}

fn parse(body: Value) -> Result<Wanted, Error> {
    let mut fields = Fields::of(body, "project")?;
    Ok(Wanted {
        name: fields.name("name", 64)?.ok_or_else(|| Fields::required("name"))?,
        domain_id: fields.nullable_id("domain_id")?.flatten(),
        parent_id: fields.nullable_id("parent_id")?.flatten(),
        description: fields.nullable_text("description")?.flatten().unwrap_or_default(),
        enabled: fields.flag("enabled")?.unwrap_or(true),
        is_domain: fields.flag("is_domain")?.unwrap_or(false),
        tags: rules::tags(&fields.list("tags")?.unwrap_or_default())?,
        options: fields.object("options")?.unwrap_or_default(),
        extra: fields.extra(),
    })
}

pub async fn create(Call { keystone, ctx, origin, .. }: Call, Json(body): Json<Value>) -> Result {
    let wanted = parse(body)?;
    let id = base::id::hex();
    let project = change!(keystone, &ctx, "project.create", &id, |tx| {
        let project = place(tx, &ctx, &id, &wanted).await?;
        store::insert(tx, &project).await.map_err(|e| unique(e, || taken(&project)))?;
        Ok(project)
    })?;
    Ok(answer(201, &project, &origin))
}

fn taken(project: &Project) -> Error {
    if project.is_domain {
        conflict(
            "project",
            format!(
                "it is not permitted to have two projects acting as domains with the same name: {}",
                project.name
            ),
        )
    } else {
        conflict(
            "project",
            format!(
                "it is not permitted to have two projects with the same name in the same domain : {}",
                project.name
            ),
        )
    }
}

/// Finds the new project's place in the tree and asks whether the caller may put it there.
async fn place(tx: &mut Tx, ctx: &Ctx, id: &str, wanted: &Wanted) -> Result<Project, Error> {
    let mut project = Project {
        id: id.to_owned(),
        name: wanted.name.clone(),
        domain_id: String::new(),
        parent_id: None,
        description: wanted.description.clone(),
        enabled: wanted.enabled,
        is_domain: wanted.is_domain,
        tags: wanted.tags.clone(),
        options: wanted.options.clone(),
        extra: wanted.extra.clone(),
        generation: 0,
    };
    if wanted.is_domain {
        domains::rules::CREATE.enforce(ctx, &Target::default())?;
        if wanted.domain_id.is_some() || wanted.parent_id.is_some() {
            return Err(Error::bad_request("only root projects are allowed to act as domains."));
        }
        return Ok(project);
    }
    // A domain's manager has to name the domain.
    rules::CREATE.enforce(ctx, &Target { domain: wanted.domain_id.as_deref(), ..Target::default() })?;
    let domain_id = match (&wanted.domain_id, &wanted.parent_id) {
        (Some(domain), _) => domain.clone(),
        (None, Some(parent)) => match store::get(tx, parent).await? {
            Some(parent) => parent.owning_domain().to_owned(),
            None => default_domain(ctx).to_owned(),
        },
        (None, None) => default_domain(ctx).to_owned(),
    };
    // What a body names and is missing is the body's fault.
    let fault = |e: Error| if e.is_not_found() { Error::bad_request(e.message) } else { e };
    domains::store::require(tx, &domain_id).await.map_err(fault)?;
    let parent_id = wanted.parent_id.clone().unwrap_or_else(|| domain_id.clone());
    let parent = store::require(tx, &parent_id).await.map_err(fault)?;
    if parent.owning_domain() != domain_id {
        return Err(Error::bad_request(format!(
            "Cannot create project, since it specifies its domain_id {domain_id}, but specifies a parent in a \
             different domain {}.",
            parent.owning_domain()
        )));
    }
    rules::check_parent(&parent, &store::ancestors(tx, &parent.id).await?)?;
    project.domain_id = domain_id;
    project.parent_id = Some(parent_id);
    Ok(project)
}

pub async fn update(
    Call { keystone, ctx, origin, .. }: Call,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::UPDATE.find(&ctx, found, rules::target, || not_found("project", &id))?;
    let mut fields = Fields::patch(body, "project", &id)?;
    let name = fields.name("name", 64)?;
    let description = fields.nullable_text("description")?;
    let enabled = fields.flag("enabled")?;
    let tags = fields.list("tags")?.map(|t| rules::tags(&t)).transpose()?;
    let options = fields.object("options")?.unwrap_or_default();
    let (domain_id, parent_id) = (fields.nullable_id("domain_id")?, fields.nullable_id("parent_id")?);
    let is_domain = fields.flag("is_domain")?;
    let extra = fields.extra();
    let ttl = keystone.token_ttl;
    let project = change!(keystone, &ctx, "project.update", &id, |tx| {
        let mut project = store::require(tx, &id).await?;
        if domain_id.as_ref().is_some_and(|d| d.as_deref().unwrap_or_default() != project.domain_id) {
            return Err(Error::bad_request("Cannot change Domain ID"));
        }
        if parent_id.as_ref().is_some_and(|p| *p != project.parent_id) {
            return Err(Error::forbidden("Update of `parent_id` is not allowed."));
        }
        if is_domain.is_some_and(|d| d != project.is_domain) {
            return Err(Error::bad_request("Update of `is_domain` is not allowed."));
        }
        if let Some(enabled) = enabled.filter(|e| *e != project.enabled) {
            if project.is_domain {
                domains::rules::UPDATE.enforce(&ctx, &Target::default())?;
            } else if enabled {
                rules::check_enable(&project, &store::ancestors(tx, &id).await?)?;
            } else {
                rules::check_disable(&project, &store::subtree(tx, &id).await?)?;
            }
            if !enabled {
                revocation::revoke(tx, Subject::Project(&id), ttl).await?;
            }
            project.enabled = enabled;
        }
        project.name = name.clone().unwrap_or(project.name);
        project.description = description.clone().map_or(project.description, Option::unwrap_or_default);
        project.tags = tags.clone().unwrap_or(project.tags);
        merge(&mut project.options, options.clone());
        merge(&mut project.extra, extra.clone());
        store::update(tx, &project).await.map_err(|e| unique(e, || taken(&project)))?;
        Ok(project)
    })?;
    Ok(answer(200, &project, &origin))
}

pub async fn delete(Call { keystone, ctx, .. }: Call, Path(id): Path<String>) -> Result {
    let found = store::get(&mut *keystone.db.read().await?, &id).await?;
    rules::DELETE.find(&ctx, found, rules::target, || not_found("project", &id))?;
    change!(keystone, &ctx, "project.delete", &id, |tx| {
        let project = store::require(tx, &id).await?;
        if project.is_domain {
            return domains::store::delete(tx, &project).await;
        }
        rules::check_delete(&project, !store::children(tx, &id).await?.is_empty())?;
        Ok(store::delete(tx, &id).await?)
    })?;
    Ok(web::no_content(204))
}

fn answer(status: u16, project: &Project, origin: &Origin) -> Response {
    web::json(status, &json!({"project": view::project(project, origin)}))
}
