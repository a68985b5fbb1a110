use std::collections::HashSet;
use std::sync::Arc;

use base::{Policy, Result, Rule as PolicyRule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{Rule, SPEC, rules, store, view};
use crate::networks::rules::limited_to;
use crate::plane::Wakes;
use crate::request::{Listing, only_fields};
use crate::rows::Bind;
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_security_group_rule", PolicyRule::ProjectReader);
const CREATE: Policy = Policy::new("create_security_group_rule", PolicyRule::ProjectMember);
const DELETE: Policy = Policy::new("delete_security_group_rule", PolicyRule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/security-group-rules", &GET, list)
        .post("/v2.0/security-group-rules", &CREATE, create)
        .get("/v2.0/security-group-rules/{id}", &GET, show)
        .delete("/v2.0/security-group-rules/{id}", &DELETE, delete)
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    if let Some(project) = limited_to(&ctx) {
        listing.conditions.and("project_id = ?", [Bind::Text(project)]);
    }
    let mut conn = app.db.read().await?;
    let rules: Vec<Rule> = std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    drop(conn);
    let views = rules.iter().map(view::view).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let rule = store::visible(&mut conn, &ctx, &id).await?;
    Ok(web::json(200, &json!({"security_group_rule": only_fields(&params, view::view(&rule))})))
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let new = inputs.iter().map(|i| rules::create(&ctx, i)).collect::<Result<Vec<_>>>()?;
    check_bulk(&new)?;
    let made: Result<Wakes> = db::write!(app.db, |tx| store::create(tx, &ctx, &new).await);
    app.wake(&made?);
    let mut views: Vec<_> = new.iter().map(view::view).collect();
    Ok(if bulk {
        web::json(201, &json!({"security_group_rules": views}))
    } else {
        web::json(201, &json!({"security_group_rule": views.pop()}))
    })
}

/// One request's rules are one project's, one group's, and different.
fn check_bulk(new: &[Rule]) -> Result<()> {
    let distinct = |of: &dyn Fn(&Rule) -> String| new.iter().map(of).collect::<HashSet<_>>().len();
    if distinct(&|r| r.security_group_id.clone()) > 1 {
        return Err(fault::invalid(
            "SecurityGroupNotSingleGroupRules",
            "Only allowed to update rules for one security profile at a time",
        ));
    }
    if distinct(&|r| r.project_id.clone()) > 1 {
        return Err(fault::invalid(
            "SecurityGroupRulesNotSingleProject",
            "Multiple project_ids in bulk security group rule create not allowed",
        ));
    }
    if distinct(&rules::fingerprint) < new.len() {
        return Err(fault::conflict(
            "DuplicateSecurityGroupRuleInPost",
            "Duplicate Security Group Rule in POST.".into(),
        ));
    }
    Ok(())
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let rule = store::visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &rule).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
