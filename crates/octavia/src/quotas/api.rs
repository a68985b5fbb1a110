use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Ctx, Error, Result};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{RESOURCES, UNLIMITED, store};
use crate::request::listing::{Item, page};
use crate::request::{member, shown};
use crate::{Octavia, fault, policy};

const MOST: i64 = 2_000_000_000;

pub fn routes(routes: Routes<Arc<Octavia>>) -> Routes<Arc<Octavia>> {
    routes
        .get("/v2/lbaas/quotas", &policy::QUOTA_LIST, list)
        .get("/v2/lbaas/quotas/{project_id}", &policy::QUOTA_SHOW, show)
        .put("/v2/lbaas/quotas/{project_id}", &policy::QUOTA_UPDATE, update)
        .delete("/v2/lbaas/quotas/{project_id}", &policy::QUOTA_DELETE, delete)
        .get("/v2/lbaas/quotas/{project_id}/default", &policy::QUOTA_DEFAULTS, defaults)
}

fn view(limits: &BTreeMap<String, i64>) -> Map<String, Value> {
    let mut view = Map::new();
    for (name, older, _) in RESOURCES {
        let most = limits.get(name).copied().unwrap_or(UNLIMITED);
        view.insert(name.into(), most.into());
        view.insert(older.into(), most.into());
    }
    view
}

fn sees(ctx: &Ctx, project: &str) -> bool {
    policy::sees_all(ctx) || ctx.auth.has_role("load-balancer_quota_admin") || policy::is_own(ctx, project)
}

fn check(ctx: &Ctx, project: &str) -> Result<()> {
    if sees(ctx, project) { Ok(()) } else { Err(fault::policy()) }
}

async fn list(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let asked = params.get("project_id").or_else(|| params.get("tenant_id"));
    let own = ctx.project().map(|project| project.id.as_str());
    let project = match asked {
        Some(asked) => Some(asked),
        None if policy::sees_all(&ctx) || ctx.auth.has_role("load-balancer_quota_admin") => None,
        None => Some(own.ok_or_else(fault::policy)?),
    };
    if let Some(project) = project {
        check(&ctx, project)?;
    }
    let all = store::all(&mut *app.db.read().await?, project).await?;
    let items = all
        .iter()
        .map(|(project, limits)| {
            let mut view = view(limits);
            view.insert("project_id".into(), project.clone().into());
            view.insert("tenant_id".into(), project.clone().into());
            Item { view, hidden: Vec::new() }
        })
        .collect();
    let names: Vec<&str> = RESOURCES.iter().flat_map(|(name, older, _)| [*name, *older]).collect();
    Ok(web::json(200, &page("quotas", &names, items, &params, &origin)?))
}

async fn show(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
) -> web::Result {
    check(&ctx, &project)?;
    let all = store::all(&mut *app.db.read().await?, Some(&project)).await?;
    Ok(web::json(200, &json!({"quota": view(all.get(&project).unwrap_or(&BTreeMap::new()))})))
}

async fn defaults(Caller(ctx): Caller, Path(project): Path<String>) -> web::Result {
    check(&ctx, &project)?;
    Ok(web::json(200, &json!({"quota": view(&BTreeMap::new())})))
}

/// What the body says of each resource.
fn limits(body: &Value) -> Result<Vec<(&'static str, Option<i64>)>> {
    let given = member(body, "quota")?;
    let given =
        given.as_object().ok_or_else(|| Error::bad_request(format!("Invalid input: {}", shown(given))))?;
    let mut limits = Vec::new();
    for (key, value) in given {
        let resource = RESOURCES.iter().find(|(name, older, _)| name == key || older == key);
        let Some((name, ..)) = resource else {
            return Err(Error::bad_request(format!("Unknown attribute: {key}")));
        };
        let most = match value {
            Value::Null => None,
            value => {
                Some(value.as_i64().filter(|n| (UNLIMITED..=MOST).contains(n)).ok_or_else(|| {
                    fault::input(key, &shown(value), "Value should be greater or equal to -1")
                })?)
            }
        };
        limits.push((*name, most));
    }
    Ok(limits)
}

async fn update(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let limits = limits(&body)?;
    let done: Result<BTreeMap<String, i64>> = db::write!(app.db, |tx| {
        store::set(tx, &ctx, &project, &limits).await?;
        Ok(store::all(tx, Some(&project)).await?.remove(&project).unwrap_or_default())
    });
    Ok(web::json(202, &json!({"quota": view(&done?)})))
}

async fn delete(
    State(app): State<Arc<Octavia>>,
    Caller(ctx): Caller,
    Path(project): Path<String>,
) -> web::Result {
    let all: Vec<_> = RESOURCES.iter().map(|(name, ..)| (*name, None)).collect();
    let done: Result<()> = db::write!(app.db, |tx| store::set(tx, &ctx, &project, &all).await);
    done?;
    Ok(web::no_content(202))
}
