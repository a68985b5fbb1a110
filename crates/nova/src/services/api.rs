//! `/v2.1/os-services`, `/os-availability-zone`, `/os-migrations`

use std::sync::Arc;

use base::{Ctx, Error};
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State};

use super::{BINARIES, COMPUTE, HostRow, INTERNAL_ZONE, id_of, store};
use crate::Nova;
use crate::schema::{self, Field, Kind};

/// They serve this request, so they are up.
fn view(ctx: &Ctx, host: &HostRow, own_zone: &str, (number, binary): (usize, &str)) -> Value {
    let is_compute = binary == COMPUTE;
    let (disabled, down) = (is_compute && host.disabled, is_compute && host.forced_down);
    let mut out = json!({
        "id": if ctx.at_least(2, 53) { json!(id_of(binary, host)) } else { json!(number) },
        "binary": binary,
        "host": host.name,
        "zone": if is_compute { own_zone } else { INTERNAL_ZONE },
        "status": if disabled { "disabled" } else { "enabled" },
        "state": if down { "down" } else { "up" },
        "updated_at": base::time::micros_naive(base::time::now()),
        "disabled_reason": host.disabled_reason.as_ref().filter(|_| is_compute),
    });
    if ctx.at_least(2, 11) {
        out["forced_down"] = json!(down);
    }
    out
}

/// The compute service's number before 2.53.
const NUMBER: usize = 1;

/// (number, binary) of every service.
fn numbered() -> impl Iterator<Item = (usize, &'static str)> {
    let others = BINARIES.iter().map(|(binary, _)| *binary).filter(|binary| *binary != COMPUTE);
    [(NUMBER, COMPUTE)].into_iter().chain(others.enumerate().map(|(i, binary)| (i + 2, binary)))
}

async fn row(nova: &Nova) -> Result<(HostRow, String)> {
    let mut conn = nova.db.read().await?;
    let host = nova.host_row(&mut conn).await?.ok_or_else(|| {
        Error::unavailable("The compute service of this host has not started yet; try again.")
    })?;
    let zone = nova.zone(&mut conn).await?;
    Ok((host, zone))
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    crate::query::only(&ctx, &params, &["host", "binary"])?;
    let (host, zone) = row(&nova).await?;
    let is = |key: &str, value: &str| params.get(key).is_none_or(|asked| asked.is_empty() || asked == value);
    let shown = numbered().filter(|(_, binary)| is("host", &host.name) && is("binary", binary));
    let views: Vec<Value> = shown.map(|service| view(&ctx, &host, &zone, service)).collect();
    Ok(web::json(200, &json!({"services": views})))
}

const UPDATE: &[Field] = &[
    Field::new("status", Kind::Enum(&["enabled", "disabled"])),
    Field::new("disabled_reason", Kind::Text(1, 255, schema::ANY_CHAR, "")),
    Field::new("forced_down", Kind::Bool),
];

/// `PUT /os-services/{id}` from 2.53 on.
async fn update_by_id(nova: &Nova, ctx: &Ctx, id: &str, body: &Value) -> Result<Response> {
    schema::check(&Kind::Object(UPDATE), body, "service", ctx.microversion.minor)?;
    let (mut host, zone) = row(nova).await?;
    if host.service_id != id {
        if !base::id::is_uuid(id) {
            return Err(Error::bad_request(format!("Invalid uuid {id}")).into());
        }
        if let Some((_, binary)) = numbered().find(|(_, binary)| id_of(binary, &host) == id) {
            return Err(Error::bad_request(format!(
                "Updating a {binary} service is not supported. Only nova-compute services can be updated."
            ))
            .into());
        }
        return Err(Error::not_found(format!("Service {id} could not be found.")).into());
    }
    let reason = body.get("disabled_reason").and_then(Value::as_str);
    match body.get("status").and_then(Value::as_str) {
        Some("disabled") => {
            host.disabled = true;
            host.disabled_reason = reason.map(Into::into);
        }
        Some(_) if reason.is_some() => {
            return Err(Error::bad_request(
                "Specifying 'disabled_reason' when status is 'enabled' is invalid.",
            )
            .into());
        }
        Some(_) => {
            host.disabled = false;
            host.disabled_reason = None;
        }
        None if reason.is_some() => {
            return Err(
                Error::bad_request("Specifying 'disabled_reason' without 'status' is invalid.").into()
            );
        }
        None => {}
    }
    let forced = body.get("forced_down").and_then(schema::flag);
    if body.get("status").is_none() && forced.is_none() {
        return Err(Error::bad_request(
            "No updates were requested. Fields 'status' or 'forced_down' should be specified.",
        )
        .into());
    }
    host.forced_down = forced.unwrap_or(host.forced_down);
    store::save(&nova.db, ctx, &host).await?;
    Ok(web::json(200, &json!({"service": view(ctx, &host, &zone, (NUMBER, COMPUTE))})))
}

const BY_NAME: &[Field] = &[
    Field::new("host", Kind::Text(1, 255, schema::ANY_CHAR, "")).required(),
    Field::new("binary", Kind::Text(1, 255, schema::ANY_CHAR, "")).required(),
    Field::new("disabled_reason", Kind::Text(1, 255, schema::ANY_CHAR, "")),
    Field::new("forced_down", Kind::Bool),
];

/// `PUT /os-services/enable` and its like before 2.53; a service's id after.
pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    if ctx.at_least(2, 53) {
        return update_by_id(&nova, &ctx, &id, &body).await;
    }
    schema::check(&Kind::Object(BY_NAME), &body, "service", ctx.microversion.minor)?;
    let (mut host, _) = row(&nova).await?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("host") != host.name || text("binary") != COMPUTE {
        return Err(Error::not_found(format!(
            "Could not find binary {} on host {}.",
            text("binary"),
            text("host")
        ))
        .into());
    }
    let mut answer = json!({"host": host.name, "binary": COMPUTE});
    match id.as_str() {
        "enable" => (host.disabled, host.disabled_reason) = (false, None),
        "disable" => host.disabled = true,
        "disable-log-reason" => {
            if text("disabled_reason").is_empty() {
                return Err(Error::bad_request("Missing disabled reason field").into());
            }
            (host.disabled, host.disabled_reason) = (true, Some(text("disabled_reason").into()));
            answer["disabled_reason"] = json!(host.disabled_reason);
        }
        "force-down" if ctx.at_least(2, 11) => {
            host.forced_down = body
                .get("forced_down")
                .and_then(schema::flag)
                .ok_or_else(|| Error::bad_request("Missing forced_down field"))?;
            answer["forced_down"] = json!(host.forced_down);
        }
        _ => return Err(Error::not_found("Unknown action").into()),
    }
    if id != "force-down" {
        answer["status"] = json!(if host.disabled { "disabled" } else { "enabled" });
    }
    store::save(&nova.db, &ctx, &host).await?;
    Ok(web::json(200, &json!({"service": answer})))
}

/// Deleting a service is for hosts that are gone; this one is answering.
pub async fn delete(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
) -> Result<Response> {
    let (host, _) = row(&nova).await?;
    let own = if ctx.at_least(2, 53) { host.service_id == id } else { id == "1" };
    if own {
        return Err(Error::conflict(
            "Unable to delete compute service that is hosting instances. Migrate or delete the instances first.",
        )
        .into());
    }
    Err(Error::not_found(format!("Service {id} could not be found.")).into())
}

pub async fn zones(State(nova): State<Arc<Nova>>, Caller(_): Caller) -> Result<Response> {
    let (host, zone) = row(&nova).await?;
    let available = !host.disabled && !host.forced_down;
    let info = json!([{"zoneName": zone, "zoneState": {"available": available}, "hosts": null}]);
    Ok(web::json(200, &json!({"availabilityZoneInfo": info})))
}

pub async fn zones_detail(State(nova): State<Arc<Nova>>, Caller(_): Caller) -> Result<Response> {
    let (host, zone) = row(&nova).await?;
    let available = !host.disabled && !host.forced_down;
    let service = json!({
        "available": !host.forced_down,
        "active": !host.disabled,
        "updated_at": base::time::micros_naive(base::time::now()),
    });
    let internal = json!({"available": true, "active": true, "updated_at": service["updated_at"]});
    let internal: serde_json::Map<String, Value> = BINARIES
        .iter()
        .filter(|(binary, _)| *binary != COMPUTE)
        .map(|(binary, _)| ((*binary).to_owned(), internal.clone()))
        .collect();
    let info = json!([
        {
            "zoneName": INTERNAL_ZONE,
            "zoneState": {"available": true},
            "hosts": {&*host.name: internal},
        },
        {
            "zoneName": zone,
            "zoneState": {"available": available},
            "hosts": {&*host.name: {COMPUTE: service}},
        },
    ]);
    Ok(web::json(200, &json!({"availabilityZoneInfo": info})))
}
