//! `/v2.1/os-hosts`

use std::sync::Arc;

use base::{Ctx, Error, Kind as Fault};
use serde_json::{Value, json};
use web::{Caller, Json, Params, Path, Response, Result, State};

use super::store;
use crate::Nova;
use crate::schema::{self, Field, Kind};
use crate::services::{BINARIES, HostRow, INTERNAL_ZONE};

/// The first microversion without these calls.
const GONE: u16 = 43;

async fn row(nova: &Nova, ctx: &Ctx) -> Result<HostRow> {
    crate::query::before(ctx, GONE)?;
    let row = nova.host_row(&mut nova.db.read().await?).await?;
    Ok(row.ok_or_else(|| {
        Error::unavailable("The compute service of this host has not started yet; try again.")
    })?)
}

pub async fn list(State(nova): State<Arc<Nova>>, Caller(ctx): Caller, params: Params) -> Result<Response> {
    let host = row(&nova, &ctx).await?;
    let own = nova.zone(&mut nova.db.read().await?).await?;
    let wanted = params.get("zone").filter(|zone| !zone.is_empty());
    let services = BINARIES.iter().filter_map(|(_, topic)| {
        let is_compute = *topic == "compute";
        let zone = if is_compute { &*own } else { INTERNAL_ZONE };
        let shown = !(is_compute && host.disabled) && wanted.is_none_or(|w| w == zone);
        shown.then(|| json!({"host_name": host.name, "service": topic, "zone": zone}))
    });
    let views: Vec<Value> = services.collect();
    Ok(web::json(200, &json!({"hosts": views})))
}

/// 404 unless it is this host.
fn check(host: &HostRow, asked: &str) -> Result<()> {
    if host.name == asked {
        return Ok(());
    }
    Err(Error::not_found(format!("Compute host {asked} could not be found.")).into())
}

pub async fn show(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(asked): Path<String>,
) -> Result<Response> {
    let host = row(&nova, &ctx).await?;
    check(&host, &asked)?;
    let seen = nova.look().await?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let resource = |project: &str, cpu: i64, memory: i64, disk: i64| {
        json!({"resource": {
            "host": asked, "project": project, "cpu": cpu, "memory_mb": memory, "disk_gb": disk,
        }})
    };
    let capacity = &seen.capacity;
    let taken = store::taken(&mut *nova.db.read().await?, &asked).await?;
    let sum = |of: &[store::Taken]| {
        of.iter()
            .fold((0, 0, 0), |(cpu, memory, disk), t| (cpu + t.cpu, memory + t.memory_mib, disk + t.disk_gib))
    };
    let (cpu, memory, disk) = sum(&taken);
    let mut views = vec![
        resource(
            "(total)",
            i64::from(capacity.vcpus),
            number(capacity.memory_mib),
            number(capacity.disk_gib),
        ),
        resource("(used_now)", seen.vcpus_used, seen.memory_used, seen.disk_used),
        resource("(used_max)", cpu, memory, disk),
    ];
    for project in taken.chunk_by(|a, b| a.project == b.project) {
        let (cpu, memory, disk) = sum(project);
        views.push(resource(&project[0].project, cpu, memory, disk));
    }
    Ok(web::json(200, &json!({"host": views})))
}

const SWITCH: Kind = Kind::Enum(&["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]);
const UPDATE: &[Field] = &[Field::new("status", SWITCH), Field::new("maintenance_mode", SWITCH)];

/// As with every driver that cannot switch its host: 501 for a host that is there.
fn unsupported() -> web::Fault {
    Error::new(Fault::NotImplemented, "The requested functionality is not supported.").into()
}

pub async fn update(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(asked): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response> {
    let host = row(&nova, &ctx).await?;
    schema::check(&Kind::Object(UPDATE), &body, "host", ctx.microversion.minor)?;
    if body.as_object().is_none_or(serde_json::Map::is_empty) {
        let message = "{} is not valid under any of the given schemas";
        return Err(schema::invalid("host", &json!({}), message).into());
    }
    check(&host, &asked)?;
    Err(unsupported())
}

/// startup, shutdown and reboot of the machine under everything.
pub async fn power(
    State(nova): State<Arc<Nova>>,
    Caller(ctx): Caller,
    Path(asked): Path<String>,
) -> Result<Response> {
    check(&row(&nova, &ctx).await?, &asked)?;
    Err(unsupported())
}
