//! The list, by microversion.

use std::sync::Arc;

use base::{Ctx, Error, Policy};
use serde_json::{Value, json};
use web::{Caller, Json, Origin, Params, Path, Response, Result, State};

use super::{Migration, policy, store};
use crate::schema::{self, Kind};
use crate::servers::{Server, VmState, rules, store as servers};
use crate::services::policy as services;
use crate::{Nova, query};

/// The first microversion with live migrations under their server.
const LIVE: u16 = 23;

fn view(ctx: &Ctx, m: &Migration) -> Value {
    // Hosts are the cloud's matter.
    let tells_hosts = ctx.authorize(&services::MIGRATIONS_HOST, Some(&m.project_id)).is_ok();
    let (source, target) = (Some(&m.source).filter(|_| tells_hosts), Some(&m.target).filter(|_| tells_hosts));
    let mut out = json!({
        "id": m.number,
        "source_node": source,
        "source_compute": source,
        "dest_node": target,
        "dest_compute": target,
        "dest_host": Value::Null,
        "status": m.status,
        "instance_uuid": m.server_id,
        "old_instance_type_id": number_of(&m.old_flavor.id),
        "new_instance_type_id": number_of(&m.new_flavor.id),
        "created_at": base::time::micros_naive(m.created_at),
        "updated_at": base::time::micros_naive(m.updated_at),
    });
    if ctx.at_least(2, 23) {
        out["migration_type"] = json!(m.kind);
    }
    if ctx.at_least(2, 59) {
        out["uuid"] = json!(m.uuid);
    }
    if ctx.at_least(2, 80) {
        out["user_id"] = json!(m.user_id);
        out["project_id"] = json!(m.project_id);
    }
    out
}

/// Nova shows its database's number of a flavor; ours have only the id that clients know, which may be a number.
fn number_of(id: &str) -> Value {
    json!(id.parse::<i64>().unwrap_or(0))
}

pub async fn list(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    params: Params,
    origin: Origin,
) -> Result<Response> {
    let mut known = vec!["status", "host", "instance_uuid", "source_compute", "hidden", "migration_type"];
    if ctx.at_least(2, 59) {
        known.extend(["limit", "marker", "changes-since"]);
    }
    if ctx.at_least(2, 66) {
        known.push("changes-before");
    }
    if ctx.at_least(2, 80) {
        known.extend(["user_id", "project_id"]);
    }
    query::only(&ctx, &params, &known)?;
    let asked = params.get("project_id");
    let own = ctx.project().map(|p| p.id.as_str()).filter(|own| asked == Some(own));
    if own.is_none() {
        ctx.authorize(&services::MIGRATIONS_OF_ALL, None)?;
    }
    let instant = |key: &str| match params.get(key) {
        Some(text) if known.contains(&key) => base::time::parse(text).map(Some).ok_or_else(|| {
            crate::schema::invalid(key, &json!(text), &format!("'{text}' is not a 'date-time'"))
        }),
        _ => Ok(None),
    };
    let (since, until) = (instant("changes-since")?, instant("changes-before")?);
    let wants = |key: &str, value: &str| params.get(key).is_none_or(|v| !known.contains(&key) || v == value);
    let mut found = store::list(&mut nova.db.read().await?).await?;
    found.retain(|m| {
        wants("status", &m.status)
            && wants("instance_uuid", &m.server_id)
            && wants("source_compute", &m.source)
            && wants("host", &m.source)
            && wants("migration_type", &m.kind)
            && wants("user_id", &m.user_id)
            && wants("project_id", &m.project_id)
            && own.is_none_or(|own| own == m.project_id)
            && since.is_none_or(|t| m.updated_at >= t)
            && until.is_none_or(|t| m.updated_at <= t)
    });
    if !ctx.at_least(2, 59) {
        let views: Vec<Value> = found.iter().map(|m| view(&ctx, m)).collect();
        return Ok(web::json(200, &json!({"migrations": views})));
    }
    let page = query::page(&params)?;
    let (found, more) = page.cut(found, query::MAX_LIMIT, |m| &m.uuid).ok_or_else(|| {
        Error::bad_request(format!("Marker {} could not be found.", page.marker.clone().unwrap_or_default()))
    })?;
    let mut body = json!({"migrations": found.iter().map(|m| view(&ctx, m)).collect::<Vec<_>>()});
    if let (true, Some(last)) = (more, found.last()) {
        body["migrations_links"] = web::next_link(&params, &origin.0, &last.uuid);
    }
    Ok(web::json(200, &body))
}

/// Live migrations under way. A cloud of one host has none.
pub async fn of_server(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    known(&nova, &ctx, &id, &policy::OF_SERVER, LIVE).await?;
    Ok(web::json(200, &json!({"migrations": []})))
}

pub async fn show_of_server(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response> {
    known(&nova, &ctx, &id, &policy::SHOW_OF_SERVER, LIVE).await?;
    Err(Error::not_found(format!("In-progress live migration {number} is not found for server {id}.")).into())
}

/// Only what migrates alive can be stopped, or hurried.
pub async fn abort(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response> {
    let server = known(&nova, &ctx, &id, &policy::ABORT, 24).await?;
    rules::check_lock(&ctx, &server)?;
    rules::check_migrating(&server, "abort live migration", VmState::ALL)?;
    Err(Error::not_found(not_of(&number, &id)).into())
}

pub async fn action(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path((id, number)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response> {
    query::since(&ctx, 22)?;
    match body.as_object().map(|map| (map.len(), map.get("force_complete"))) {
        Some((1, Some(given))) => {
            schema::check(&Kind::Null, given, "force_complete", ctx.microversion.minor)?;
        }
        Some((1, None)) => {
            let name = body.as_object().and_then(|map| map.keys().next()).map_or("", String::as_str);
            return Err(query::no_such_action(name).into());
        }
        _ => return Err(Error::bad_request("Malformed request body").into()),
    }
    let server = known(&nova, &ctx, &id, &policy::FORCE_COMPLETE, 22).await?;
    rules::check_lock(&ctx, &server)?;
    rules::check_migrating(&server, "force_complete", &[VmState::Active])?;
    Err(Error::bad_request(not_of(&number, &id)).into())
}

fn not_of(number: &str, server: &str) -> String {
    format!("Migration {number} not found for instance {server}")
}

async fn known(nova: &Nova, ctx: &Ctx, id: &str, policy: &Policy, minor: u16) -> base::Result<Server> {
    query::since(ctx, minor)?;
    let server = servers::find(&mut *nova.db.read().await?, ctx, id).await?;
    ctx.authorize(policy, Some(&server.project_id))?;
    Ok(server)
}
