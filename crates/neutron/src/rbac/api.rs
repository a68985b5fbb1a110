use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{RbacPolicy, SPEC, rules, store, view};
use crate::Neutron;
use crate::request::{created, list, show, visible};

const GET: Policy = Policy::new("get_rbac_policy", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_rbac_policy", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_rbac_policy", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_rbac_policy", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/rbac-policies", &GET, list::<RbacPolicy>)
        .post("/v2.0/rbac-policies", &CREATE, create)
        .get("/v2.0/rbac-policies/{id}", &GET, show::<RbacPolicy>)
        .put("/v2.0/rbac-policies/{id}", &UPDATE, update)
        .delete("/v2.0/rbac-policies/{id}", &DELETE, delete)
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let policies = inputs.iter().map(|i| rules::create(&ctx, i)).collect::<Result<Vec<_>>>()?;
    let made: Result<()> = db::write!(app.db, |tx| {
        for policy in &policies {
            store::create(tx, &ctx, policy).await?;
        }
        Ok(())
    });
    made?;
    policies.iter().for_each(|policy| app.wake(&rules::wakes(policy)));
    Ok(created(&SPEC, bulk, policies.iter().map(view).collect()))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let target = rules::target(&ctx, &input, "update")?;
    let updated: Result<RbacPolicy> = db::write!(app.db, |tx| {
        let policy: RbacPolicy = visible(tx, &ctx, &id).await?;
        store::update(tx, &ctx, &policy, target.as_deref().unwrap_or(&policy.target_project)).await
    });
    let policy = updated?;
    app.wake(&rules::wakes(&policy));
    Ok(web::json(200, &json!({"rbac_policy": view(&policy)})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<RbacPolicy> = db::write!(app.db, |tx| {
        let policy: RbacPolicy = visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &policy).await?;
        Ok(policy)
    });
    app.wake(&rules::wakes(&deleted?));
    Ok(web::no_content(204))
}
