use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use db::Tx;
use serde_json::{Value, json};
use web::{Caller, Json, Path, Routes, State};

use super::addresses::{self, Wanted};
use super::{FullPort, Port, SPEC, macs, rules, store, view};
use crate::plane::Wakes;
use crate::request::{Expected, Input, View, created, list, show};
use crate::{Neutron, fault, networks, qos, routers, security_groups, trunks};

const GET: Policy = Policy::new("get_port", Rule::ProjectReaderOrService);
const CREATE: Policy = Policy::new("create_port", Rule::ProjectMemberOrService);
const UPDATE: Policy = Policy::new("update_port", Rule::ProjectMemberOrService);
const DELETE: Policy = Policy::new("delete_port", Rule::ProjectMemberOrService);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/ports", &GET, list::<Port>)
        .post("/v2.0/ports", &CREATE, create)
        .get("/v2.0/ports/{id}", &GET, show::<Port>)
        .put("/v2.0/ports/{id}", &UPDATE, update)
        .delete("/v2.0/ports/{id}", &DELETE, delete)
}

async fn create_one(tx: &mut Tx, ctx: &Ctx, input: &Input) -> Result<(FullPort, Wakes)> {
    let network_id = input.text("network_id").unwrap_or_default();
    let network = networks::store::visible(tx, ctx, network_id).await?;
    let open = networks::store::is_open_to(tx, ctx, &network).await?;
    rules::may_plug(open, &input.owner(ctx)?)?;
    rules::privileges(ctx, input, &network, "create")?;
    let mac = macs::free(tx, network_id).await?;
    let port = rules::create(ctx, input, &network, mac)?;
    check_router(tx, ctx, &port).await?;
    qos::store::usable(tx, ctx, &port.qos_policy_id).await?;
    let groups = match input.parsed::<Vec<String>>("security_groups")? {
        Some(groups) => security_groups::store::check(tx, ctx, &groups).await?,
        None if port.port_security && !port.is_trusted() => {
            vec![security_groups::store::default_group(tx, ctx, &port.standard.project_id).await?]
        }
        None => Vec::new(),
    };
    rules::check_security(&port, &groups)?;
    let wanted: Option<Vec<Wanted>> = input.parsed("fixed_ips")?;
    store::create(tx, ctx, port, wanted.as_deref(), groups).await
}

/// What says that it is a router's is one to the whole plane: only its owner's ports can be.
async fn check_router(tx: &mut Tx, ctx: &Ctx, port: &Port) -> Result<()> {
    if ctx.is_admin() || !port.is_router_port() {
        return Ok(());
    }
    match routers::store::find(tx, &port.device_id).await? {
        Some(full) if full.router.standard.project_id != port.standard.project_id => {
            Err(fault::device_of_another(&port.device_id))
        }
        _ => Ok(()),
    }
}

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<View>, Wakes)> = db::write!(app.db, |tx| {
        let (mut ports, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let (port, more) = create_one(tx, &ctx, input).await?;
            ports.push(port);
            wakes.extend(more);
        }
        Ok((view::views(&app, tx, &ctx, ports).await?, wakes))
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
    let updated: Result<(Option<View>, Wakes)> = db::write!(app.db, |tx| {
        let (before, network) = store::visible(tx, &ctx, &id).await?;
        rules::may_update(&ctx, &before.port)?;
        expected.check(before.port.standard.revision)?;
        rules::privileges(&ctx, &input, &network, "update")?;
        let mut after = before.clone();
        if let Some(groups) = input.parsed::<Vec<String>>("security_groups")? {
            after.groups = security_groups::store::check(tx, &ctx, &groups).await?;
        }
        match input.value("mac_address") {
            None => {}
            Some(Value::Null) => {
                let drawn = macs::free(tx, &before.port.network_id).await?;
                rules::set_mac(&mut after.port, &drawn)?;
            }
            Some(mac) => rules::set_mac(&mut after.port, mac.as_str().unwrap_or_default())?,
        }
        rules::apply(&mut after.port, &input, !after.groups.is_empty())?;
        rules::check_security(&after.port, &after.groups)?;
        if let Some(wanted) = input.parsed::<Vec<Wanted>>("fixed_ips")? {
            after.fixed_ips = addresses::allocate(tx, &after.port, Some(&wanted), &before.fixed_ips).await?;
        }
        rules::check_owner_kept(&before.port, &after.port)?;
        if !before.port.is_router_port() {
            check_router(tx, &ctx, &after.port).await?;
        }
        if after.port.qos_policy_id != before.port.qos_policy_id {
            qos::store::may_remove(tx, &ctx, &before.port.qos_policy_id).await?;
            qos::store::usable(tx, &ctx, &after.port.qos_policy_id).await?;
        }
        if after.port.mac != before.port.mac && !input.has("fixed_ips") {
            after.fixed_ips = addresses::remade(tx, &after.port, &before.fixed_ips).await?;
        }
        let wakes = store::update(tx, &ctx, &before, &after).await?;
        Ok((view::views(&app, tx, &ctx, vec![after]).await?.pop(), wakes))
    });
    let (view, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({ "port": view })))
}

async fn delete(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    expected: Expected,
) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let (port, _) = store::visible(tx, &ctx, &id).await?;
        expected.check(port.port.standard.revision)?;
        rules::check_deletable(&port.port)?;
        trunks::store::check_unused(tx, &id).await?;
        store::delete(tx, &ctx, &port).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
