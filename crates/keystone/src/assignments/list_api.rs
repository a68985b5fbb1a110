//! GET /v3/role_assignments

use web::{Params, Result};

use super::rules::{self, Entry, Query, World};
use super::view::Names;
use super::{Place, store, view};
use crate::access::{Target, token_domain};
use crate::call::Call;
use crate::listing::collection;
use crate::projects::Project;
use crate::snapshot::Snapshot;
use crate::{domains, groups, projects, users};

/// A parameter without a value is on, as in `?effective`.
fn on(params: &Params, key: &str) -> bool {
    params.get(key).is_some_and(|v| v.is_empty() || params.flag(key).unwrap_or(true))
}

fn query(params: &Params) -> Query {
    let text = |key: &str| params.get(key).filter(|v| !v.is_empty()).map(str::to_owned);
    Query {
        user: text("user.id"),
        group: text("group.id"),
        role: text("role.id"),
        project: text("scope.project.id"),
        domain: text("scope.domain.id"),
        system: params.has("scope.system"),
        inherited_only: params.get("scope.OS-INHERIT:inherited_to") == Some("projects"),
        effective: on(params, "effective"),
        subtree: on(params, "include_subtree"),
    }
}

pub async fn list(Call { keystone, ctx, origin, params }: Call) -> Result {
    let query = query(&params);
    query.check()?;
    let snapshot = keystone.snapshot().await?;
    let mut conn = keystone.db.read().await?;
    let projects = projects::store::list(&mut conn, None).await?;
    let project_domain = query
        .project
        .as_ref()
        .and_then(|id| projects.iter().find(|p| p.id == *id))
        .map(|p| p.domain_id.as_str());
    if query.subtree {
        rules::LIST_TREE.enforce(&ctx, &Target { domain: project_domain, ..Target::default() })?;
    } else {
        rules::LIST.enforce(&ctx, &Target { domain: token_domain(&ctx), ..Target::default() })?;
    }
    let world = World {
        assignments: store::all(&mut conn).await?,
        memberships: store::memberships(&mut conn).await?,
        projects: &projects,
        roles: &snapshot.roles,
    };
    let mut entries = world.answer(&query);
    if let Some(own) = token_domain(&ctx) {
        entries.retain(|e| within(own, e, &projects));
    }
    let names =
        if on(&params, "include_names") { Some(names(&mut conn, &snapshot, &projects).await?) } else { None };
    let views = entries.iter().map(|e| view::entry(e, names.as_ref(), &origin)).collect();
    Ok(collection(&origin, &params, "role_assignments", views, &[])?)
}

/// Whoever came with a token for a domain sees what is in that domain.
fn within(domain: &str, entry: &Entry, projects: &[Project]) -> bool {
    match &entry.shown.place {
        Place::System => false,
        Place::Domain(id) => id == domain,
        Place::Project(id) => projects.iter().any(|p| p.id == *id && p.domain_id == domain),
    }
}

async fn names(
    conn: &mut db::AnyConnection,
    snapshot: &Snapshot,
    projects: &[Project],
) -> Result<Names, base::Error> {
    let users = users::store::list(conn, None).await?;
    let groups = groups::store::list(conn, None).await?;
    let domains = domains::store::list(conn).await?;
    Ok(Names {
        users: users.into_iter().map(|u| (u.id, (u.name, u.domain_id))).collect(),
        groups: groups.into_iter().map(|g| (g.id, (g.name, g.domain_id))).collect(),
        projects: projects.iter().map(|p| (p.id.clone(), (p.name.clone(), p.domain_id.clone()))).collect(),
        roles: snapshot.roles.all().map(|r| (r.id.clone(), (r.name.clone(), r.domain_id.clone()))).collect(),
        domains: domains.into_iter().map(|d| (d.id, d.name)).collect(),
    })
}
