use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{Network, SPEC, provider, rules, store};
use crate::plane::Wakes;
use crate::request::{Expected, Resource as _, View, created, list, one_view, show};
use crate::{Neutron, fault, floating_ips, qos};

const GET: Policy = Policy::new("get_network", Rule::ProjectReaderOrService);
const CREATE: Policy = Policy::new("create_network", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_network", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_network", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/networks", &GET, list::<Network>)
        .post("/v2.0/networks", &CREATE, create)
        .get("/v2.0/networks/{id}", &GET, show::<Network>)
        .put("/v2.0/networks/{id}", &UPDATE, update)
        .delete("/v2.0/networks/{id}", &DELETE, delete)
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let networks =
        inputs.iter().map(|i| rules::create(&ctx, i, app.config.default_mtu)).collect::<Result<Vec<_>>>()?;
    let made: Result<Vec<View>> = db::write!(app.db, |tx| {
        let mut made = Vec::new();
        for (network, input) in networks.iter().zip(&inputs) {
            let mut network = network.clone();
            if !input.has("qos_policy_id") {
                network.qos_policy_id = qos::store::default_of(tx, &network.standard.project_id).await?;
            }
            provider::allocate(tx, &mut network).await?;
            store::create(tx, &ctx, &network).await?;
            made.push(network);
        }
        Network::views(&app, tx, &ctx, made).await
    });
    let views = made?;
    networks.iter().for_each(|n| app.wake(&Wakes::network(&n.standard.id)));
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
        let mut network = store::owned(tx, &ctx, &id, "update_network").await?;
        expected.check(network.standard.revision)?;
        let before = network.clone();
        rules::apply(&mut network, &input)?;
        rules::check_mtu(&id, network.mtu, store::ip_versions(tx, &id).await?)?;
        if before.qos_policy_id != network.qos_policy_id {
            qos::store::may_remove(tx, &ctx, &before.qos_policy_id).await?;
        }
        let mut wakes = Wakes::network(&id);
        let closes = before.external && !network.external;
        if closes {
            // Addresses that lead nowhere keep nothing.
            wakes.extend(floating_ips::store::delete_unused(tx, &ctx, &id).await?);
        }
        if closes && store::used_as_external(tx, &id).await? {
            return Err(fault::conflict(
                "ExternalNetworkInUse",
                format!(
                    "External network {id} cannot be updated to be made non-external, since it has existing \
                     gateway ports."
                ),
            ));
        }
        store::update(tx, &ctx, &before, &network).await?;
        // A router's interfaces have their network's MTU.
        if before.mtu != network.mtu || before.qos_policy_id != network.qos_policy_id {
            wakes.routers.extend(crate::plane::store::routers_on(tx, &id).await?);
        }
        Ok((one_view(&app, tx, &ctx, network).await?, wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "network": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let network = store::owned(tx, &ctx, &id, "delete_network").await?;
        expected.check(network.standard.revision)?;
        store::delete(tx, &ctx, &network).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
