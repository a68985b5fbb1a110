use std::net::IpAddr;
use std::sync::Arc;

use base::{Ctx, Policy, Result, Rule};
use db::Tx;
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Routes, State};

use super::addresses::{self, Wanted};
use super::{FullPort, SPEC, rules, store, view};
use crate::plane::Wakes;
use crate::request::{Input, Listing, only_fields};
use crate::rows::{Bind, texts};
use crate::security_groups;
use crate::{Neutron, fault, networks};

const GET: Policy = Policy::new("get_port", Rule::ProjectReader);
const CREATE: Policy = Policy::new("create_port", Rule::ProjectMember);
const UPDATE: Policy = Policy::new("update_port", Rule::ProjectMember);
const DELETE: Policy = Policy::new("delete_port", Rule::ProjectMember);

pub fn routes(routes: Routes<Arc<Neutron>>) -> Routes<Arc<Neutron>> {
    routes
        .get("/v2.0/ports", &GET, list)
        .post("/v2.0/ports", &CREATE, create)
        .get("/v2.0/ports/{id}", &GET, show)
        .put("/v2.0/ports/{id}", &UPDATE, update)
        .delete("/v2.0/ports/{id}", &DELETE, delete)
}

async fn list(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Origin(origin): Origin,
    params: Params,
) -> web::Result {
    let mut listing = Listing::read(&SPEC, &params)?;
    rules::scope(&ctx, &mut listing.conditions);
    let substrings = address_filters(&mut listing, &params)?;
    let mut conn = app.db.read().await?;
    let mut ports = store::load_where(&mut conn, std::mem::take(&mut listing.conditions)).await?;
    drop(conn);
    if !substrings.is_empty() {
        ports.retain(|p| {
            p.fixed_ips
                .iter()
                .any(|ip| substrings.iter().any(|s| ip.address.to_string().contains(s.as_str())))
        });
    }
    let views = ports.iter().map(|p| view::view(&ctx, p)).collect();
    Ok(web::json(200, &listing.finish(&SPEC, &params, &origin, views)?))
}

/// `fixed_ips=ip_address=..`, `fixed_ips=subnet_id=..` and `security_groups=..` as SQL; the `ip_address_substr`
/// values are left for the caller.
fn address_filters(listing: &mut Listing, params: &Params) -> Result<Vec<String>> {
    let (mut ips, mut subnets, mut substrings) = (Vec::new(), Vec::new(), Vec::new());
    for filter in params.all("fixed_ips") {
        match filter.split_once('=') {
            Some(("ip_address", ip)) => {
                // Rows hold the canonical spelling; a text that is no address matches nothing.
                ips.push(ip.parse::<IpAddr>().map_or_else(|_| ip.to_owned(), |a| a.to_string()));
            }
            Some(("subnet_id" | "subnet", id)) => subnets.push(id),
            Some(("ip_address_substr", part)) => substrings.push(part.to_owned()),
            _ => {
                return Err(fault::http_bad_request(format!("'{filter}' is not in the form <key>=<value>")));
            }
        }
    }
    for (column, values) in [("address", texts(ips)), ("subnet_id", texts(subnets))] {
        if !values.is_empty() {
            let (condition, values) = addresses::having(column, values);
            listing.conditions.and(&condition, values);
        }
    }
    let groups: Vec<Bind> = texts(params.all("security_groups"));
    if !groups.is_empty() {
        let marks = vec!["?"; groups.len()].join(", ");
        listing.conditions.and(
            &format!("id IN (SELECT port_id FROM port_security_group WHERE security_group_id IN ({marks}))"),
            groups,
        );
    }
    Ok(substrings)
}

async fn show(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
) -> web::Result {
    let mut conn = app.db.read().await?;
    let (port, _) = store::visible(&mut conn, &ctx, &id).await?;
    Ok(web::json(200, &json!({"port": only_fields(&params, view::view(&ctx, &port))})))
}

async fn create_one(tx: &mut Tx, ctx: &Ctx, input: &Input) -> Result<(FullPort, Wakes)> {
    let network_id = input.text("network_id").unwrap_or_default();
    let network = networks::store::visible(tx, ctx, network_id).await?;
    rules::may_plug(ctx, &network, &input.owner(ctx)?)?;
    rules::privileges(ctx, input, &network, "create")?;
    let port = rules::create(ctx, input, &network)?;
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

async fn create(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Json(body): Json<Value>,
) -> web::Result {
    let (inputs, bulk) = SPEC.create(&ctx, &body)?;
    let made: Result<(Vec<FullPort>, Wakes)> = db::write!(app.db, |tx| {
        let (mut ports, mut wakes) = (Vec::new(), Wakes::default());
        for input in &inputs {
            let (port, more) = create_one(tx, &ctx, input).await?;
            ports.push(port);
            wakes.extend(more);
        }
        Ok((ports, wakes))
    });
    let (ports, wakes) = made?;
    app.wake(&wakes);
    let mut views: Vec<_> = ports.iter().map(|p| view::view(&ctx, p)).collect();
    Ok(if bulk {
        web::json(201, &json!({"ports": views}))
    } else {
        web::json(201, &json!({"port": views.pop()}))
    })
}

async fn update(
    State(app): State<Arc<Neutron>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> web::Result {
    let input = SPEC.update(&ctx, &body)?;
    let updated: Result<(FullPort, Wakes)> = db::write!(app.db, |tx| {
        let (before, network) = store::visible(tx, &ctx, &id).await?;
        rules::privileges(&ctx, &input, &network, "update")?;
        let mut after = before.clone();
        if let Some(groups) = input.parsed::<Vec<String>>("security_groups")? {
            after.groups = security_groups::store::check(tx, &ctx, &groups).await?;
        }
        rules::apply(&mut after.port, &input, !after.groups.is_empty())?;
        rules::check_security(&after.port, &after.groups)?;
        if let Some(wanted) = input.parsed::<Vec<Wanted>>("fixed_ips")? {
            after.fixed_ips = addresses::allocate(tx, &after.port, Some(&wanted), &before.fixed_ips).await?;
        }
        let wakes = store::update(tx, &ctx, &before, &after).await?;
        Ok((after, wakes))
    });
    let (port, wakes) = updated?;
    app.wake(&wakes);
    Ok(web::json(200, &json!({"port": view::view(&ctx, &port)})))
}

async fn delete(State(app): State<Arc<Neutron>>, Caller(ctx): Caller, Path(id): Path<String>) -> web::Result {
    let deleted: Result<Wakes> = db::write!(app.db, |tx| {
        let (port, _) = store::visible(tx, &ctx, &id).await?;
        rules::check_deletable(&port.port)?;
        store::delete(tx, &ctx, &port).await
    });
    app.wake(&deleted?);
    Ok(web::no_content(204))
}
