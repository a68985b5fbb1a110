use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule as PolicyRule};
use serde_json::{Map, Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{DEFAULT, SPEC, SecurityGroup, store, view};
use crate::networks::rules::limited_to;
use crate::plane::Wakes;
use crate::request::{Input, Listing, only_fields};
use crate::rows::Bind;
use crate::standard::Standard;
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_security_group", PolicyRule::ProjectReader);
const CREATE: Policy = Policy::new("create_security_group", PolicyRule::ProjectMember);
const UPDATE: Policy = Policy::new("update_security_group", PolicyRule::ProjectMember);
const DELETE: Policy = Policy::new("delete_security_group", PolicyRule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/security-groups", &GET, list)
        .post("/v2.0/security-groups", &CREATE, create)
        .get("/v2.0/security-groups/{id}", &GET, show)
        .put("/v2.0/security-groups/{id}", &UPDATE, update)
        .delete("/v2.0/security-groups/{id}", &DELETE, delete)
}

/// A project sees its default group even before anything needed it.
async fn ensure_default(app: &Neutron, ctx: &Ctx, params: &Params) -> Result<()> {
    let asked = params.get("project_id").or_else(|| params.get("tenant_id")).filter(|_| ctx.is_admin());
    let Some(project) = asked.or_else(|| ctx.project().map(|p| p.id.as_str())) else { return Ok(()) };
    let mut conn = app.db.read().await?;
    if store::default_of(&mut conn, project).await?.is_some() {
        return Ok(());
    }
    drop(conn);
    let made: Result<String> = db::write!(app.db, |tx| store::default_group(tx, ctx, project).await);
    made.map(|_| ())
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
    ensure_default(&app, &ctx, &params).await?;
    let mut conn = app.db.read().await?;
    let groups: Vec<SecurityGroup> =
        std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    let rules = store::rules_of(&mut conn, &groups).await?;
    drop(conn);
    let views =
        groups.iter().map(|g| view::view(g, rules.get(&g.standard.id).map_or(&[], Vec::as_slice))).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let group = store::visible(&mut conn, &ctx, &id).await?;
    let rules = store::rules_of(&mut conn, std::slice::from_ref(&group)).await?;
    let view = view::view(&group, rules.get(&id).map_or(&[], Vec::as_slice));
    Ok(web::json(200, &json!({"security_group": only_fields(&params, view)})))
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
        groups.push(SecurityGroup { standard: Standard::of(&input.owner(&ctx)?, input), is_default: false });
    }
    let made: Result<Vec<Map<String, Value>>> = db::write!(app.db, |tx| {
        let mut views = Vec::new();
        for group in &groups {
            views.push(view::view(group, &store::create(tx, &ctx, group).await?));
        }
        Ok(views)
    });
    let mut views = made?;
    Ok(if bulk {
        web::json(201, &json!({"security_groups": views}))
    } else {
        web::json(201, &json!({"security_group": views.pop()}))
    })
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<Map<String, Value>> = db::write!(app.db, |tx| {
        let mut group = store::visible(tx, &ctx, &id).await?;
        let seen = group.standard.revision;
        if group.is_default && input.text("name").is_some_and(|n| n != group.standard.name) {
            return Err(fault::conflict(
                "SecurityGroupCannotUpdateDefault",
                "Updating default security group not allowed.".into(),
            ));
        }
        if !group.is_default {
            refuse_default(&input)?;
        }
        group.standard.apply(&input);
        store::update(tx, &ctx, &group, seen).await?;
        let rules = store::rules_of(tx, std::slice::from_ref(&group)).await?;
        Ok(view::view(&group, rules.get(&id).map_or(&[], Vec::as_slice)))
    });
    Ok(web::json(200, &json!({"security_group": updated?})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let group = store::visible(tx, &ctx, &id).await?;
        store::delete(tx, &ctx, &group).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
