use std::collections::HashMap;
use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Routes, State};

use super::{Network, SPEC, rules, store, view};
use crate::plane::Wakes;
use crate::request::{Listing, only_fields};
use crate::{Neutron, fault};

const GET: Policy = Policy::new("get_network", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_network", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_network", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_network", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/networks", &GET, list)
        .post("/v2.0/networks", &CREATE, create)
        .get("/v2.0/networks/{id}", &GET, show)
        .put("/v2.0/networks/{id}", &UPDATE, update)
        .delete("/v2.0/networks/{id}", &DELETE, delete)
}

fn views(
    ctx: &Ctx,
    networks: &[Network],
    subnets: &HashMap<String, Vec<String>>,
) -> Vec<serde_json::Map<String, Value>> {
    let none = Vec::new();
    networks.iter().map(|n| view::view(ctx, n, subnets.get(&n.standard.id).unwrap_or(&none))).collect()
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    rules::scope(&ctx, &mut listing.conditions);
    let mut conn = app.db.read().await?;
    let networks: Vec<Network> = std::mem::take(&mut listing.conditions).rows(&mut conn, SPEC.table).await?;
    let subnets = store::subnet_ids(&mut conn, &networks).await?;
    drop(conn);
    let views = views(&ctx, &networks, &subnets);
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let network = store::visible(&mut conn, &ctx, &id).await?;
    let subnets = store::subnet_ids(&mut conn, std::slice::from_ref(&network)).await?;
    let view = views(&ctx, &[network], &subnets).pop().unwrap_or_default();
    Ok(web::json(200, &json!({"network": only_fields(&params, view)})))
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let networks =
        inputs.iter().map(|i| rules::create(&ctx, i, app.config.default_mtu)).collect::<Result<Vec<_>>>()?;
    let made: Result<()> = db::write!(app.db, |tx| {
        for network in &networks {
            store::create(tx, &ctx, network).await?;
        }
        Ok(())
    });
    made?;
    networks.iter().for_each(|n| app.wake(&Wakes::network(&n.standard.id)));
    let mut views = views(&ctx, &networks, &HashMap::new());
    Ok(answer(bulk, &mut views))
}

fn answer(bulk: bool, views: &mut Vec<serde_json::Map<String, Value>>) -> Response {
    if bulk {
        web::json(201, &json!({"networks": views}))
    } else {
        web::json(201, &json!({"network": views.pop()}))
    }
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<_> = db::write!(app.db, |tx| {
        let mut network = store::owned(tx, &ctx, &id, "update_network").await?;
        let before = network.clone();
        rules::apply(&mut network, &input)?;
        rules::check_mtu(&id, network.mtu, store::ip_versions(tx, &id).await?)?;
        if before.shared && !network.shared && store::used_by_others(tx, &network).await? {
            return Err(fault::conflict(
                "InvalidSharedSetting",
                format!(
                    "Unable to reconfigure sharing settings for network {}. Multiple projects are using it.",
                    before.standard.name
                ),
            ));
        }
        if before.external && !network.external && store::used_as_external(tx, &id).await? {
            return Err(fault::conflict(
                "ExternalNetworkInUse",
                format!(
                    "External network {id} cannot be updated to be made non-external, since it has existing \
                     gateway ports."
                ),
            ));
        }
        store::update(tx, &ctx, &network, before.standard.revision).await?;
        // A router's interfaces have their network's MTU.
        let mut wakes = Wakes::network(&id);
        if before.mtu != network.mtu {
            wakes.routers.extend(crate::plane::store::routers_on(tx, &id).await?);
        }
        let subnets = store::subnet_ids(tx, std::slice::from_ref(&network)).await?;
        Ok((network, subnets, wakes))
    });
    let (network, subnets, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({"network": views(&ctx, &[network], &subnets).pop()})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let network = store::owned(tx, &ctx, &id, "delete_network").await?;
        store::delete(tx, &ctx, &network).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
