use std::collections::HashSet;
use std::sync::Arc;

use base::{Policy, Result, Rule as PolicyRule};
use serde_json::Value;
use web::{Caller, Json, Path, Routes, State};

use super::{Rule, SPEC, rules, store};
use crate::plane::Wakes;
use crate::request::{Resource as _, View, created, list, show};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_security_group_rule", PolicyRule::ProjectReader);
const CREATE: Policy = Policy::new("create_security_group_rule", PolicyRule::ProjectMember);
const DELETE: Policy = Policy::new("delete_security_group_rule", PolicyRule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/security-group-rules", &GET, list::<Rule>)
        .post("/v2.0/security-group-rules", &CREATE, create)
        .get("/v2.0/security-group-rules/{id}", &GET, show::<Rule>)
        .delete("/v2.0/security-group-rules/{id}", &DELETE, delete)
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let new = inputs.iter().map(|i| rules::create(&ctx, i)).collect::<Result<Vec<_>>>()?;
    check_bulk(&new)?;
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let wakes = store::create(tx, &ctx, &new).await?;
        Ok((Rule::views(&app, tx, &ctx, new.clone()).await?, wakes))
    });
    let (views, wakes) = made?;
    app.wake(&wakes);
    Ok(created(&SPEC, bulk, views))
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
