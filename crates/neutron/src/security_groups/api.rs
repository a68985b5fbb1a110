use std::sync::Arc;

use base::{Policy, Result, Rule as PolicyRule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{DEFAULT, SPEC, SecurityGroup, store};
use crate::plane::Wakes;
use crate::request::{Expected, Input, Resource as _, View, created, list, one_view, show};
use crate::standard::Standard;
use crate::{Neutron, fault, plane};

const GET: Policy = Policy::new("get_security_group", PolicyRule::ProjectReader);
const CREATE: Policy = Policy::new("create_security_group", PolicyRule::ProjectMember);
const UPDATE: Policy = Policy::new("update_security_group", PolicyRule::ProjectMember);
const DELETE: Policy = Policy::new("delete_security_group", PolicyRule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/security-groups", &GET, list::<SecurityGroup>)
        .post("/v2.0/security-groups", &CREATE, create)
        .get("/v2.0/security-groups/{id}", &GET, show::<SecurityGroup>)
        .put("/v2.0/security-groups/{id}", &UPDATE, update)
        .delete("/v2.0/security-groups/{id}", &DELETE, delete)
}

fn refuse_default(input: &Input) -> Result<()> {
    if input.text("name").is_some_and(|n| n.eq_ignore_ascii_case(DEFAULT)) {
        return Err(fault::conflict(
            "SecurityGroupDefaultAlreadyExists",
            "Default security group already exists.".into(),
        ));
    }
    Ok(())
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let mut groups = Vec::new();
    for input in &inputs {
        refuse_default(input)?;
        groups.push(SecurityGroup {
            standard: Standard::of(&input.owner(&ctx)?, input),
            is_default: false,
            stateful: input.flag("stateful").unwrap_or(true),
            shared: false,
        });
    }
    let made: Result<Vec<View>> = db::write!(app.db, |tx| {
        for group in &groups {
            store::create(tx, &ctx, group).await?;
        }
        SecurityGroup::views(&app, tx, &ctx, groups.clone()).await
    });
    Ok(created(&SPEC, bulk, made?))
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let mut group = store::owned(tx, &ctx, &id, "update_security_group").await?;
        let seen = group.standard.revision;
        expected.check(seen)?;
        if group.is_default && input.text("name").is_some_and(|n| n != group.standard.name) {
            return Err(fault::conflict(
                "SecurityGroupCannotUpdateDefault",
                "Updating default security group not allowed.".into(),
            ));
        }
        if !group.is_default {
            refuse_default(&input)?;
        }
        if let Some(stateful) = input.flag("stateful").filter(|s| *s != group.stateful) {
            store::unused(tx, &id).await?;
            group.stateful = stateful;
        }
        group.standard.apply(&input);
        store::update(tx, &ctx, &group, seen).await?;
        let wakes = Wakes::networks(plane::store::networks_using(tx, &id).await?);
        Ok((one_view(&app, tx, &ctx, group).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "security_group": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let group = store::owned(tx, &ctx, &id, "delete_security_group").await?;
        expected.check(group.standard.revision)?;
        store::delete(tx, &ctx, &group).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
