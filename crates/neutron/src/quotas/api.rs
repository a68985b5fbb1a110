use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Ctx, Error, Policy, Result, Rule};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{RESOURCES, store};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_quota", Rule::Authenticated);
const LIST: Policy = Policy::new("get_quota", Rule::Admin);
const UPDATE: Policy = Policy::new("update_quota", Rule::Admin);
const DELETE: Policy = Policy::new("delete_quota", Rule::Admin);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/quotas", &LIST, list)
        .get("/v2.0/quotas/tenant", &GET, tenant)
        .get("/v2.0/quotas/project", &GET, project)
        .get("/v2.0/quotas/{id}", &GET, show)
        .put("/v2.0/quotas/{id}", &UPDATE, update)
        .delete("/v2.0/quotas/{id}", &DELETE, delete)
        .get("/v2.0/quotas/{id}/default", &GET, default)
        .get("/v2.0/quotas/{id}/details", &GET, details)
        .get("/v2.0/quotas/{id}/details.json", &GET, details)
}

fn may_see(ctx: &Ctx, project_id: &str) -> Result<()> {
    if ctx.owns(project_id) { Ok(()) } else { Err(fault::policy("get_quota")) }
}

/// Project id -> resource -> limit.
type Limits = BTreeMap<String, BTreeMap<String, i64>>;

/// The project's own, else the operator's, else Neutron's.
fn limits(set: &Limits, project_id: &str) -> Map<String, Value> {
    let of = |project: &str, resource: &str| set.get(project).and_then(|limits| limits.get(resource));
    let limit = |resource: &str| of(project_id, resource).or_else(|| of(store::EVERYBODY, resource));
    RESOURCES
        .iter()
        .map(|(resource, _, default)| ((*resource).to_owned(), json!(limit(resource).unwrap_or(default))))
        .collect()
}

async fn limits_of(app: &Neutron, project_id: &str) -> Result<Map<String, Value>> {
    let set = store::set_limits(&mut *app.db.read().await?, Some(project_id)).await?;
    Ok(limits(&set, project_id))
}

async fn list(State(app): State<Arc<Neutron>>) -> web::Result {
    let set = store::set_limits(&mut *app.db.read().await?, None).await?;
    let quotas: Vec<Value> = set
        .keys()
        .filter(|project| *project != store::EVERYBODY)
        .map(|project| {
            let mut quota = limits(&set, project);
            quota.insert("tenant_id".into(), json!(project));
            quota.insert("project_id".into(), json!(project));
            Value::Object(quota)
        })
        .collect();
    Ok(web::json(200, &json!({ "quotas": quotas })))
}

async fn tenant(Caller(ctx): Caller) -> web::Result {
    Ok(web::json(200, &json!({"tenant": {"tenant_id": ctx.require_project()?}})))
}

async fn project(Caller(ctx): Caller) -> web::Result {
    Ok(web::json(200, &json!({"project": {"project_id": ctx.require_project()?}})))
}

async fn show(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    may_see(&ctx, &id)?;
    Ok(web::json(200, &json!({"quota": limits_of(&app, &id).await?})))
}

async fn default(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    may_see(&ctx, &id)?;
    Ok(web::json(200, &json!({"quota": limits_of(&app, store::EVERYBODY).await?})))
}

async fn details(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    may_see(&ctx, &id)?;
    let limits = limits_of(&app, &id).await?;
    let mut conn = app.db.read().await?;
    let mut quota = Map::new();
    for (resource, table, _) in RESOURCES {
        let used = store::used(&mut conn, table, &id).await?;
        quota
            .insert((*resource).into(), json!({"limit": limits.get(*resource), "used": used, "reserved": 0}));
    }
    Ok(web::json(200, &json!({ "quota": quota })))
}

/// A resource, its table and its new limit.
type Limit = (&'static str, &'static str, i64);

/// The new limits, and whether they are compared with what is used already.
fn asked(body: &Value) -> Result<(Vec<Limit>, bool)> {
    let quota = body
        .get("quota")
        .and_then(Value::as_object)
        .ok_or_else(|| fault::http_bad_request("Unable to find 'quota' in request body"))?;
    let mut limits = Vec::new();
    let mut check = true;
    for (key, value) in quota {
        match key.as_str() {
            "force" => check = value != &json!(true),
            // Comparing is what happens anyway.
            "check_limit" => {}
            "tenant_id" | "project_id" => {}
            _ => {
                let (resource, table, _) = RESOURCES
                    .iter()
                    .find(|(r, ..)| r == key)
                    .ok_or_else(|| fault::http_bad_request(format!("Unrecognized attribute(s) '{key}'")))?;
                let shown = value.as_str().map_or_else(|| value.to_string(), Into::into);
                let limit: i64 = shown
                    .parse()
                    .map_err(|_| fault::invalid_input(format!("'{shown}' is not an integer")))?;
                if !(-1..=i64::from(i32::MAX)).contains(&limit) {
                    return Err(fault::http_bad_request(format!(
                        "Invalid input for {key}. Reason: '{limit}' is not in range -1 to {}.",
                        i32::MAX
                    )));
                }
                limits.push((*resource, *table, limit));
            }
        }
    }
    Ok((limits, check))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let (limits, check) = asked(&body)?;
    let done: Result<()> = db::write!(app.db, |tx| {
        for (resource, table, limit) in &limits {
            if check && *limit >= 0 {
                let used = store::used(tx, table, &id).await?;
                if used > *limit {
                    return Err(fault::http_bad_request(format!(
                        "Quota limit {limit} for {resource} must be greater than or equal to already used {used}"
                    )));
                }
            }
            store::set(tx, &id, resource, *limit).await?;
        }
        Ok(())
    });
    done?;
    Ok(web::json(200, &json!({"quota": limits_of(&app, &id).await?})))
}

async fn delete(State(app): State<Arc<Neutron>>, Path(id): Path<String>) -> web::Result {
    let done: Result<bool> = db::write!(app.db, |tx| store::reset(tx, &id).await);
    if done? {
        Ok(web::no_content(204))
    } else {
        let message = format!("Quota for project {id} could not be found.");
        Err(Error::not_found(message).code("TenantQuotaNotFound").into())
    }
}
