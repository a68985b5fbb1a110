//! `/v3/{projects|domains|system}/../{users|groups}/../roles`, and the same under `/v3/OS-INHERIT`.
//!
//! One set of handlers serves all: the names of the path's parameters tell which actor and place are meant.

use std::collections::HashMap;

use base::{Ctx, Error};
use db::AnyConnection;
use http::Uri;
use web::axum::extract::OriginalUri;
use web::{Path, Response, Result};

use super::rules::{self, Grant};
use super::{Actor, Assignment, Place, store};
use crate::access::{Policy, Target};
use crate::call::Call;
use crate::errors::not_found;
use crate::listing::collection;
use crate::roles::{self, Role};
use crate::{Keystone, change, domains, groups, projects, users};

type Parameters = Path<HashMap<String, String>>;

struct Wanted {
    actor: Actor,
    place: Place,
    role_id: Option<String>,
    inherited: bool,
}

fn parse(parameters: &HashMap<String, String>, uri: &Uri) -> Result<Wanted, Error> {
    let get = |key: &str| parameters.get(key).cloned();
    let actor = match (get("user_id"), get("group_id")) {
        (Some(user), _) => Actor::User(user),
        (None, Some(group)) => Actor::Group(group),
        (None, None) => return Err(Error::not_found("The resource could not be found.")),
    };
    let place = match (get("project_id"), get("domain_id")) {
        (Some(project), _) => Place::Project(project),
        (None, Some(domain)) => Place::Domain(domain),
        (None, None) => Place::System,
    };
    let inherited = uri.path().split('/').any(|part| part == "OS-INHERIT");
    Ok(Wanted { actor, place, role_id: get("role_id"), inherited })
}

/// What the caller wants of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    See,
    Give,
    Take,
}

/// Looks everything up and asks the policy.
async fn admit(
    conn: &mut AnyConnection,
    ctx: &Ctx,
    wanted: &Wanted,
    policy: &Policy,
    wish: Wish,
) -> Result<Option<Role>, Error> {
    let actor_domain = match &wanted.actor {
        Actor::User(id) => users::store::get(conn, id).await?.map(|u| u.domain_id),
        Actor::Group(id) => groups::store::get(conn, id).await?.map(|g| g.domain_id),
    };
    let place_domain = match &wanted.place {
        Place::Project(id) => {
            projects::store::get(conn, id).await?.map(|p| Some(p.owning_domain().to_owned()))
        }
        Place::Domain(id) => domains::store::get(conn, id).await?.map(|d| Some(d.id)),
        Place::System => Some(None),
    };
    let role = match &wanted.role_id {
        Some(id) => roles::store::get(conn, id).await?,
        None => None,
    };
    let missing = if place_domain.is_none() {
        Some(not_found(wanted.place.kind(), wanted.place.id()))
    } else if actor_domain.is_none() {
        Some(not_found(wanted.actor.kind(), wanted.actor.id()))
    } else {
        wanted.role_id.as_ref().filter(|_| role.is_none()).map(|id| not_found("role", id))
    };
    if let Some(missing) = missing {
        policy.enforce(ctx, &Target::default())?;
        return Err(missing);
    }
    let grant = Grant {
        actor_domain: actor_domain.as_deref().unwrap_or_default(),
        place_domain: place_domain.as_ref().and_then(|d| d.as_deref()),
        role: role.as_ref(),
    };
    grant.enforce(ctx, policy, wish != Wish::See)?;
    if wish == Wish::Give {
        grant.check_role_domain(&wanted.place)?;
    }
    Ok(role)
}

fn pick(place: &Place, usual: &'static Policy, system: &'static Policy) -> &'static Policy {
    if *place == Place::System { system } else { usual }
}

fn assignment(wanted: Wanted) -> Result<Assignment, Error> {
    let role_id = wanted.role_id.ok_or_else(|| Error::not_found("The resource could not be found."))?;
    Ok(Assignment { actor: wanted.actor, place: wanted.place, role_id, inherited: wanted.inherited })
}

fn no_such_grant(grant: &Assignment) -> Error {
    Error::not_found(format!(
        "Could not find role assignment with role: {}, user or group: {}, project, domain, or system: {}.",
        grant.role_id,
        grant.actor.id(),
        grant.place.id()
    ))
}

pub async fn list(
    Call { keystone, ctx, origin, params }: Call,
    OriginalUri(uri): OriginalUri,
    Path(parameters): Parameters,
) -> Result {
    let wanted = parse(&parameters, &uri)?;
    let mut conn = keystone.db.read().await?;
    let policy = pick(&wanted.place, &rules::LIST_GRANTS, &rules::LIST_SYSTEM);
    admit(&mut conn, &ctx, &wanted, policy, Wish::See).await?;
    let ids = store::of_actor(&mut conn, &wanted.actor, &wanted.place, wanted.inherited).await?;
    drop(conn);
    let snapshot = keystone.snapshot().await?;
    let mut found: Vec<&Role> = ids.iter().filter_map(|id| snapshot.roles.get(id)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let views = found.into_iter().map(|r| roles::view::role(r, &origin)).collect();
    Ok(collection(&origin, &params, "roles", views, &["name"])?)
}

pub async fn check(
    Call { keystone, ctx, .. }: Call,
    OriginalUri(uri): OriginalUri,
    Path(parameters): Parameters,
) -> Result {
    let wanted = parse(&parameters, &uri)?;
    let mut conn = keystone.db.read().await?;
    let policy = pick(&wanted.place, &rules::CHECK, &rules::CHECK_SYSTEM);
    admit(&mut conn, &ctx, &wanted, policy, Wish::See).await?;
    let grant = assignment(wanted)?;
    let ids = store::of_actor(&mut conn, &grant.actor, &grant.place, grant.inherited).await?;
    if ids.contains(&grant.role_id) { Ok(web::no_content(204)) } else { Err(no_such_grant(&grant).into()) }
}

pub async fn create(
    Call { keystone, ctx, .. }: Call,
    OriginalUri(uri): OriginalUri,
    Path(parameters): Parameters,
) -> Result {
    let wanted = parse(&parameters, &uri)?;
    let policy = pick(&wanted.place, &rules::CREATE, &rules::CREATE_SYSTEM);
    change!(keystone, &ctx, "role.assign", wanted.place.id(), |tx| {
        admit(tx, &ctx, &wanted, policy, Wish::Give).await?;
        let grant = assignment(Wanted {
            actor: wanted.actor.clone(),
            place: wanted.place.clone(),
            role_id: wanted.role_id.clone(),
            inherited: wanted.inherited,
        })?;
        Ok(store::insert(tx, &grant).await?)
    })?;
    Ok(web::no_content(204))
}

pub async fn revoke(
    Call { keystone, ctx, .. }: Call,
    OriginalUri(uri): OriginalUri,
    Path(parameters): Parameters,
) -> Result<Response> {
    let wanted = parse(&parameters, &uri)?;
    let policy = pick(&wanted.place, &rules::REVOKE, &rules::REVOKE_SYSTEM);
    remove(&keystone, &ctx, wanted, policy).await?;
    Ok(web::no_content(204))
}

async fn remove(
    keystone: &Keystone,
    ctx: &Ctx,
    wanted: Wanted,
    policy: &'static Policy,
) -> Result<(), Error> {
    admit(&mut *keystone.db.read().await?, ctx, &wanted, policy, Wish::Take).await?;
    let grant = assignment(wanted)?;
    change!(keystone, ctx, "role.unassign", grant.place.id(), |tx| {
        if !store::delete(tx, &grant).await? {
            return Err(no_such_grant(&grant));
        }
        let affected = match &grant.actor {
            Actor::User(id) => vec![id.clone()],
            Actor::Group(id) => groups::store::users(tx, id).await?.into_iter().map(|u| u.id).collect(),
        };
        for user in affected {
            store::drop_orphaned_credentials(tx, &user).await?;
        }
        Ok(())
    })
}
