use std::sync::Arc;

use base::{Policy, Result, Rule};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::{Agent, store};
use crate::request::{Attr, Extent, Filter, Kind, Listing, Spec, attr, only_fields};
use crate::{Neutron, fault};

const LIST: Policy = Policy::new("get_agents", Rule::Authenticated);
const GET: Policy = Policy::new("get_agent", Rule::Admin);
const UPDATE: Policy = Policy::new("update_agent", Rule::Admin);
const DELETE: Policy = Policy::new("delete_agent", Rule::Admin);

const ATTRS: &[Attr] = &[
    attr("agent_type", Kind::Text(255)).by(Filter::Text("agent_type")),
    attr("binary", Kind::Text(255)).by(Filter::View),
    attr("topic", Kind::Text(255)).by(Filter::View),
    attr("host", Kind::Text(255)).by(Filter::Text("host")),
    attr("admin_state_up", Kind::Flag).put().by(Filter::Flag("admin_state_up")),
    attr("alive", Kind::Flag).filter(Filter::View),
    attr("availability_zone", Kind::Text(255)).filter(Filter::View),
    attr("description", Kind::TextOrNull(255)).put().filter(Filter::View),
];

const SPEC: Spec = Spec {
    member: "agent",
    collection: "agents",
    table: "network_agent",
    attrs: ATTRS,
    bulk: false,
    extent: Extent::Nobodys,
    not_found: fault::agent_not_found,
};

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    let routes = super::hosting::routes(routes);
    routes
        .get("/v2.0/agents", &LIST, list)
        .get("/v2.0/agents/{id}", &GET, show)
        .put("/v2.0/agents/{id}", &UPDATE, update)
        .delete("/v2.0/agents/{id}", &DELETE, delete)
}

/// Who may see none of them gets an empty list, as policies filter lists in Neutron.
async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    let agents = store::list(&mut *app.db.read().await?, std::mem::take(&mut listing.conditions)).await?;
    let views = agents.iter().filter(|_| ctx.is_admin()).map(Agent::view).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

async fn show(State(app): State<Arc<Neutron>>, Path(id): Path<String>, params: Params) -> web::Result {
    let agent = store::find(&mut *app.db.read().await?, &id).await?;
    Ok(web::json(200, &json!({"agent": only_fields(&params, agent.view())})))
}

/// The state is kept and shown; it stops nothing, as there is nobody else to take over.
async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<Agent> = db::write!(app.db, |tx| {
        let mut agent = store::find(tx, &id).await?;
        if let Some(flag) = input.flag("admin_state_up") {
            agent.admin_state_up = flag;
        }
        if input.has("description") {
            agent.description = input.text("description").unwrap_or("").into();
        }
        store::update(tx, &agent).await?;
        Ok(agent)
    });
    Ok(web::json(200, &json!({"agent": updated?.view()})))
}

/// An agent that lives reports again, as a new one; those of this process always live.
async fn delete(State(app): State<Arc<Neutron>>, Path(id): Path<String>) -> web::Result {
    let deleted: Result<()> = db::write!(app.db, |tx| {
        store::find(tx, &id).await?;
        store::delete(tx, &id).await?;
        store::register(tx, &app.config.host).await
    });
    deleted?;
    Ok(web::no_content(204))
}
