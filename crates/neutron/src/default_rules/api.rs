use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{DefaultRule, PARENT, SPEC, store, view};
use crate::Neutron;
use crate::request::{Input, list, show, visible};
use crate::security_group_rules::rules;

const GET: Policy = Policy::new("get_default_security_group_rule", Rule::Reader);
const CREATE: Policy = Policy::new("create_default_security_group_rule", Rule::Admin);
const DELETE: Policy = Policy::new("delete_default_security_group_rule", Rule::Admin);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/default-security-group-rules", &GET, list::<DefaultRule>)
        .post("/v2.0/default-security-group-rules", &CREATE, create)
        .get("/v2.0/default-security-group-rules/{id}", &GET, show::<DefaultRule>)
        .delete("/v2.0/default-security-group-rules/{id}", &DELETE, delete)
}

/// What a rule of a group may say, a default one may.
fn new(ctx: &Ctx, input: &Input) -> Result<DefaultRule> {
    let rule = rules::template(ctx, input)?;
    let parent = input.text("remote_group_id") == Some(PARENT);
    Ok(DefaultRule {
        id: rule.id,
        description: rule.description,
        direction: rule.direction,
        ethertype: rule.ethertype,
        protocol: rule.protocol,
        port_min: rule.port_min,
        port_max: rule.port_max,
        remote_prefix: rule.remote_prefix,
        remote_group: if parent { PARENT.into() } else { rule.remote_group.unwrap_or_default() },
        remote_address_group: rule.remote_address_group.unwrap_or_default(),
        in_default: input.flag("used_in_default_sg").unwrap_or(false),
        in_others: input.flag("used_in_non_default_sg").unwrap_or(true),
        created_at: base::time::now(),
    })
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let rule = new(&ctx, &SPEC.create_one(&ctx, &body)?)?;
    let made: Result<()> = db::write!(app.db, |tx| store::create(tx, &ctx, &rule).await);
    made?;
    Ok(web::json(201, &json!({"default_security_group_rule": view(&rule)})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<()> = db::write!(app.db, |tx| {
        let rule: DefaultRule = visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &rule).await
    });
    deleted?;
    Ok(web::no_content(204))
}
