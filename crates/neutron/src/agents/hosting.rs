//! Which networks the DHCP agent serves and which routers the L3 agent carries: those that need it, unless an admin took
//! them away. A network without the agent has no DHCP, a router without it forwards nothing.

use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use db::Tx;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::{Agent, rules, store};
use crate::networks::Network;
use crate::plane::Wakes;
use crate::request::{Resource, visible};
use crate::routers::Router;
use crate::{Neutron, fault, subnets};

const GET_NETWORKS: Policy = Policy::new("get_dhcp-networks", Rule::Admin);
const ADD_NETWORK: Policy = Policy::new("create_dhcp-network", Rule::Admin);
const REMOVE_NETWORK: Policy = Policy::new("delete_dhcp-network", Rule::Admin);
const GET_DHCP_AGENTS: Policy = Policy::new("get_dhcp-agents", Rule::Admin);
const GET_ROUTERS: Policy = Policy::new("get_l3-routers", Rule::Admin);
const ADD_ROUTER: Policy = Policy::new("create_l3-router", Rule::Admin);
const REMOVE_ROUTER: Policy = Policy::new("delete_l3-router", Rule::Admin);
const GET_L3_AGENTS: Policy = Policy::new("get_l3-agents", Rule::Admin);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/agents/{id}/dhcp-networks", &GET_NETWORKS, networks)
        .post("/v2.0/agents/{id}/dhcp-networks", &ADD_NETWORK, add_network)
        .delete("/v2.0/agents/{id}/dhcp-networks/{network}", &REMOVE_NETWORK, remove_network)
        .get("/v2.0/networks/{id}/dhcp-agents", &GET_DHCP_AGENTS, dhcp_agents)
        .get("/v2.0/agents/{id}/l3-routers", &GET_ROUTERS, routers)
        .post("/v2.0/agents/{id}/l3-routers", &ADD_ROUTER, add_router)
        .delete("/v2.0/agents/{id}/l3-routers/{router}", &REMOVE_ROUTER, remove_router)
        .get("/v2.0/routers/{id}/l3-agents", &GET_L3_AGENTS, l3_agents)
}

async fn networks(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    hosted_by::<Network>(&app, &ctx, &id, &store::DHCP).await
}

async fn routers(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> web::Result {
    hosted_by::<Router>(&app, &ctx, &id, &store::L3).await
}

/// An agent of another type hosts none.
async fn hosted_by<R: Resource>(app: &Neutron, ctx: &Ctx, id: &str, what: &store::Hosting) -> web::Result {
    let mut conn = app.db.read().await?;
    let agent = store::find(&mut conn, id).await?;
    let rows: Vec<R> =
        if agent.agent_type == what.agent_type { store::hosted(&mut conn, what).await? } else { Vec::new() };
    let views = R::views(app, &mut conn, ctx, rows).await?;
    Ok(web::json(200, &json!({ R::SPEC.collection: views })))
}

async fn dhcp_agents(State(app): State<Arc<Neutron>>, Path(id): Path<String>) -> web::Result {
    let agents = hosting(&app, &id, &store::DHCP).await?;
    Ok(web::json(200, &json!({"agents": agents.iter().map(Agent::view).collect::<Vec<_>>()})))
}

async fn l3_agents(State(app): State<Arc<Neutron>>, Path(id): Path<String>) -> web::Result {
    let agents = hosting(&app, &id, &store::L3).await?;
    let view = |agent: &Agent| {
        let mut view = agent.view();
        view.insert("ha_state".into(), Value::Null);
        view
    };
    Ok(web::json(200, &json!({"agents": agents.iter().map(view).collect::<Vec<_>>()})))
}

/// What nobody has, nobody hosts.
async fn hosting(app: &Neutron, object_id: &str, what: &store::Hosting) -> Result<Vec<Agent>> {
    let mut conn = app.db.read().await?;
    if !store::is_hosted(&mut conn, what, object_id).await? {
        return Ok(Vec::new());
    }
    let host = &app.config.host;
    let mut agents = store::list(&mut conn, crate::rows::Where::of("host", host)).await?;
    agents.retain(|agent| agent.agent_type == what.agent_type);
    Ok(agents)
}

fn asked<'a>(body: &'a Value, name: &str) -> Result<&'a str> {
    body.get(name).and_then(Value::as_str).ok_or_else(|| {
        fault::http_bad_request(format!("Failed to parse request. Required attribute '{name}' not specified"))
    })
}

async fn add_network(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let network_id = asked(&body, "network_id")?;
    let done: Result<()> = db::write!(app.db, |tx| {
        let network: Network = visible(tx, &ctx, network_id).await?;
        rules::dhcp(&store::find(tx, &id).await?)?;
        if store::is_hosted(tx, &store::DHCP, network_id).await? {
            return Err(rules::network_hosted(network_id, &id));
        }
        choose_network(tx, &network, true).await
    });
    done?;
    app.wake(&Wakes::network(network_id));
    Ok(web::json(201, &Value::Null))
}

async fn remove_network(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path((id, network_id)): Path<(String, String)>,
) -> web::Result {
    let done: Result<()> = db::write!(app.db, |tx| {
        let agent = store::find(tx, &id).await?;
        let network: Network = visible(tx, &ctx, &network_id).await?;
        let is_hosted = store::is_hosted(tx, &store::DHCP, &network_id).await?;
        if agent.agent_type != store::DHCP.agent_type || !is_hosted {
            return Err(rules::network_not_hosted(&network_id, &id));
        }
        choose_network(tx, &network, false).await
    });
    done?;
    app.wake(&Wakes::network(&network_id));
    Ok(web::no_content(204))
}

/// The network's DHCP port comes or goes with the agent.
async fn choose_network(tx: &mut Tx, network: &Network, hosted: bool) -> Result<()> {
    let id = &network.standard.id;
    store::choose(tx, &store::DHCP, id, hosted).await?;
    subnets::dhcp::settle(tx, id).await
}

async fn add_router(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let router_id = asked(&body, "router_id")?;
    let done: Result<()> = db::write!(app.db, |tx| {
        visible::<Router>(tx, &ctx, router_id).await?;
        rules::l3(&store::find(tx, &id).await?)?;
        store::choose(tx, &store::L3, router_id, true).await
    });
    done?;
    app.wake(&Wakes::router(router_id));
    Ok(web::json(201, &Value::Null))
}

async fn remove_router(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path((id, router_id)): Path<(String, String)>,
) -> web::Result {
    let done: Result<()> = db::write!(app.db, |tx| {
        let agent = store::find(tx, &id).await?;
        visible::<Router>(tx, &ctx, &router_id).await?;
        let is_hosted = store::is_hosted(tx, &store::L3, &router_id).await?;
        if agent.agent_type != store::L3.agent_type || !is_hosted {
            return Err(rules::router_not_hosted(&router_id, &id));
        }
        store::choose(tx, &store::L3, &router_id, false).await
    });
    done?;
    app.wake(&Wakes::router(&router_id));
    Ok(web::no_content(204))
}
