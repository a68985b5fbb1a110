use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{SPEC, Subport, Trunk, rules, store};
use crate::Neutron;
use crate::plane::Wakes;
use crate::request::{Expected, Input, Resource as _, View, created, list, one_view, show, visible};
use crate::standard::Standard;

const GET: Policy = Policy::new("get_trunk", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_trunk", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_trunk", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_trunk", Rule::ProjectMember);
const SUBPORTS: Policy = Policy::new("get_subports", Rule::ProjectReader);
const ADD: Policy = Policy::new("add_subports", Rule::ProjectMember);
const REMOVE: Policy = Policy::new("remove_subports", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/trunks", &GET, list::<Trunk>)
        .post("/v2.0/trunks", &CREATE, create)
        .get("/v2.0/trunks/{id}", &GET, show::<Trunk>)
        .put("/v2.0/trunks/{id}", &UPDATE, update)
        .delete("/v2.0/trunks/{id}", &DELETE, delete)
        .get("/v2.0/trunks/{id}/get_subports", &SUBPORTS, subports)
        .put("/v2.0/trunks/{id}/add_subports", &ADD, add)
        .put("/v2.0/trunks/{id}/remove_subports", &REMOVE, remove)
}

fn new(ctx: &Ctx, input: &Input) -> Result<Trunk> {
    Ok(Trunk {
        standard: Standard::of(&input.owner(ctx)?, input),
        admin_state_up: input.flag("admin_state_up").unwrap_or(true),
        status: "DOWN".into(),
        port_id: input.text("port_id").unwrap_or_default().into(),
    })
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let mut wanted = Vec::new();
    for input in &inputs {
        wanted.push((new(&ctx, input)?, rules::subports(input.value("sub_ports"), false)?));
    }
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let mut wakes = Wakes::default();
        for (trunk, subports) in &wanted {
            wakes.extend(store::create(tx, &ctx, trunk, subports).await?);
        }
        let trunks = wanted.iter().map(|(trunk, _)| trunk.clone()).collect();
        Ok((Trunk::views(&app, tx, &ctx, trunks).await?, wakes))
    });
    let (views, wakes) = made?;
    app.wake(&wakes);
    Ok(created(&SPEC, bulk, views))
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
        let mut trunk: Trunk = visible(tx, &ctx, &id).await?;
        let seen = trunk.standard.revision;
        expected.check(seen)?;
        trunk.admin_state_up = input.flag("admin_state_up").unwrap_or(trunk.admin_state_up);
        trunk.standard.apply(&input);
        let wakes = store::update(tx, &ctx, &trunk, seen).await?;
        Ok((one_view(&app, tx, &ctx, trunk).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "trunk": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let trunk: Trunk = visible(tx, &ctx, &id).await?;
        expected.check(trunk.standard.revision)?;
        rules::check_managed(&trunk)?;
        store::delete(tx, &ctx, &trunk).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}

async fn subports(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    let mut conn = app.db.read().await?;
    visible::<Trunk>(&mut conn, &ctx, &id).await?;
    let subports = store::subports_of(&mut conn, &id).await?;
    let views: Vec<Value> = subports.iter().map(Subport::view).collect();
    Ok(web::json(200, &json!({ "sub_ports": views })))
}

async fn add(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change(&app, &ctx, &id, &body, false).await
}

async fn remove(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    change(&app, &ctx, &id, &body, true).await
}

async fn change(app: &Neutron, ctx: &Ctx, id: &str, body: &Value, removing: bool) -> web::Result {
    let wanted = rules::subports(body.get("sub_ports"), removing)?;
    let changed: Result<(View, Wakes)> = db::write!(app.db, |tx| {
        let mut trunk: Trunk = visible(tx, ctx, id).await?;
        rules::check_managed(&trunk)?;
        let mut wakes = if removing {
            store::remove(tx, ctx, &trunk, &wanted).await?
        } else {
            store::add(tx, ctx, &trunk, &wanted).await?
        };
        let seen = trunk.standard.revision;
        trunk.status = "DOWN".into();
        trunk.standard.touch();
        wakes.extend(store::update(tx, ctx, &trunk, seen).await?);
        Ok((one_view(app, tx, ctx, trunk).await?, wakes))
    });
    let (view, wakes) = changed?;
    app.wake(&wakes);
    // These two answer the trunk itself, without its name around it.
    Ok(web::json(200, &view))
}
